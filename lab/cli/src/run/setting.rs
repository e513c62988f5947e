// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The setting in which a client runs: its root, its directory, its environment, its user, and the host's directories that it sees.

use std::path::{Path, PathBuf};

use drydock_agent::protocol::ENTER_WORD;
use drydock_base::error::{Error, Kind, Result};
use drydock_machine::scenario::{ClientRoot, Share};

/// Variables of the host that a program of the host gets, if they are set.
const INHERITED: [&str; 6] = ["PATH", "HOME", "LANG", "LC_ALL", "TERM", "USER"];

/// Directories that are the guest's own in every root.
const OWN: [&str; 4] = ["/dev", "/proc", "/run", "/sys"];

/// Directories of the guest in which nothing of the host can be.
const TAKEN: [&str; 3] = ["/dev", "/proc", "/sys"];

/// The agent's program in the guest.
const AGENT: &str = "/init";

/// The setting in which a client runs.
#[derive(Debug)]
pub(super) struct Setting {
    pub(super) root: ClientRoot,
    /// The directory, if it is not the guest's own.
    pub(super) directory: Option<String>,
    pub(super) environment: Vec<(String, String)>,
    /// Whether the client runs as the guest's ordinary user.
    pub(super) is_user: bool,
}

impl Setting {
    /// Returns the setting of a client in `root`, with the environment that it has there.
    /// `directory` is the one in which it starts, if it is this machine's.
    pub(super) fn of(root: ClientRoot, wanted: &[(String, String)], is_user: bool, directory: &Path) -> Self {
        let own = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let mut environment = Vec::new();
        if root == ClientRoot::Host {
            environment.extend(INHERITED.into_iter().filter_map(|name| Some(own(name, &std::env::var(name).ok()?))));
        }
        if matches!(root, ClientRoot::Image(_)) {
            environment.push(own("LANG", "C.UTF-8"));
        }
        if root != ClientRoot::Guest {
            environment.push(own("XDG_RUNTIME_DIR", if is_user { "/run/user/1000" } else { "/run/user/0" }));
        }
        if is_user {
            environment.extend([own("HOME", "/home/user"), own("USER", "user")]);
        }
        environment.extend_from_slice(wanted);
        let directory = (root != ClientRoot::Guest).then(|| directory.to_string_lossy().into_owned());
        Self { root, directory, environment, is_user }
    }

    /// Returns the directory in which the client starts, which it may read, if it would not see it otherwise.
    pub(super) fn share_of_directory(&self, shares: &[Share]) -> Option<Share> {
        let (ClientRoot::Image(_), Some(at)) = (&self.root, &self.directory) else { return None };
        let is_there = |share: &Share| Path::new(at).starts_with(&share.at);
        let is_taken = OWN.iter().any(|own| Path::new(at).starts_with(own)) || shares.iter().any(is_there);
        (at != "/" && !is_taken).then(|| Share { host: at.into(), at: at.clone(), writable: false })
    }

    /// Returns the words that start `client` in it.
    pub(super) fn argv(&self, client: &[String]) -> Vec<String> {
        let mut words = Vec::new();
        let mut option = |name: &str, value: String| words.extend([format!("--{name}"), value]);
        if let Some(root) = self.root.path() {
            option("root", root.to_owned());
        }
        if let Some(directory) = &self.directory {
            option("directory", directory.clone());
        }
        self.environment.iter().for_each(|(name, value)| option("env", format!("{name}={value}")));
        words.extend(self.is_user.then(|| "--user".to_owned()));
        if words.is_empty() {
            return client.to_vec();
        }
        let begin = [AGENT.to_owned(), ENTER_WORD.to_owned()];
        begin.into_iter().chain(words).chain(["--".to_owned()]).chain(client.iter().cloned()).collect()
    }
}

/// Parses the value of `--env`: `NAME=VALUE`, or the name of a variable of ours.
pub(super) fn variable(text: &str) -> Result<(String, String), String> {
    let (name, value) = match text.split_once('=') {
        Some((name, value)) => (name, value.to_owned()),
        None => (text, std::env::var(text).map_err(|_| format!("the variable `{text}` is not set here"))?),
    };
    match name {
        "" => Err("a variable needs a name".to_owned()),
        name => Ok((name.to_owned(), value)),
    }
}

