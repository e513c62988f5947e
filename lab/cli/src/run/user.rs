// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Runs a client as the guest's ordinary user, as the users of a driver do.
//!
//! Source: busybox's `su`, which passes the words after its command to the shell.

/// The user's name in the image's /etc/passwd.
const NAME: &str = "user";

/// Returns the command that runs `client` as the user, with that user's groups. The shell execs the client, so signals
/// and the exit code are the client's own.
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
        // What `su` starts: a shell with all words after the user's name.
        let out = Command::new("sh").args(&argv[3..]).output().unwrap();
        assert_eq!(String::from_utf8_lossy(&out.stdout), "a b|$HOME|'\"||");
    }
}
