//! A rule is a value: id, docs, level and one pure function.

use super::{Diagnostic, Level};
use crate::workspace::{Service, Workspace};

/// The nine practices, in the order of the rule codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Practice {
    DesignForFailure = 1,
    SmallServices = 2,
    LightweightProtocols = 3,
    ServiceDiscovery = 4,
    DataOwnership = 5,
    ResiliencyPatterns = 6,
    Security = 7,
    CentralizedLogging = 8,
    Containers = 9,
}

/// Who sees a rule unasked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tier {
    /// Everybody.
    #[default]
    Default,
    /// Those who ask for more.
    Pedantic,
    /// A review by hand: noisy by nature.
    Auditor,
}

/// What a rule looks at. Findings go into the vector; a rule reads nothing else and writes nowhere else.
#[derive(Clone, Copy)]
pub enum Check {
    /// Once over everything.
    Workspace(fn(&Workspace, &mut Vec<Diagnostic>)),
    /// Once a service; the engine fills in [`Diagnostic::service`].
    Service(fn(&Workspace, &Service, &mut Vec<Diagnostic>)),
    /// Never called: the engine itself reports it, see [`super::own`].
    Engine,
}

/// One rule. Declared by [`declare_rule!`](crate::declare_rule) next to its check.
pub struct Rule {
    /// Words that name the fault and read well after "allow".
    pub id: &'static str,
    /// `MSVC` + practice + two digits (practice 0: the engine's own); never reused.
    pub code: &'static str,
    /// `None` for what the engine itself reports.
    pub practice: Option<Practice>,
    pub level: Level,
    pub tier: Tier,
    /// The rule's page in Markdown: summary, then `## Why is this bad?`, `## Example`, `## Use instead`,
    /// `## Not reported when`, `## Source`.
    pub docs: &'static str,
    pub check: Check,
}

impl Rule {
    /// First line of the page, without its full stop.
    pub fn summary(&self) -> &'static str {
        self.docs.trim_start().lines().next().unwrap_or_default().trim().trim_end_matches('.')
    }
}

/// Declares `pub static RULE: Rule` from a doc comment and one line:
///
/// ```text
/// declare_rule! {
///     /// An HTTP client is built without a total timeout.
///     "http-client-without-timeout", "MSVC601", Practice::ResiliencyPatterns, Level::Deny, Tier::Default,
///     Check::Workspace(check)
/// }
/// ```
#[macro_export]
macro_rules! declare_rule {
    ($(#[doc = $line:literal])+ $id:literal, $code:literal, $practice:expr, $level:expr, $tier:expr, $check:expr $(,)?) => {
        #[doc = concat!("`", $id, "`: the doc comment above is its page, not rustdoc's, so that examples need not compile.")]
        pub static RULE: $crate::lint::Rule = $crate::lint::Rule {
            id: $id,
            code: $code,
            practice: Some($practice),
            level: $level,
            tier: $tier,
            docs: concat!($($line, "\n"),+),
            check: $check,
        };
    };
    // What the engine itself reports.
    ($(#[doc = $line:literal])+ $name:ident, $id:literal, $code:literal, $level:expr $(,)?) => {
        #[doc = concat!("`", $id, "`: the doc comment above is its page, not rustdoc's, so that examples need not compile.")]
        pub static $name: $crate::lint::Rule = $crate::lint::Rule {
            id: $id,
            code: $code,
            practice: None,
            level: $level,
            tier: $crate::lint::Tier::Default,
            docs: concat!($($line, "\n"),+),
            check: $crate::lint::Check::Engine,
        };
    };
}

impl Rule {
    /// The text under one `## ` heading of the page, trimmed; `None` where the page has no such heading.
    pub fn section(&self, heading: &str) -> Option<String> {
        let mut lines = self.docs.lines().map(|line| line.strip_prefix(' ').unwrap_or(line));
        lines.find(|line| line.strip_prefix("## ").is_some_and(|title| title.trim() == heading))?;
        let body: Vec<&str> = lines.take_while(|line| !line.starts_with("## ")).collect();
        Some(body.join("\n").trim().to_owned())
    }

    /// The page as Markdown, without the blank that a doc comment puts before each line.
    pub fn page(&self) -> String {
        let lines: Vec<&str> = self.docs.lines().map(|line| line.strip_prefix(' ').unwrap_or(line)).collect();
        lines.join("\n").trim().to_owned()
    }
}

/// Two rules are the same rule when they share a code.
impl PartialEq for Rule {
    fn eq(&self, other: &Self) -> bool {
        self.code == other.code
    }
}

impl Eq for Rule {}

impl std::fmt::Debug for Rule {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.code, self.id)
    }
}

impl Tier {
    pub const ALL: [Self; 3] = [Self::Default, Self::Pedantic, Self::Auditor];

    /// As `tier` in `msvc.toml` takes it.
    pub const fn id(self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::Pedantic => "pedantic",
            Self::Auditor => "auditor",
        }
    }
}

impl Practice {
    pub const ALL: [Self; 9] = [
        Self::DesignForFailure,
        Self::SmallServices,
        Self::LightweightProtocols,
        Self::ServiceDiscovery,
        Self::DataOwnership,
        Self::ResiliencyPatterns,
        Self::Security,
        Self::CentralizedLogging,
        Self::Containers,
    ];

    /// As `--select` takes it: "design-for-failure".
    pub const fn id(self) -> &'static str {
        match self {
            Self::DesignForFailure => "design-for-failure",
            Self::SmallServices => "small-services",
            Self::LightweightProtocols => "lightweight-protocols",
            Self::ServiceDiscovery => "service-discovery",
            Self::DataOwnership => "data-ownership",
            Self::ResiliencyPatterns => "resiliency-patterns",
            Self::Security => "security",
            Self::CentralizedLogging => "centralized-logging",
            Self::Containers => "containers",
        }
    }

    /// As a person reads it: "Design for failure".
    pub const fn title(self) -> &'static str {
        match self {
            Self::DesignForFailure => "Design for failure",
            Self::SmallServices => "Build small services",
            Self::LightweightProtocols => "Lightweight protocols",
            Self::ServiceDiscovery => "Service discovery",
            Self::DataOwnership => "Data ownership",
            Self::ResiliencyPatterns => "Resiliency patterns",
            Self::Security => "Security at all levels",
            Self::CentralizedLogging => "Centralized logging",
            Self::Containers => "Containers",
        }
    }
}
