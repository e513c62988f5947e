// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The lab's single error type: its kind, what happened, and what to do about it.

use std::fmt;

/// A result of the lab.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// The cause of an error. `exit.rs` maps each kind to an exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The command line names something that does not exist.
    Usage,
    /// The machine lacks something that the user must supply.
    Host,
    /// Our machinery failed: a download, a tool, QEMU, the agent.
    Machinery,
    /// The code under test does not compile.
    Build,
    /// A check failed: tests failed, or `doctor` found something missing.
    Check,
    /// The kernel in the guest warned, oopsed, hung or leaked.
    Kernel,
    /// One of our processes, the emulated GPU or QEMU, does not answer.
    Silent,
    /// A program in the guest ran longer than its limit.
    Limit,
    /// The reader of our output has closed it.
    Pipe,
    /// The guest's kernel reported something that involves no driver, as happens on an overloaded host.
    Starved,
    /// The user interrupted it.
    Interrupted,
}

/// An error: a kind, a sentence without its full stop, perhaps a cause, perhaps a hint.
#[derive(Debug)]
pub struct Error(Box<Inner>);

#[derive(Debug)]
struct Inner {
    kind: Kind,
    message: String,
    details: Vec<String>,
    hint: Option<String>,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl Error {
    /// Makes an error of `kind` with a lower-case message.
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self(Box::new(Inner { kind, message: message.into(), details: Vec::new(), hint: None, source: None }))
    }

    /// Adds what the user can do, which is shown on a line of its own.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.0.hint = Some(hint.into());
        self
    }

    /// Adds lines that belong to the error, such as the end of a tool's output.
    pub fn details(mut self, lines: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.0.details.extend(lines.into_iter().map(Into::into));
        self
    }

    /// Adds the cause.
    pub fn caused_by(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// Returns the kind.
    pub fn kind(&self) -> Kind {
        self.0.kind
    }

    /// Returns the lines that belong to the error.
    pub fn detail_lines(&self) -> &[String] {
        &self.0.details
    }

    /// Returns what the user can do, if that is known.
    pub fn hint_text(&self) -> Option<&str> {
        match &self.0.hint {
            Some(hint) => Some(hint),
            None => self.cause()?.hint_text(),
        }
    }

    fn cause(&self) -> Option<&Error> {
        self.0.source.as_deref()?.downcast_ref::<Error>()
    }

    /// Returns the message and its causes, joined by `: `.
    pub fn chain(&self) -> String {
        let mut text = self.to_string();
        let mut next = std::error::Error::source(self);
        while let Some(cause) = next {
            text.push_str(": ");
            text.push_str(&cause.to_string());
            next = cause.source();
        }
        text
    }

    /// Returns the detail lines of the error and of all its causes.
    pub fn all_details(&self) -> Vec<&str> {
        let mut lines: Vec<&str> = self.0.details.iter().map(String::as_str).collect();
        if let Some(cause) = self.cause() {
            lines.extend(cause.all_details());
        }
        lines
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(self.0.source.as_deref()?)
    }
}

impl From<std::io::Error> for Error {
    /// For `?` in a function whose caller adds the context. Prefer [`Context::context`].
    fn from(error: std::io::Error) -> Self {
        Self::new(Kind::Machinery, error.to_string())
    }
}

/// Adds to an error what was being done when it happened.
pub trait Context<T> {
    /// Wraps the error in a sentence. One of our own errors keeps its kind.
    fn context(self, message: impl Into<String>) -> Result<T>;
    /// Like [`Context::context`], for a message that is expensive to make.
    fn with_context<M: Into<String>>(self, message: impl FnOnce() -> M) -> Result<T>;
}

impl<T, E: Into<Box<dyn std::error::Error + Send + Sync>>> Context<T> for Result<T, E> {
    fn context(self, message: impl Into<String>) -> Result<T> {
        self.with_context(|| message)
    }

    fn with_context<M: Into<String>>(self, message: impl FnOnce() -> M) -> Result<T> {
        self.map_err(|error| {
            let source: Box<dyn std::error::Error + Send + Sync> = error.into();
            let kind = source.downcast_ref::<Error>().map_or(Kind::Machinery, Error::kind);
            Error::new(kind, message()).caused_by(source)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn context_keeps_kind_and_hint() {
        let inner: Result<()> = Err(Error::new(Kind::Host, "`qemu` is missing").hint("install it"));
        let error = inner.context("failed to boot").unwrap_err();
        assert_eq!(error.kind(), Kind::Host);
        assert_eq!(error.chain(), "failed to boot: `qemu` is missing");
        assert_eq!(error.hint_text(), Some("install it"));
    }

    #[test]
    fn details_of_causes_come_along() {
        let inner: Result<()> = Err(Error::new(Kind::Build, "make failed").details(["line 1"]));
        let error = inner.context("failed to build").unwrap_err().details(["line 0"]);
        assert_eq!(error.all_details(), ["line 0", "line 1"]);
    }
}
