// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! `--get`: copies files and directories of the guest to the host when the client has ended.
//!
//! Source: tar(1) of GNU: it refuses names that lead out of its directory.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use drydock_agent::protocol::Stream;
use drydock_base::cache::PartialDir;
use drydock_base::error::{Context, Error, Kind, Result};
use drydock_machine::error::Error as VmError;
use drydock_machine::guest::Guest;
use drydock_machine::pace::patient;

/// The limit for copying one of them.
const LIMIT: Duration = Duration::from_secs(600);

/// Something to copy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Get {
    /// The absolute path in the guest.
    from: String,
    /// Its new path here, or an existing directory to put it in.
    to: PathBuf,
}

/// Parses `GUEST[:HOST]`. Without a path of the host it is copied into the current directory.
pub(super) fn get(text: &str) -> Result<Get, String> {
    let (from, to) = text.split_once(':').unwrap_or((text, "."));
    let name = Path::new(from).file_name();
    match () {
        () if !from.starts_with('/') => Err(format!("`{from}` must be an absolute path of the guest")),
        () if name.is_none() || from.ends_with('/') => Err(format!("`{from}` names no file or directory")),
        () if to.is_empty() => Err("the path on the host is empty".to_owned()),
        () => Ok(Get { from: from.to_owned(), to: to.into() }),
    }
}

impl Get {
    /// Lets a relative path on the host begin in `directory`.
    pub(super) fn within(self, directory: &Path) -> Self {
        Self { to: directory.join(&self.to), ..self }
    }

    /// Refuses a path on the host that cannot be written to, before anything is booted.
    pub(super) fn check(&self) -> Result<()> {
        let parent = if self.to.is_dir() { self.to.as_path() } else { parent(&self.to) };
        if parent.is_dir() {
            return Ok(());
        }
        let message =
            format!("`--get {}:{}`: there is no directory `{}`", self.from, self.to.display(), parent.display());
        Err(Error::new(Kind::Usage, message))
    }

    /// Copies it. `root` is the client's root in the guest. The outer error is one of the guest.
    pub(super) fn copy(&self, guest: &Guest, root: &str) -> Result<Result<()>, VmError> {
        let failed = || format!("failed to copy `{}` from the guest", self.from);
        if self.to.is_dir() {
            return Ok(self.unpack(guest, root, &self.to)?.with_context(failed));
        }
        // It gets its name here only when it is complete.
        let partial = match PartialDir::begin(&self.to) {
            Ok(partial) => partial,
            Err(error) => return Ok(Err(error).with_context(failed)),
        };
        let unpacked = self.unpack(guest, root, partial.path())?;
        let named = unpacked.and_then(|()| Ok(fs::rename(partial.path().join(self.name()), &self.to)?));
        Ok(named.with_context(failed))
    }

    fn name(&self) -> &str {
        self.from.rsplit('/').next().unwrap_or_default()
    }

    /// Lets `tar` of the guest write to `tar` of the host.
    fn unpack(&self, guest: &Guest, root: &str, into: &Path) -> Result<Result<()>, VmError> {
        let directory = format!("{root}{}", &self.from[..self.from.len() - self.name().len()]);
        let mut process = guest.spawn(&["busybox", "tar", "-C", &directory, "-cf", "-", self.name()])?;
        process.close_input()?;
        let mut tar = Command::new("tar");
        tar.args(["-x", "--no-same-owner", "-f", "-", "-C"]).arg(into).stdin(Stdio::piped()).stderr(Stdio::piped());
        let mut tar = match tar.spawn() {
            Ok(tar) => tar,
            Err(error) => return Ok(Err(error).context("failed to start `tar`")),
        };
        let mut input = tar.stdin.take().expect("it is piped");
        let mut said = Vec::new();
        let status = process.forward(Some(patient(LIMIT)), |stream, bytes| {
            match stream {
                Stream::Err => said.extend_from_slice(bytes),
                // A tar that ends early says why.
                Stream::Out => drop(input.write_all(bytes)),
            }
            Ok(())
        })?;
        drop(input);
        let unpacked = tar.wait_with_output();
        // What follows the first line only says that there was an error.
        let trimmed = |text: &[u8]| String::from_utf8_lossy(text).trim().lines().next().unwrap_or_default().to_owned();
        Ok(match unpacked {
            _ if !status.success() => Err(Error::new(Kind::Check, trimmed(&said))),
            Ok(output) if output.status.success() => Ok(()),
            Ok(output) => Err(Error::new(Kind::Host, trimmed(&output.stderr))),
            Err(error) => Err(error).context("failed to wait for `tar`"),
        })
    }
}

fn parent(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_copied_has_an_absolute_path_and_a_name() {
        let parsed = |text: &str| get(text).map(|get| (get.from, get.to.display().to_string()));
        assert_eq!(parsed("/tmp/a"), Ok(("/tmp/a".to_owned(), ".".to_owned())));
        assert_eq!(parsed("/tmp/a:out/b"), Ok(("/tmp/a".to_owned(), "out/b".to_owned())));
        for wrong in ["tmp/a", "", "/", "/tmp/", "/tmp/a:", "/tmp/.."] {
            assert!(parsed(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_directory_that_is_not_there_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let to = |path: &str| get(&format!("/tmp/a:{}", dir.path().join(path).display())).unwrap().check();
        assert!(to("").is_ok() && to("new").is_ok());
        assert!(to("none/new").unwrap_err().to_string().contains("there is no directory"));
    }
}
