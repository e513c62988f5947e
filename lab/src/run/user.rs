// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! A client that runs as the guest's ordinary user, as clients do on the machines of a driver's users.
//!
//! Source: busybox's `su`, which gives what follows its command to the shell.

/// The user's name in the image's /etc/passwd.
const NAME: &str = "user";

/// The command that runs `client` as the user, with that user's groups. The shell becomes the client, so that its signals and
/// its exit code are its own.
pub(super) fn argv(client: &[String]) -> Vec<String> {
    let su = ["busybox", "su", NAME, "-c", "exec \"$0\" \"$@\""];
    su.into_iter().map(str::to_owned).chain(client.iter().cloned()).collect()
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn arguments_reach_the_client_as_they_are() {
        let client = ["printf", "%s|", "a b", "$HOME", "'\"", ""].map(str::to_owned);
        let argv = argv(&client);
        // What `su` starts: a shell with all that follows the user's name.
        let out = Command::new("sh").args(&argv[3..]).output().unwrap();
        assert_eq!(String::from_utf8_lossy(&out.stdout), "a b|$HOME|'\"||");
    }
}
