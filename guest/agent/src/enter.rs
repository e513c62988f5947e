// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The way from the agent's program to a client: `/init enter [--root DIR] [--directory DIR] [--user] [--env NAME=VALUE]… --
//! PROGRAM [ARGUMENT]…` changes the root, the directory, the user and the environment, and becomes the program.
//!
//! A process of its own does that, because between fork and exec the agent could do it only in unsafe code.
//!
//! Source: execvp(3) for the search of the program; sh(1) for the exit codes 126 and 127.

use std::{
    io::{self, ErrorKind},
    os::unix::process::CommandExt,
    process::{Command, ExitCode},
};

use rustix::{
    fs::{Gid, Uid},
    io::Errno,
    process::{chdir, chroot},
    thread::{set_thread_gid, set_thread_groups, set_thread_uid},
};

/// The ordinary user, with the groups `video` and `render`, as in the image's /etc/passwd and /etc/group.
pub(crate) const USER: u32 = 1000;
const GROUPS: [u32; 2] = [44, 105];

/// The changes before the program starts, and the program.
#[derive(Debug, Default, PartialEq, Eq)]
struct Entry {
    root: Option<String>,
    directory: Option<String>,
    is_user: bool,
    environment: Vec<(String, String)>,
    argv: Vec<String>,
}

impl Entry {
    /// Parses the words after `enter`.
    fn parse(words: impl Iterator<Item = String>) -> Result<Self, String> {
        let (mut entry, mut words) = (Self::default(), words);
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or_else(|| format!("`{word}` needs a value"));
            match word.as_str() {
                "--root" => entry.root = Some(value()?),
                "--directory" => entry.directory = Some(value()?),
                "--user" => entry.is_user = true,
                "--env" => {
                    let pair = value()?;
                    let (name, value) = pair.split_once('=').ok_or_else(|| format!("`{pair}` is not NAME=VALUE"))?;
                    entry.environment.push((name.to_owned(), value.to_owned()));
                }
                "--" => {
                    entry.argv = words.collect();
                    break;
                }
                _ => return Err(format!("`{word}` is unknown")),
            }
        }
        if entry.argv.is_empty() { Err("no program was named".to_owned()) } else { Ok(entry) }
    }

    /// Changes the root, the user and the directory, in this order: the user must be allowed to enter the directory.
    fn prepare(&self) -> Result<(), String> {
        let failed = |what: String| move |error: Errno| format!("cannot {what}: {error}");
        if let Some(root) = &self.root {
            chroot(root).and_then(|()| chdir("/")).map_err(failed(format!("change the root to `{root}`")))?;
        }
        if self.is_user {
            set_thread_groups(&GROUPS.map(Gid::from_raw))
                .and_then(|()| set_thread_gid(Gid::from_raw(USER)))
                .and_then(|()| set_thread_uid(Uid::from_raw(USER)))
                .map_err(failed("become the ordinary user".to_owned()))?;
        }
        let Some(directory) = &self.directory else { return Ok(()) };
        chdir(directory).map_err(failed(format!("enter `{directory}`")))
    }

    /// Becomes the program. Returns only if that is not possible.
    fn become_program(&self) -> io::Error {
        let mut command = Command::new(&self.argv[0]);
        // The search path of the new environment counts.
        command.args(&self.argv[1..]).envs(self.environment.iter().map(|(name, value)| (name, value)));
        command.exec()
    }
}

/// Becomes the client that the words after `enter` describe. Returns the exit code if that is not possible.
pub(crate) fn run(words: impl Iterator<Item = String>) -> ExitCode {
    let entry = match Entry::parse(words) {
        Ok(entry) => entry,
        Err(error) => {
            eprintln!("drydock-agent: {error}");
            return ExitCode::from(126);
        }
    };
    if let Err(error) = entry.prepare() {
        eprintln!("drydock: {error}");
        return ExitCode::from(126);
    }
    let error = entry.become_program();
    eprintln!("drydock: cannot start `{}`: {error}", entry.argv[0]);
    ExitCode::from(if error.kind() == ErrorKind::NotFound { 127 } else { 126 })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(words: &[&str]) -> Result<Entry, String> {
        Entry::parse(words.iter().map(|word| (*word).to_owned()))
    }

    #[test]
    fn words_after_the_dashes_are_the_programs_own() {
        let entry = parse(&["--root", "/client", "--env", "A=b=c", "--user", "--", "ls", "--root", "--"]).unwrap();
        assert_eq!(entry.root.as_deref(), Some("/client"));
        assert_eq!(entry.environment, [("A".to_owned(), "b=c".to_owned())]);
        assert!(entry.is_user);
        assert_eq!(entry.argv, ["ls", "--root", "--"]);
    }

    #[test]
    fn a_way_without_a_program_is_refused() {
        assert_eq!(parse(&["--user"]), Err("no program was named".to_owned()));
        assert_eq!(parse(&["--"]), Err("no program was named".to_owned()));
        assert_eq!(parse(&["--root"]), Err("`--root` needs a value".to_owned()));
        assert_eq!(parse(&["--env", "A", "--", "x"]), Err("`A` is not NAME=VALUE".to_owned()));
        assert_eq!(parse(&["ls"]), Err("`ls` is unknown".to_owned()));
    }
}
