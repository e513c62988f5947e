// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The parts that the private apt takes from the machine's own: the mirror, Debian's keys, proxies.
//!
//! Source: apt-get(8) `indextargets`, apt-config(8), the package debian-archive-keyring.

use std::path::PathBuf;
use std::process::Command;

use drydock_base::error::{Error, Kind, Result};
use drydock_base::process;

/// The environment variable that names another mirror than the machine's.
pub const MIRROR_VARIABLE: &str = "DRYDOCK_MIRROR";

const KEYRINGS: [&str; 3] = [
    "/usr/share/keyrings/debian-archive-keyring.pgp",
    "/usr/share/keyrings/debian-archive-keyring.gpg",
    "/etc/apt/trusted.gpg.d/debian-archive-keyring.gpg",
];

/// Returns the Debian mirror: the one in `DRYDOCK_MIRROR`, or else that of the machine's own apt.
pub fn mirror() -> Result<String> {
    if let Some(named) = std::env::var(MIRROR_VARIABLE).ok().filter(|name| !name.is_empty()) {
        return Ok(named);
    }
    let listed = targets().map_err(|error| {
        Error::new(Kind::Host, "this machine has no working apt")
            .caused_by(error)
            .hint("drydock needs Debian's apt and dpkg")
    })?;
    choose(&listed).ok_or_else(|| {
        Error::new(Kind::Host, "this machine's apt configuration has no mirror with Debian's `main`")
            .hint(format!("set one: {MIRROR_VARIABLE}=http://YOUR.MIRROR/debian"))
    })
}

/// Returns the machine's package lists, each `URI|COMPONENT|ORIGIN`. Before the first `apt-get update`, apt lists none,
/// or lists them without their origin, but it can print what it would fetch.
fn targets() -> Result<String> {
    let apt = |args: &[&str]| process::output(Command::new("apt-get").args(args));
    let format = "$(REPO_URI)|$(COMPONENT)|$(ORIGIN)";
    let known = apt(&["indextargets", "--format", format, "Created-By: Packages"])?;
    if !known.trim().is_empty() {
        return Ok(known);
    }
    Ok(to_be_fetched(&apt(&["update", "--print-uris"])?))
}

/// Turns the output of `apt-get update --print-uris` into index targets of unknown origin.
fn to_be_fetched(printed: &str) -> String {
    let target = |line: &str| {
        let (repository, list) = line.strip_prefix('\'')?.split_once('\'')?.0.split_once("/dists/")?;
        let (component, _) = list.split_once("/binary-")?;
        let component = component.rsplit('/').next()?;
        Some(format!("{repository}/|{component}|\n"))
    };
    printed.lines().filter_map(target).collect()
}

/// Chooses the best of apt's index targets, each `URI|COMPONENT|ORIGIN`: Debian's main archive, not the security one.
fn choose(listed: &str) -> Option<String> {
    let targets = listed.lines().filter_map(|line| {
        let mut fields = line.split('|').map(str::trim);
        Some((fields.next()?, fields.next()?, fields.next()?))
    });
    // Before the first `apt-get update`, apt does not know the origin.
    let debian = targets.filter(|(uri, component, origin)| {
        *component == "main" && matches!(*origin, "Debian" | "") && !uri.contains("security")
    });
    let score = |(uri, _, origin): &(&str, &str, &str)| {
        let last = uri.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
        let named = last.strip_suffix(".list").unwrap_or(last) == "debian";
        match (named, *origin == "Debian") {
            (true, true) => 3,
            (true, false) => 2,
            (false, true) => 1,
            (false, false) => 0,
        }
    };
    // Take the first of equal ones: the order is the user's.
    let best = debian.rev_max_by_key(score)?;
    (score(&best) > 0 || is_the_only_one(listed)).then(|| best.0.to_owned())
}

/// Returns whether apt, before its first update, has a single repository. A Debian machine was made from that one,
/// whatever the mirror is called. If it is not Debian's, its signature will not match the keys.
fn is_the_only_one(listed: &str) -> bool {
    let mut lines = listed.lines().filter(|line| !line.trim().is_empty());
    let uri = |line: &str| line.split('|').next().map(str::to_owned);
    let Some(first) = lines.clone().next().and_then(uri) else { return false };
    lines.all(|line| line.trim_end().ends_with('|') && uri(line).as_ref() == Some(&first))
}

