// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! `--screenshot`: writes what the screens of the guest show to a PNG file, while the client still runs.
//!
//! The kernel turns a screen off when the client that shows something on it ends. So a picture is taken before the lab ends a
//! client. After a client that ended by itself, it shows what the processes that it left behind show.

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::Scope;
use std::time::Duration;

use drydock_base::cache;
use drydock_base::error::{Error, Kind, Result};
use drydock_machine::error::Error as VmError;
use drydock_machine::guest::Guest;
use drydock_machine::scenario::picture;

/// A picture to take.
#[derive(Debug)]
pub(super) struct Screenshot {
    to: PathBuf,
    /// The time from the client's start; without one it is taken before the client's end.
    at: Option<Duration>,
}

impl Screenshot {
    pub(super) fn new(to: PathBuf, at: Option<u64>) -> Self {
        Self { to, at: at.map(Duration::from_secs) }
    }

    /// Refuses a picture that cannot be taken within the client's limit, or cannot be written.
    pub(super) fn check(&self, limit: Duration) -> Result<()> {
        let directory = self.to.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let message = match self.at {
            Some(at) if at >= limit => {
                format!("`--at {}` is not before the client's limit of {} s", at.as_secs(), limit.as_secs())
            }
            _ if !directory.is_dir() => {
                format!("`--screenshot {}`: there is no directory `{}`", self.to.display(), directory.display())
            }
            _ if self.to.is_dir() => format!("`--screenshot {}` is a directory", self.to.display()),
            _ => return Ok(()),
        };
        Err(Error::new(Kind::Usage, message))
    }

    /// Takes it, and returns the PNG file. The outer error is one of the guest.
    fn take(&self, guest: &Guest) -> Result<Result<Vec<u8>>, VmError> {
        Ok(match picture(guest)? {
            Ok(png) => cache::write_atomically(&self.to, &png).map(|()| png),
            Err(why) => {
                let error = Error::new(Kind::Check, format!("failed to take the picture: {why}"));
                Err(match self.at {
                    Some(_) => error,
                    None => {
                        error.hint("a client's screen goes off when it ends; `--at SECONDS` takes the picture before")
                    }
                })
            }
        })
    }
}

/// Takes the picture of a client at its time.
pub(super) struct Camera<'s> {
    wanted: Option<&'s Screenshot>,
    guest: &'s Guest,
    taken: Mutex<Option<Result<Result<Vec<u8>>, VmError>>>,
}

impl<'s> Camera<'s> {
    pub(super) fn new(wanted: Option<&'s Screenshot>, guest: &'s Guest) -> Self {
        Self { wanted, guest, taken: Mutex::new(None) }
    }

    /// Takes the picture at its time after the client's start, which is now, unless the returned sender is dropped before.
    pub(super) fn watch<'scope>(&'scope self, scope: &'scope Scope<'scope, '_>) -> Sender<()> {
        let (running, ended) = channel();
        if let Some((screenshot, at)) = self.wanted.and_then(|screenshot| Some((screenshot, screenshot.at?))) {
            scope.spawn(move || match ended.recv_timeout(at) {
                Err(RecvTimeoutError::Timeout) => self.take(screenshot),
                Ok(()) | Err(RecvTimeoutError::Disconnected) => {}
            });
        }
        running
    }

    /// Takes the picture if it has no time of its own: the client is about to end, or has ended.
    pub(super) fn before_end(&self) {
        if let Some(screenshot) = self.wanted.filter(|screenshot| screenshot.at.is_none()) {
            self.take(screenshot);
        }
    }

    fn take(&self, screenshot: &Screenshot) {
        // A client that has got a signal ends later, without a screen.
        let mut taken = self.taken.lock().expect("no holder of the lock panics");
        if taken.is_none() {
            *taken = Some(screenshot.take(self.guest));
        }
    }

    /// Returns the picture, if one was wanted. The outer error is one of the guest.
    pub(super) fn finish(self) -> Result<Result<Option<Vec<u8>>>, VmError> {
        let taken = self.taken.into_inner().expect("no holder of the lock panics");
        match (taken, self.wanted.and_then(|screenshot| screenshot.at)) {
            (Some(taken), _) => taken.map(|taken| taken.map(Some)),
            (None, None) => Ok(Ok(None)),
            (None, Some(at)) => {
                let message = format!("no picture was taken: the client ended before `--at {}`", at.as_secs());
                Ok(Err(Error::new(Kind::Check, message)))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn picture_that_cannot_be_taken_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let refused = |to: &str, at| {
            let screenshot = Screenshot::new(dir.path().join(to), at);
            screenshot.check(Duration::from_secs(9)).map_err(|error| error.to_string())
        };
        assert_eq!((refused("a.png", None), refused("a.png", Some(8))), (Ok(()), Ok(())));
        assert_eq!(refused("a.png", Some(9)).unwrap_err(), "`--at 9` is not before the client's limit of 9 s");
        assert!(refused("none/a.png", None).unwrap_err().contains("there is no directory"));
        assert!(refused("", None).unwrap_err().contains("is a directory"));
    }
}
