// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Finds out who has the client: the guest, or this machine. One that neither has is refused before anything is built for it.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use drydock_base::error::{Error, Kind, Result};
use drydock_base::near;
use drydock_machine::scenario::Content;

/// The guest's directories of programs. All are one, by links.
const DIRECTORIES: [&str; 4] = ["/bin", "/sbin", "/usr/bin", "/usr/sbin"];

/// Directories that are always the guest's.
const GUESTS: [&str; 4] = ["/dev/", "/proc/", "/run/", "/sys/"];

/// Returns whether the first word of a client's command line names a program of the guest, and not of the host. Refuses a
/// program that neither has. Relative paths begin in `directory`.
pub(super) fn is_of_guest(word: &str, content: &Content, directory: &Path) -> Result<bool> {
    let guests = |name: &str| content.program_names().any(|known| known == name);
    let is_guests = match word.rsplit_once('/') {
        None => guests(word),
        Some((directory, name)) if DIRECTORIES.contains(&directory) && guests(name) => true,
        Some(_) => GUESTS.iter().any(|directory| word.starts_with(directory)),
    };
    if is_guests { Ok(true) } else { check_host(word, content, directory).map(|()| false) }
}

/// Refuses a client that the host does not have.
pub(super) fn check_host(word: &str, content: &Content, directory: &Path) -> Result<()> {
    if word.contains('/') {
        let path = directory.join(word);
        return match is_program(&path) {
            true => Ok(()),
            false if path.exists() => {
                Err(Error::new(Kind::Usage, format!("`{word}` is no program: it is not executable")))
            }
            false => Err(missing(word, content)),
        };
    }
    let found = std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default())
        .any(|directory| is_program(&directory.join(word)));
    if found { Ok(()) } else { Err(missing(word, content)) }
}

fn is_program(path: &Path) -> bool {
    path.metadata().is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
}

fn missing(word: &str, content: &Content) -> Error {
    let name = word.rsplit('/').next().unwrap_or(word);
    let error = Error::new(Kind::Usage, format!("neither the guest nor this machine has a program `{word}`"));
    let all = "`drydock run DRIVER -- ls /usr/bin` lists the guest's own";
    let known: BTreeSet<&str> = content.program_names().collect();
    error.hint(match near::question(name, known) {
        Some(question) => format!("{question}\n{all}"),
        None => all.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use drydock_machine::scenario::Program;

    use super::*;

    fn is_guests(word: &str) -> Result<bool, String> {
        let content = Content::library().with(Program::CLIENT);
        is_of_guest(word, &content, Path::new("."))
            .map_err(|error| format!("{error}; {}", error.hint_text().unwrap_or_default()))
    }

    #[test]
    fn programs_of_the_guest_are_the_guests() {
        for word in ["drmdevice", "/usr/bin/lsgpu", "sh", "/bin/sh", "busybox", "drydock-client", "/proc/self/exe"] {
            assert_eq!(is_guests(word), Ok(true), "{word}");
        }
    }

    #[test]
    fn programs_of_the_host_are_found_by_path_and_by_name() {
        let program = std::env::current_exe().unwrap();
        for word in [program.to_str().unwrap(), "cargo"] {
            assert_eq!(is_guests(word), Ok(false), "{word}");
        }
    }

    #[test]
    fn program_that_nobody_has_is_refused() {
        let refused = |word: &str| is_guests(word).unwrap_err();
        assert!(
            refused("drmdevise")
                .starts_with("neither the guest nor this machine has a program `drmdevise`; did you mean `drmdevice`")
        );
        assert!(refused("./no-such").starts_with("neither the guest nor this machine has a program `./no-such`; "));
        assert!(refused("drydock-bench").contains("neither"), "it is not built for this run");
        let file = tempfile::NamedTempFile::new_in(".").unwrap();
        assert!(refused(file.path().to_str().unwrap()).contains("is not executable"));
    }
}
