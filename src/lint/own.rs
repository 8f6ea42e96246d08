//! What the engine itself reports: input that it cannot read, and comments to it that do not hold. Listed, explained,
//! levelled and suppressed like any rule; belongs to no practice.

use super::{Level, Rule};
use crate::declare_rule;

/// Everything that the engine reports on its own account.
pub static ALL: &[&Rule] = &[&UNREADABLE_FILE, &INVALID_ALLOW, &UNUSED_ALLOW];

declare_rule! {
    /// A file could not be read or parsed.
    ///
    /// ## Why is this bad?
    /// What cannot be read is not audited, and silence about it would look like a clean result.
    ///
    /// ## Example
    /// ```yaml
    /// services:
    ///   orders: {image: "orders:1.2.0"
    /// ```
    ///
    /// ## Use instead
    /// ```yaml
    /// services:
    ///   orders: {image: "orders:1.2.0"}
    /// ```
    /// Where a file is broken on purpose (the input of a parser's test, say), set `unreadable-file = "warn"` for its package in
    /// `[package.metadata.msvc.lint]`.
    ///
    /// ## Not reported when
    /// The file is ignored by `.gitignore`, or is a template, or source that no crate is made of: these are shown as notes.
    ///
    /// ## Source
    /// Our own: an audit that skips what it cannot read reports "clean" for what it never saw.
    UNREADABLE_FILE, "unreadable-file", "MSVC001", Level::Deny
}

declare_rule! {
    /// A `msvc: allow(…)` comment gives no reason, names no rule, or cannot be read.
    ///
    /// ## Why is this bad?
    /// The comment has no effect: the finding it was meant for is still reported. A reason is required, so that the next
    /// reader can judge whether it still holds.
    ///
    /// ## Example
    /// ```rust
    /// // msvc: allow(hardcoded-secrets)
    /// const SANDBOX_KEY: &str = "…";
    /// ```
    ///
    /// ## Use instead
    /// ```rust
    /// // msvc: allow(hardcoded-secret) because the sandbox key is printed in the vendor's manual
    /// const SANDBOX_KEY: &str = "…";
    /// ```
    ///
    /// ## Not reported when
    /// The comment reads `msvc: allow(rule-id[, rule-id]) because <reason>` and every id is a rule's.
    ///
    /// ## Source
    /// `#[expect(…, reason = "…")]` and `clippy::allow_attributes_without_reason` ask the same of Rust's own lints.
    INVALID_ALLOW, "invalid-allow", "MSVC002", Level::Deny
}

declare_rule! {
    /// A `msvc: allow(…)` comment covers nothing that would be reported.
    ///
    /// ## Why is this bad?
    /// The fault it excuses is gone, or the comment stands in the wrong place. Left there, it would hide the next fault.
    ///
    /// ## Example
    /// ```dockerfile
    /// # msvc: allow(unpinned-base-image) because the registry keeps no old tags
    /// FROM debian:13.1-slim
    /// ```
    ///
    /// ## Use instead
    /// Remove the comment, or move it: at the end of a line it covers that line, on a line of its own the next item,
    /// statement, key or instruction.
    ///
    /// ## Not reported when
    /// The rule was not run: its level is `allow`, or `--select` and `--ignore` leave it out.
    ///
    /// ## Source
    /// rustc's `unfulfilled_lint_expectations` does the same for `#[expect]`.
    UNUSED_ALLOW, "unused-allow", "MSVC003", Level::Warn
}
