// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! A container of firmware: the file that the user names, or that a package installs.

use std::time::Instant;

use csf_fw::{Entry, Firmware, PAGE_SIZE};
use drydock_models::mali::Mali;

use crate::Target;

pub(crate) const TARGET: Target = Target {
    name: "csf-fw",
    run,
    show: |bytes| match Firmware::parse(bytes) {
        Ok(firmware) => firmware.entries().map(|entry| format!("{entry:?}\n")).collect(),
        Err(error) => error.to_string(),
    },
};

fn run(bytes: &[u8]) {
    let parsed = Firmware::parse(bytes);
    // The model accepts exactly what the parser accepts.
    let taken = Mali::new(Instant::now()).expect_firmware(bytes.to_vec());
    assert_eq!(parsed.as_ref().err(), taken.as_ref().err());
    let Ok(firmware) = parsed else { return };
    _ = (firmware.minor(), firmware.version_hash(), firmware.git_sha());
    assert!(firmware.sections().any(|section| section.is_shared_interface()), "the driver needs one");
    let mut words = 0;
    for entry in firmware.entries() {
        words += 1;
        check(&entry);
    }
    assert!(words <= bytes.len() / 4, "an entry takes a word");
}

/// Checks the properties of a parsed entry.
fn check(entry: &Entry<'_>) {
    match entry {
        Entry::Section(section) => {
            let addresses = section.addresses();
            assert!(addresses.start % PAGE_SIZE == 0 && addresses.end % PAGE_SIZE == 0);
            assert_eq!(addresses.end - addresses.start, section.size());
            assert!(section.data().len() <= section.size() as usize, "it fits");
            drop((section.flags().cache_mode(), section.name(), format!("{section:?}")));
        }
        Entry::BuildInfo(info) => _ = info.git_sha(),
        other => drop(format!("{other:?}")),
    }
}