trait FirstMax: Iterator {
    /// Like `max_by_key`, but returns the first of equal ones.
    fn rev_max_by_key<K: Ord>(self, key: impl Fn(&Self::Item) -> K) -> Option<Self::Item>
    where
        Self: Sized,
    {
        self.reduce(|best, next| if key(&next) > key(&best) { next } else { best })
    }
}

impl<I: Iterator> FirstMax for I {}

/// Returns Debian's archive keys.
pub fn keyring() -> Result<PathBuf> {
    KEYRINGS.iter().map(PathBuf::from).find(|path| path.is_file()).ok_or_else(|| {
        Error::new(Kind::Host, "this machine lacks Debian's archive keys")
            .hint("as root: apt-get install debian-archive-keyring")
    })
}

/// Returns how the machine's apt reaches mirrors, as lines of configuration: proxies, timeouts, addresses, credentials.
pub fn transport() -> Result<String> {
    let dump = process::output(Command::new("apt-config").arg("dump"))?;
    let mut lines: String = dump.lines().filter(|line| is_transport(line)).flat_map(|line| [line, "\n"]).collect();
    for (key, path) in [("netrc", "/etc/apt/auth.conf"), ("netrcparts", "/etc/apt/auth.conf.d")] {
        if std::fs::metadata(path).is_ok() {
            lines.push_str(&format!("Dir::Etc::{key} \"{path}\";\n"));
        }
    }
    Ok(lines)
}

fn is_transport(line: &str) -> bool {
    const KEPT: [&str; 8] = ["http::", "https::", "ftp::", "socks5h::", "tor+", "Force", "Check-", "Proxy-Auto-Detect"];
    let value = line.split_once(' ').map(|(_, value)| value);
    let key = line.strip_prefix("Acquire::");
    value != Some("\"\";") && key.is_some_and(|key| KEPT.iter().any(|kept| key.starts_with(kept)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_archive_is_chosen_and_not_the_security_one() {
        let listed = "http://security.example/debian-security/|main|Debian\n\
                      http://mirror.example/debian/|main|Debian\n\
                      http://mirror.example/debian/|non-free|Debian\n\
                      http://other.example/debian/|main|Debian\n";
        assert_eq!(choose(listed).as_deref(), Some("http://mirror.example/debian/"));
    }

    #[test]
    fn a_fresh_machine_does_not_know_origins_yet() {
        let listed = "https://vendor.example/apt/|main|\nhttp://mirror.example/debian/|main|\n";
        assert_eq!(choose(listed).as_deref(), Some("http://mirror.example/debian/"));
    }

    #[test]
    fn before_the_first_update_what_will_be_fetched_counts() {
        let printed = "'http://mirror.example/debian/dists/trixie/InRelease' mirror.example_InRelease 0 \n\
                       'http://mirror.example/debian/dists/trixie/main/binary-amd64/Packages.xz' mirror.example_Packages 0 \n\
                       'http://mirror.example/debian/dists/trixie/main/i18n/Translation-en.xz' mirror.example_en 0 \n";
        assert_eq!(to_be_fetched(printed), "http://mirror.example/debian/|main|\n");
        assert_eq!(choose(&to_be_fetched(printed)).as_deref(), Some("http://mirror.example/debian/"));
    }

    #[test]
    fn the_only_repository_of_a_fresh_machine_counts_whatever_its_name() {
        let listed = "http://cache.example/trixie/|main|\nhttp://cache.example/trixie/|contrib|\n";
        assert_eq!(choose(listed).as_deref(), Some("http://cache.example/trixie/"));
        assert_eq!(choose(&format!("{listed}https://vendor.example/apt/|main|\n")), None);
    }

    #[test]
    fn mirror_lists_of_cloud_images_count() {
        let listed = "mirror+file:/etc/apt/mirrors/debian.list/|main|Debian\n";
        assert_eq!(choose(listed).as_deref(), Some("mirror+file:/etc/apt/mirrors/debian.list/"));
    }

    #[test]
    fn another_distribution_is_no_mirror() {
        assert_eq!(choose("http://archive.example/ubuntu/|main|Ubuntu\nhttps://vendor.example/apt/|main|\n"), None);
    }

    #[test]
    fn proxies_are_kept_and_hooks_are_not() {
        assert!(is_transport("Acquire::http::Proxy \"http://proxy:3128\";"));
        assert!(!is_transport("Acquire::http::Proxy \"\";"));
        assert!(!is_transport("Acquire::IndexTargets::deb::DEP-11::MetaKey \"x\";"));
        assert!(!is_transport("APT::Update::Post-Invoke:: \"rm -rf\";"));
    }
}