/// Parses the directories of this machine that the client may read, and those that it may write. Relative paths begin in
/// `base`.
pub(super) fn shares(base: &Path, read: &[String], write: &[String]) -> Result<Vec<Share>> {
    let read = read.iter().map(|text| share(base, text, false));
    read.chain(write.iter().map(|text| share(base, text, true))).collect()
}

/// Parses `DIR[:PLACE]`, an existing directory of ours and its absolute path in the guest, which is the same if it is not named.
fn share(base: &Path, text: &str, writable: bool) -> Result<Share> {
    // The directory's own name may have a colon.
    let (directory, at) = match text.rsplit_once(":/") {
        Some((directory, at)) if !base.join(text).is_dir() => (directory, Some(format!("/{at}"))),
        _ => (text, None),
    };
    let host = absolute(base, directory)?;
    let at = match at {
        Some(at) => at,
        None => host.to_string_lossy().into_owned(),
    };
    match at.as_str() {
        "/" => Err(Error::new(Kind::Usage, "`/` of the guest cannot be replaced: name another PLACE, or a directory")),
        _ if TAKEN.iter().any(|taken| Path::new(&at).starts_with(taken)) || at == "/run" => Err(Error::new(
            Kind::Usage,
            format!("`{at}` is the guest's own and cannot be replaced: name another PLACE"),
        )),
        _ if at.contains(':') => {
            Err(Error::new(Kind::Usage, format!("`{at}`: a path in the guest cannot contain a colon")))
        }
        _ => Ok(Share { host, at, writable }),
    }
}

fn absolute(base: &Path, directory: &str) -> Result<PathBuf> {
    let refused = |why: &str| Error::new(Kind::Usage, format!("`{directory}` {why}"));
    if directory.is_empty() {
        return Err(refused("names no directory"));
    }
    let path = base.join(directory).canonicalize().map_err(|error| refused(&format!("cannot be shared: {error}")))?;
    if path.is_dir() { Ok(path) } else { Err(refused("is not a directory")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn client_of_the_guest_starts_as_it_is() {
        let setting = Setting::of(ClientRoot::Guest, &[], false, Path::new("/here"));
        assert_eq!(setting.argv(&["lsgpu".to_owned()]), ["lsgpu"]);
        let setting = Setting::of(ClientRoot::Guest, &[("A".into(), "b c".into())], true, Path::new("/here"));
        assert_eq!(
            setting.argv(&["x".to_owned(), "--".to_owned()]).join(" "),
            "/init enter --env HOME=/home/user --env USER=user --env A=b c --user -- x --"
        );
    }

    #[test]
    fn client_of_the_host_starts_where_we_are() {
        let argv = Setting::of(ClientRoot::Host, &[], false, Path::new("/here")).argv(&["./x".to_owned()]);
        assert_eq!(argv[2..6], ["--root", "/client", "--directory", "/here"]);
        assert!(argv.iter().any(|word| word.starts_with("PATH=")));
    }

    #[test]
    fn variables_have_values() {
        assert_eq!(variable("A=b=c"), Ok(("A".to_owned(), "b=c".to_owned())));
        assert_eq!(variable("A="), Ok(("A".to_owned(), String::new())));
        assert!(variable("=x").is_err() && variable("").is_err());
        assert_eq!(variable("DRYDOCK_NOTHING").unwrap_err(), "the variable `DRYDOCK_NOTHING` is not set here");
    }

    #[test]
    fn shares_are_directories_that_exist() {
        let dir = tempfile::tempdir().unwrap();
        let host = dir.path().canonicalize().unwrap();
        let of = |text: &str| share(&host, text, false).map(|share| (share.host, share.at));
        let text = host.to_string_lossy().into_owned();
        assert_eq!(of(&text).unwrap(), (host.clone(), text.clone()));
        assert_eq!(of(".").unwrap(), (host.clone(), text.clone()));
        assert_eq!(of(&format!("{text}:/data")).unwrap(), (host.clone(), "/data".to_owned()));
        assert!(of(&format!("{text}/nothing")).unwrap_err().to_string().contains("cannot be shared"));
        assert!(of("/etc/passwd").unwrap_err().to_string().contains("is not a directory"));
        for taken in ["/proc", "/dev/dri", "/sys/kernel", "/run"] {
            let error = of(&format!("{text}:{taken}")).unwrap_err().to_string();
            assert!(error.contains("is the guest's own"), "{error}");
        }
        assert!(of("").is_err());
        assert!(of(&format!("{text}:/")).is_err() && of("/").is_err());
    }
}
