use super::secret::{is_contract, is_for_show, is_secret_name, issuer, looks_random, url_password};
use super::written::{Written, in_code, in_documents};
use crate::declare_rule;
use crate::lint::{Check, Confidence, Diagnostic, Level, Practice, Tier};
use crate::rules::paths;
use crate::workspace::Workspace;

declare_rule! {
    /// A password, token or key is written into the source.
    ///
    /// ## Why is this bad?
    /// Everybody who can read the repository, or any image or backup made of it, has the secret, for ever: removing the line leaves
    /// it in the history. It must be revoked, not only deleted.
    ///
    /// ## Example
    /// ```toml
    /// [auth]
    /// signing_key = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b"
    /// ```
    ///
    /// ## Use instead
    /// ```toml
    /// [auth]
    /// signing_key_file = "/run/secrets/auth-signing-key"
    /// ```
    /// Mount it from a secret store. Where the committed value has been used anywhere, issue a new one.
    ///
    /// ## Not reported when
    /// - the value does not look generated: `postgres`, `changeme`, words, short passwords, an `AKIA…EXAMPLE` key;
    /// - it is interpolated (`${DB_PASSWORD}`, `{{ … }}`, `$(…)`) or read from a file or a secret;
    /// - a URL's host is this machine or a container that the same compose file starts, or its password does not look generated;
    /// - it is the password that a compose file starts a ready-made image with;
    /// - it is the address of an account or a contract of a blockchain;
    /// - the name says that it is hashed, encrypted, public, known or a test's, or a front-end build publishes it (`VITE_…`);
    /// - the file or function makes tests, fixtures, examples or documentation, or, unless the value has an issuer's own format, for local
    ///   development (`.env.development`, `compose.dev.yaml`, an overlay `dev`).
    ///
    /// The value itself is never printed.
    ///
    /// ## Source
    /// CWE-798, Use of Hard-coded Credentials; OWASP ASVS 2.10.4; the Twelve-Factor App, III. Formats from their issuers'
    /// documentation.
    "hardcoded-secret", "MSVC703", Practice::Security, Level::Deny, Tier::Default, Check::Workspace(check)
}

fn check(workspace: &Workspace, out: &mut Vec<Diagnostic>) {
    let mut judge = |written: Written| out.extend(finding(workspace, written));
    in_documents(workspace, &mut judge);
    in_code(workspace, |value| issuer(value).is_some() || url_password(value).is_some() || looks_random(value), &mut judge);
}

fn finding(workspace: &Workspace, written: Written) -> Option<Diagnostic> {
    let path = workspace.sources.path(written.at.file);
    let Written { name, value, .. } = written;
    // Nothing shorter is a secret worth the name.
    if value.len() < 8 || paths::is_shown_only(path) || is_for_show(name) {
        return None;
    }
    let (what, confidence) = if let Some(issuer) = issuer(value) {
        (format!("a {issuer} is written into the source"), Confidence::High)
    } else if paths::is_local(path) {
        return None;
    } else if has_url_password(written) {
        (format!("a URL with its password is written into the source{}", under(name)), Confidence::High)
    } else if (written.in_secret || is_secret_name(name)) && looks_random(value) && !is_contract(name, value) {
        (format!("a secret is written into the source{}", under(name)), Confidence::Medium)
    } else {
        return None;
    };
    Some(
        Diagnostic::new(what, written.at, "anyone who reads this has it")
            .help("revoke it, issue a new one, and read that from a file or a secret store at run time")
            .evidence("interpolation, a placeholder, a value that was not generated")
            .evidence("a test, an example, a file for local development")
            .confidence(confidence)
            .hide(value),
    )
}

/// A generated password for another machine, which is not a container that the same compose file starts.
fn has_url_password(written: Written) -> bool {
    let Some((password, host)) = url_password(written.value) else { return false };
    let started_here = written.compose.is_some_and(|compose| compose.services.iter().any(|entry| entry.name.value == host));
    looks_random(password) && !started_here
}

fn under(name: &str) -> String {
    if name.is_empty() { String::new() } else { format!(" as `{name}`") }
}
