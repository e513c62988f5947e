// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Chooses the files that the commands of a run see: those of the guest, of this machine, or of Debian packages.

use std::path::Path;

use serde::Deserialize;

use drydock_base::error::{Error, Kind, Result};
use drydock_base::events::Events;
use drydock_machine::scenario::{ClientRoot, Content};
use drydock_toolchain::client_root;
use drydock_toolchain::setup::Toolchain;

use super::program;

/// The files that a client sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Files {
    /// The guest's own: busybox, a few clients and the driver's own
    Guest,
    /// All files of this machine; what the client writes is lost at its end
    Host,
    /// Files of Debian packages: a base system, and what `--packages` adds
    Debian,
}

impl Files {
    /// Returns the files that the programs see, and refuses a program that cannot be among them. All programs of a run see
    /// the same. `directory` is the one in which they start, if it is this machine's.
    pub(super) fn of(
        wanted: Option<Self>,
        packages: &[String],
        programs: &[&str],
        content: &Content,
        directory: &Path,
    ) -> Result<Self> {
        match wanted {
            None | Some(Self::Debian) if !packages.is_empty() => Ok(Self::Debian),
            Some(_) if !packages.is_empty() => {
                Err(Error::new(Kind::Usage, "`--packages` needs `--root debian`, which is its default"))
            }
            Some(Self::Host) => {
                programs.iter().try_for_each(|word| program::check_host(word, content, directory))?;
                Ok(Self::Host)
            }
            Some(Self::Guest) => match programs.iter().find(|word| word.contains('/') && !word.starts_with('/')) {
                Some(word) => {
                    Err(Error::new(Kind::Usage, format!("`{word}` is a path of this machine, not of the guest"))
                        .hint("`--root host` shows the program this machine's files"))
                }
                None => Ok(Self::Guest),
            },
            Some(Self::Debian) => Ok(Self::Debian),
            None => Self::that_have(programs, content, directory),
        }
    }

    /// Returns the guest's own files if it has all programs, and this machine's otherwise.
    fn that_have(programs: &[&str], content: &Content, directory: &Path) -> Result<Self> {
        let mut of_host = None;
        for word in programs {
            if !program::is_of_guest(word, content, directory)? {
                of_host.get_or_insert(*word);
            }
        }
        let Some(of_host) = of_host else { return Ok(Self::Guest) };
        match programs.iter().find(|word| program::check_host(word, content, directory).is_err()) {
            None => Ok(Self::Host),
            Some(of_guest) => {
                let message = format!(
                    "only the guest has `{of_guest}`, and only this machine has `{of_host}`, but all commands of a session \
                     see the same files"
                );
                Err(Error::new(Kind::Usage, message).hint("split the session into two files"))
            }
        }
    }

    /// Returns the root of the client. Makes it if it is missing.
    pub(super) fn root(self, toolchain: &Toolchain, packages: &[String], events: &Events) -> Result<ClientRoot> {
        Ok(match self {
            Self::Guest => ClientRoot::Guest,
            Self::Host => ClientRoot::Host,
            Self::Debian => ClientRoot::Image(client_root::ensure(toolchain, packages, events)?),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files_of(programs: &[&str]) -> Result<Files> {
        Files::of(None, &[], programs, &Content::library(), Path::new("/"))
    }

    #[test]
    fn one_program_of_this_machine_takes_all_to_its_files() {
        assert_eq!(files_of(&[]).unwrap(), Files::Guest);
        assert_eq!(files_of(&["drmdevice", "sh"]).unwrap(), Files::Guest);
        assert_eq!(files_of(&["sh", "cargo"]).unwrap(), Files::Host);
    }

    #[test]
    fn programs_without_common_files_are_refused() {
        let message = files_of(&["sh", "cargo", "/bin/drmdevice"]).unwrap_err().to_string();
        assert!(
            message.starts_with("only the guest has `/bin/drmdevice`, and only this machine has `cargo`"),
            "{message}"
        );
    }
}
