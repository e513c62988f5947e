// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The verdict on a test, or on a command of `drydock run`.

use serde::Serialize;

use drydock_base::error::{Error, Kind, Result};

/// The verdict on a case.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Verdict {
    Passed,
    Failed {
        /// The reason in one line.
        why: String,
        /// The rest of its output.
        details: Vec<String>,
    },
    /// The host starved the guest, or a part of the lab failed, so the result says nothing about the case.
    Undecided {
        /// The reason in one line.
        why: String,
        /// The rest of its output.
        details: Vec<String>,
    },
    /// The case cannot run here.
    Skipped {
        /// The reason in one line.
        why: String,
    },
}

impl From<Result<(), String>> for Verdict {
    /// Takes an inner error for the reason of a failure.
    fn from(judged: Result<(), String>) -> Self {
        match judged {
            Ok(()) => Self::Passed,
            Err(why) => Self::Failed { why, details: Vec::new() },
        }
    }
}

impl Verdict {
    /// Converts an error to a verdict with all its output. Passes an interruption on, since it is no failure.
    pub(crate) fn of_error(error: Error) -> Result<Self> {
        if error.kind() == Kind::Interrupted {
            return Err(error);
        }
        let (why, details) = lines(&error);
        Ok(match error.kind() {
            Kind::Starved => Self::Undecided { why, details },
            _ => Self::Failed { why, details },
        })
    }

    /// Returns the verdict on a user's command that an error ended. An error of the lab is not the command's failure.
    pub(crate) fn on_command(error: &Error) -> Self {
        let (why, details) = lines(error);
        match error.kind() {
            Kind::Usage | Kind::Build | Kind::Check | Kind::Kernel | Kind::Limit => Self::Failed { why, details },
            Kind::Host | Kind::Machinery | Kind::Silent | Kind::Pipe | Kind::Starved | Kind::Interrupted => {
                Self::Undecided { why, details }
            }
        }
    }

    /// Returns its name for other programs.
    pub(crate) fn word(&self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed { .. } => "failed",
            Self::Undecided { .. } => "undecided",
            Self::Skipped { .. } => "skipped",
        }
    }

    /// Returns the reason in one line, unless the case passed.
    pub(crate) fn why(&self) -> Option<&str> {
        match self {
            Self::Passed => None,
            Self::Failed { why, .. } | Self::Undecided { why, .. } | Self::Skipped { why } => Some(why),
        }
    }

    /// Returns the lines below the reason.
    pub(crate) fn details(&self) -> &[String] {
        match self {
            Self::Failed { details, .. } | Self::Undecided { details, .. } => details,
            Self::Passed | Self::Skipped { .. } => &[],
        }
    }
}

/// Returns an error in one line, and the lines below it.
fn lines(error: &Error) -> (String, Vec<String>) {
    (error.chain(), error.all_details().into_iter().map(str::to_owned).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn starved_host_is_no_failure() {
        let verdict = |kind| Verdict::of_error(Error::new(kind, "x")).unwrap();
        assert!(matches!(verdict(Kind::Starved), Verdict::Undecided { .. }));
        assert!(matches!(verdict(Kind::Kernel), Verdict::Failed { .. }));
        assert!(Verdict::of_error(Error::new(Kind::Interrupted, "x")).is_err());
    }

    #[test]
    fn failure_of_the_lab_is_not_the_commands() {
        let word = |kind| Verdict::on_command(&Error::new(kind, "x")).word();
        assert_eq!((word(Kind::Machinery), word(Kind::Starved)), ("undecided", "undecided"));
        assert_eq!((word(Kind::Kernel), word(Kind::Build)), ("failed", "failed"));
    }
}
