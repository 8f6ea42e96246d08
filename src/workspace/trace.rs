//! Who looks at one line of one file, and what keeps it from being reported: for `--why`, off otherwise.

use std::sync::{Mutex, PoisonError};

use super::{FileId, Location, Span, Workspace};

/// What is asked about, and what was recorded so far.
#[derive(Debug)]
pub struct Trace {
    file: FileId,
    /// The line, without its break.
    line: Span,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    /// The rule that runs.
    rule: &'static str,
    looks: Vec<Look>,
}

/// A rule looked at something that starts on the line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Look {
    pub rule: &'static str,
    pub at: Location,
    /// What decided that it is none of its findings, as far as that is recorded.
    pub spared: Option<&'static str>,
}

impl Trace {
    pub fn new(file: FileId, line: Span) -> Self {
        Self { file, line, inner: Mutex::default() }
    }

    /// From now on this rule looks. Rules run one after the other while a line is asked about.
    pub fn runs(&self, rule: &'static str) {
        self.open().rule = rule;
    }

    /// What was recorded, in order.
    pub fn looks(&self) -> Vec<Look> {
        self.open().looks.clone()
    }

    fn record(&self, at: Location, spared: Option<&'static str>) {
        if at.file != self.file || at.span.start < self.line.start || at.span.start > self.line.end {
            return;
        }
        let mut inner = self.open();
        let look = Look { rule: inner.rule, at, spared };
        if !inner.looks.contains(&look) {
            inner.looks.push(look);
        }
    }

    fn open(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Workspace {
    /// A rule asked for this place.
    pub(super) fn looked(&self, at: impl FnOnce() -> Location) {
        if let Some(trace) = &self.trace {
            trace.record(at(), None);
        }
    }

    /// A rule, or a scope that all rules share, takes this place for right. `why` reads well after "not reported:".
    pub fn spared(&self, at: impl FnOnce() -> Location, why: &'static str) {
        if let Some(trace) = &self.trace {
            trace.record(at(), Some(why));
        }
    }
}
