//! A finding: what, where, why, what to do.

use serde::{Deserialize, Serialize};

use super::Fix;
use crate::workspace::Location;

/// How loudly a rule speaks. Only `Deny` and `Warn` are shown; `Deny` makes the exit code 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    Allow,
    Warn,
    Deny,
}

/// How sure a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Confidence {
    Low,
    Medium,
    High,
}

impl Level {
    pub const ALL: [Self; 3] = [Self::Allow, Self::Warn, Self::Deny];

    /// As `msvc.toml` takes it and every format prints it.
    pub const fn id(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Warn => "warn",
            Self::Deny => "deny",
        }
    }

    /// As compilers and the formats of other tools say it.
    pub const fn severity(self) -> &'static str {
        match self {
            Self::Allow => "info",
            Self::Warn => "warning",
            Self::Deny => "error",
        }
    }
}

impl Confidence {
    pub const fn id(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
        }
    }
}

/// A place and what to say about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Label {
    pub at: Location,
    pub text: String,
}

/// What a rule returns. The engine adds rule, level and suppression.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Diagnostic {
    /// One sentence, no full stop: "`Client::new` has no total timeout".
    pub message: String,
    /// The place to change, and a short note to stand under it.
    pub primary: Label,
    /// Other places, in other files too.
    pub related: Vec<Label>,
    /// What to do.
    pub help: String,
    /// Which rescues were looked for and not found.
    pub evidence: Vec<String>,
    pub confidence: Confidence,
    /// The service it is about, when it is about one.
    pub service: Option<String>,
    /// What mends it, where a program can.
    pub fix: Option<Fix>,
    /// A secret that stands at the primary place: whatever shows that place masks it. Never written anywhere.
    #[serde(skip)]
    pub hidden: Option<String>,
}

impl Diagnostic {
    pub fn new(message: impl Into<String>, at: Location, note: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            primary: Label { at, text: note.into() },
            related: Vec::new(),
            help: String::new(),
            evidence: Vec::new(),
            confidence: Confidence::High,
            service: None,
            fix: None,
            hidden: None,
        }
    }

    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = help.into();
        self
    }

    pub fn related(mut self, at: Location, text: impl Into<String>) -> Self {
        self.related.push(Label { at, text: text.into() });
        self
    }

    pub fn evidence(mut self, looked_for: impl Into<String>) -> Self {
        self.evidence.push(looked_for.into());
        self
    }

    pub fn confidence(mut self, confidence: Confidence) -> Self {
        self.confidence = confidence;
        self
    }

    pub fn fix(mut self, fix: Fix) -> Self {
        self.fix = Some(fix);
        self
    }

    pub fn hide(mut self, secret: impl Into<String>) -> Self {
        self.hidden = Some(secret.into());
        self
    }

    pub fn service(mut self, service: impl Into<String>) -> Self {
        self.service = Some(service.into());
        self
    }
}
