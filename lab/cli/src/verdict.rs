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
    /// The host starved the guest, so the result means nothing.
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

impl Verdict {
    /// Converts an error to a verdict with all its output. Passes an interruption on, since it is no failure.
    pub(crate) fn of_error(error: Error) -> Result<Self> {
        if error.kind() == Kind::Interrupted {
            return Err(error);
        }
        Ok(Self::for_error(&error))
    }

    /// Returns the verdict on a case that an error ended.
    pub(crate) fn for_error(error: &Error) -> Self {
        let details = error.all_details().into_iter().map(str::to_owned).collect();
        match error.kind() {
            Kind::Starved => Self::Undecided { why: error.chain(), details },
            _ => Self::Failed { why: error.chain(), details },
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
}
