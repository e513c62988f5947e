// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Macros by which a case checks an outcome, so that a failure quotes the call and the answer.
//!
//! Source: the names of error numbers are those of `include/uapi/asm-generic/errno*.h`.

use std::sync::atomic::{AtomicBool, Ordering};

use rustix::io::Errno;

/// Why a case ended early.
#[derive(Debug)]
pub(crate) enum Stop {
    /// A check failed.
    Fail(String),
    /// The case does not apply here, for this reason.
    Skip(String),
}

/// The result of a case.
pub(crate) type Outcome<T = ()> = Result<T, Stop>;

/// Ends a case whose check failed.
pub(crate) fn fail<T>(why: impl Into<String>) -> Outcome<T> {
    Err(Stop::Fail(why.into()))
}

/// Ends a case that does not apply here.
pub(crate) fn skip<T>(why: impl Into<String>) -> Outcome<T> {
    Err(Stop::Skip(why.into()))
}

/// Whether the machine has all that a case can need.
static COMPLETE: AtomicBool = AtomicBool::new(false);

/// Sets `COMPLETE` for this process, from its command line.
pub(crate) fn set_complete(complete: bool) {
    COMPLETE.store(complete, Ordering::Relaxed);
}

/// Ends a case that needs something the machine lacks. On a machine that should have everything this is a failure: the
/// driver may have failed to bind, and a skipped case would hide that.
pub(crate) fn lacks<T>(what: impl Into<String>) -> Outcome<T> {
    if COMPLETE.load(Ordering::Relaxed) { fail(what) } else { skip(what) }
}

impl From<std::io::Error> for Stop {
    fn from(error: std::io::Error) -> Self {
        Self::Fail(error.to_string())
    }
}

/// Returns an error number's name in the kernel, such as `EINVAL`.
pub(crate) fn name(errno: Errno) -> String {
    macro_rules! names {
        ($($short:ident $long:ident,)*) => {
            match errno { $(Errno::$short => stringify!($long).to_owned(),)* _ => errno.to_string() }
        };
    }
    names! {
        ACCESS EACCES, AGAIN EAGAIN, BADF EBADF, BUSY EBUSY, CANCELED ECANCELED, EXIST EEXIST, FAULT EFAULT, INTR EINTR,
        INVAL EINVAL, ISDIR EISDIR, MFILE EMFILE, NODEV ENODEV, NOSPC ENOSPC, SRCH ESRCH, NOENT ENOENT, NOMEM ENOMEM, NOSYS ENOSYS, NOTTY ENOTTY,
        NXIO ENXIO, OPNOTSUPP EOPNOTSUPP, OVERFLOW EOVERFLOW, PERM EPERM, SPIPE ESPIPE, TIME ETIME, TIMEDOUT ETIMEDOUT, TOOBIG E2BIG, IO EIO,
    }
}

/// Checks that the call fails with this error number. An optional text says what was passed.
#[macro_export]
macro_rules! refuses {
    ($call:expr, $errno:ident) => {
        $crate::refuses!($call, $errno, "")
    };
    ($call:expr, $errno:ident, $($text:tt)+) => {
        match $call {
            Err(::rustix::io::Errno::$errno) => {}
            answer => {
                let wanted = $crate::harness::check::name(::rustix::io::Errno::$errno);
                let got = match answer {
                    Ok(value) => format!("success ({value:?})"),
                    Err(errno) => $crate::harness::check::name(errno),
                };
                let (call, text) = (stringify!($call), format!($($text)+));
                return $crate::harness::check::fail(format!("`{call}`{text}: expected {wanted}, got {got}"));
            }
        }
    };
}

/// Checks that the call succeeds, and evaluates to its value.
#[macro_export]
macro_rules! works {
    ($call:expr) => {
        match $call {
            Ok(value) => value,
            Err(errno) => {
                let got = $crate::harness::check::name(errno);
                let call = stringify!($call);
                return $crate::harness::check::fail(format!("`{call}`: expected success, got {got}"));
            }
        }
    };
}

/// Checks that both sides are equal.
#[macro_export]
macro_rules! same {
    ($left:expr, $right:expr) => {
        match (&$left, &$right) {
            (left, right) if *left == *right => {}
            (left, right) => {
                let text = stringify!($left);
                return $crate::harness::check::fail(format!("`{text}`: expected {right:?}, got {left:?}"));
            }
        }
    };
}

/// Checks that the condition is true. The text says what a true condition means.
#[macro_export]
macro_rules! holds {
    ($condition:expr, $($text:tt)+) => {
        if !$condition {
            let (claim, text) = (format!($($text)+), stringify!($condition));
            return $crate::harness::check::fail(format!("{claim}: `{text}` is false"));
        }
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(outcome: Outcome) -> String {
        match outcome {
            Ok(()) => "passed".to_owned(),
            Err(Stop::Fail(why) | Stop::Skip(why)) => why,
        }
    }

    #[test]
    fn a_failure_quotes_the_call_and_the_answer() {
        fn case() -> Outcome {
            refuses!(Err::<(), _>(Errno::NOENT), INVAL);
            Ok(())
        }
        assert_eq!(text(case()), "`Err::<(), _>(Errno::NOENT)`: expected EINVAL, got ENOENT");
    }

    #[test]
    fn success_where_an_error_was_due_shows_the_value() {
        fn case() -> Outcome {
            refuses!(Ok::<u32, Errno>(7), INVAL);
            Ok(())
        }
        assert_eq!(text(case()), "`Ok::<u32, Errno>(7)`: expected EINVAL, got success (7)");
    }

    #[test]
    fn equality_and_conditions_show_both_sides() {
        fn unequal() -> Outcome {
            same!(1 + 1, 3);
            Ok(())
        }
        fn untrue() -> Outcome {
            let pages = 2;
            holds!(pages == 1, "one page was made");
            Ok(())
        }
        assert_eq!(text(unequal()), "`1 + 1`: expected 3, got 2");
        assert_eq!(text(untrue()), "one page was made: `pages == 1` is false");
    }
}
