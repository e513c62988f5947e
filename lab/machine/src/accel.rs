// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Decides whether to use the host's virtualisation: only if a guest was seen to boot with it.
//!
//! `/dev/kvm` may exist but fail to run a stock guest, for example on a nested host. So it is tried once, and the
//! result is remembered until the host's kernel or QEMU changes.
//!
//! Source: Documentation/virt/kvm/api.rst; a `/dev/kvm` that exists and does not work was observed.

use std::fs::{self, File};
use std::path::Path;

use super::qemu::Accel;

/// The host's virtualisation device.
const DEVICE: &str = "/dev/kvm";

/// The result of the trial on this host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// A guest booted.
    Works,
    /// No guest booted, for this reason.
    Fails(String),
}

impl Verdict {
    /// Returns the way to execute instructions.
    pub fn accel(&self) -> Accel {
        match self {
            Verdict::Works => Accel::Kvm,
            Verdict::Fails(_) => Accel::Tcg,
        }
    }
}

/// Returns the remembered verdict, or else that of `probe`. `version` changes with QEMU.
pub fn judge(memory: &Path, version: &str, probe: impl FnOnce() -> Result<(), String>) -> Verdict {
    if let Err(error) = File::options().read(true).write(true).open(DEVICE) {
        return Verdict::Fails(format!("cannot open `{DEVICE}`: {error}"));
    }
    let key = format!("{} {version}", host_release());
    if let Some(verdict) = remembered(memory, &key) {
        return verdict;
    }
    let verdict = match probe() {
        Ok(()) => Verdict::Works,
        Err(why) => Verdict::Fails(why),
    };
    // If it cannot be remembered, the next run tries again.
    let _ = fs::write(memory, render(&key, &verdict));
    verdict
}

fn remembered(memory: &Path, key: &str) -> Option<Verdict> {
    let text = fs::read_to_string(memory).ok()?;
    let (found, answer) = text.split_once('\n')?;
    if found != key {
        return None;
    }
    match answer.trim_end().split_once(": ") {
        None if answer.trim_end() == "works" => Some(Verdict::Works),
        Some(("fails", why)) => Some(Verdict::Fails(why.to_owned())),
        _ => None,
    }
}

fn render(key: &str, verdict: &Verdict) -> String {
    match verdict {
        Verdict::Works => format!("{key}\nworks\n"),
        Verdict::Fails(why) => format!("{key}\nfails: {}\n", why.lines().next().unwrap_or_default()),
    }
}

fn host_release() -> String {
    rustix::system::uname().release().to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_verdict_is_remembered_until_the_key_changes() {
        let dir = tempfile::tempdir().unwrap();
        let memory = dir.path().join("kvm");
        for verdict in [Verdict::Works, Verdict::Fails("the guest did not boot".into())] {
            fs::write(&memory, render("6.1 11.1", &verdict)).unwrap();
            assert_eq!(remembered(&memory, "6.1 11.1"), Some(verdict));
            assert_eq!(remembered(&memory, "6.2 11.1"), None);
        }
    }

    #[test]
    fn half_a_memory_is_none() {
        let dir = tempfile::tempdir().unwrap();
        let memory = dir.path().join("kvm");
        fs::write(&memory, "6.1 11.1\nwor").unwrap();
        assert_eq!(remembered(&memory, "6.1 11.1"), None);
    }
}
