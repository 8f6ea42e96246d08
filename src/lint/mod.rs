//! The engine: runs the rules it is given over a loaded workspace, applies levels and suppressions in one place, and
//! returns a report. Knows no rule, prints nothing.

pub mod allow;
pub mod baseline;
pub mod diagnostic;
pub mod fix;
pub mod identity;
pub mod own;
pub mod rule;
pub mod run;
pub mod settings;
mod suppress;
pub mod why;

pub use diagnostic::{Confidence, Diagnostic, Label, Level};
pub use fix::{Applicability, Edit, Fix};
pub use rule::{Check, Practice, Rule, Tier};
pub use run::{Failure, Finding, Report, Summary, run};
pub use settings::{Levels, Selector, Settings};
