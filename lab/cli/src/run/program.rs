// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Refuses a client program that the guest cannot have, before anything is built for it.

use std::collections::BTreeSet;
use std::path::Path;

use drydock_base::error::{Error, Kind, Result};
use drydock_machine::scenario::Content;

use crate::near;

/// The guest's directories of programs. All are one, by links.
const DIRECTORIES: [&str; 4] = ["/bin", "/sbin", "/usr/bin", "/usr/sbin"];

/// Directories whose files exist only while the guest runs, or that the client may fill.
const LATER: [&str; 5] = ["/proc/", "/sys/", "/dev/", "/run/", "/tmp/"];

/// Checks the first word of a client's command line.
pub(super) fn check(word: &str, content: &Content) -> Result<()> {
    match word.rsplit_once('/') {
        None => check_name(word, word, content),
        Some((directory, name)) if DIRECTORIES.contains(&directory) => check_name(word, name, content),
        Some(_) => check_path(word),
    }
}

fn check_name(word: &str, name: &str, content: &Content) -> Result<()> {
    let known: BTreeSet<&str> = content.program_names().collect();
    if known.contains(name) {
        return Ok(());
    }
    let error = Error::new(Kind::Usage, format!("the guest has no program `{word}`"));
    let all = "`drydock run DRIVER -- ls /usr/bin` lists what it has";
    Err(error.hint(match near::question(name, known) {
        Some(question) => format!("{question}\n{all}"),
        None => all.to_owned(),
    }))
}

/// Refuses a path that only the host has. Whether the guest has a path is not known in general.
fn check_path(word: &str) -> Result<()> {
    if LATER.iter().any(|directory| word.starts_with(directory)) || !Path::new(word).is_file() {
        return Ok(());
    }
    let message = format!("`{word}` is a file of this machine, and the guest does not have it");
    Err(Error::new(Kind::Usage, message).hint("`drydock run DRIVER -- ls /usr/bin` lists the guest's programs"))
}

#[cfg(test)]
mod tests {
    use drydock_machine::scenario::Program;

    use super::*;

    fn refused(word: &str) -> Option<String> {
        let content = Content::library().with(Program::CLIENT);
        check(word, &content).err().map(|error| format!("{error}; {}", error.hint_text().unwrap_or_default()))
    }

    #[test]
    fn programs_of_the_guest_are_accepted() {
        for word in ["drmdevice", "/usr/bin/lsgpu", "sh", "/bin/sh", "busybox", "drydock-client", "/proc/self/exe"] {
            assert_eq!(refused(word), None);
        }
        assert_eq!(refused("/modules/whatever"), None, "only the guest knows");
    }

    #[test]
    fn program_that_is_not_in_the_guest_is_refused() {
        assert!(
            refused("drmdevise").unwrap().starts_with("the guest has no program `drmdevise`; did you mean `drmdevice`")
        );
        assert!(refused("/usr/bin/gcc").unwrap().starts_with("the guest has no program `/usr/bin/gcc`; "));
        assert!(refused("drydock-bench").is_some(), "it is not built for this run");
    }

    #[test]
    fn program_of_the_host_is_refused() {
        let file = tempfile::NamedTempFile::new_in(".").unwrap();
        let path = file.path().to_string_lossy().into_owned();
        assert_eq!(
            refused(&path).unwrap().split(';').next(),
            Some(&*format!("`{path}` is a file of this machine, and the guest does not have it"))
        );
    }
}
