// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Address spaces: their ends, and requests that come too late or for the wrong space.
//!
//! Source: drm_gpuvm.c (Linux 7.3).

use crate::harness::check::Outcome;
use crate::subjects::attacks::{Test, What, bind, unbind};
use crate::subjects::guest::Guest;
use crate::works;

crate::cases::cases! {
    "attacks":
    request_for_another_or_a_closed_vm_is_refused within 60, vm_maps_addresses_up_to_the_last within 60,
    spaces_after_unplug within 60,
}

/// A request for another or an ended address space is refused. If it were executed, a mapping would be in one address
/// space and its link to the object in another, or in one that is never ended.
fn request_for_another_or_a_closed_vm_is_refused(guest: &Guest) -> Outcome {
    let mut test = Test::new(guest)?;
    let client = test.open(0)?;
    for _ in 0..10 {
        works!(client.run(What::Spaces, 0, 0));
    }
    drop(client);
    test.unload()
}

/// Addresses up to the last work, and an object that is cut into many pieces and unmapped at once. Sums that overflowed
/// would find mappings that do not exist.
fn vm_maps_addresses_up_to_the_last(guest: &Guest) -> Outcome {
    let mut test = Test::new(guest)?;
    let client = test.open(0)?;
    for pieces in [1, 2, 500] {
        works!(client.run(What::SpaceExtremes, 0, pieces));
    }
    drop(client);
    test.unload()
}

/// An address space is memory: it works without the hardware, and keeps the device.
fn spaces_after_unplug(guest: &Guest) -> Outcome {
    let mut test = Test::new(guest)?;
    let client = test.open(0)?;
    for (what, value) in [(What::Spaces, 0), (What::SpaceExtremes, 3)] {
        let file = test.open(0)?;
        works!(file.at_close(what, value));
        works!(unbind(0));
        drop(file);
        test.trace.wait_for("0: at close: 0")?;
        test.trace.clear();
        works!(bind(0));
    }
    drop(client);
    test.unload()
}
