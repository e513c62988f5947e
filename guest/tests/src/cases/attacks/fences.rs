// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Fences that are signalled by their own callbacks, too late, never, in crowds and in chains.
//!
//! Source: drivers/dma-buf/dma-fence.c, dma-fence-chain.c, dma-resv.c, kernel/time/timer.c (Linux 7.3).

use std::time::Duration;

use uapi::sync::AS_SYNC_FILE;

use crate::harness::check::Outcome;
use crate::subjects::attacks::{Test, What, unbind};
use crate::subjects::device::fence_of;
use crate::subjects::guest::Guest;
use crate::{holds, refuses, same, works};

crate::cases::cases! {
    "attacks":
    fence_is_signalled_in_its_own_callback within 60, fence_is_asked_in_its_own_callback within 60,
    callback_drops_itself within 60, callback_drops_the_others within 60, fence_that_never_expires within 60,
    fence_is_signalled_too_late within 60, fence_without_reserved_slot_is_refused within 60,
    long_fence_chain_is_freed_without_recursion within 60, fence_ends_with_the_device within 60,
    fence_is_named_after_unplug within 60, work_is_queued_by_a_fence within 60,
}

/// A fence expires, and its callback signals or drops the fence's own signaler. The fence's lock is held, with
/// interrupts off: taking it again would hang the CPU.
fn fence_is_signalled_in_its_own_callback(guest: &Guest) -> Outcome {
    run(guest, What::OwnCallback, 0)
}

/// A callback drops itself, under the same lock (S18): dropping a callback waits until it has run.
fn callback_drops_itself(guest: &Guest) -> Outcome {
    run(guest, What::OwnCallbackDrop, 0)
}

/// A callback drops the others, under the same lock, which removing a callback needs. A dropped callback does not run.
fn callback_drops_the_others(guest: &Guest) -> Outcome {
    run(guest, What::OtherCallbacks, 0)
}

/// A callback asks how its fence ended, under the same lock.
fn fence_is_asked_in_its_own_callback(guest: &Guest) -> Outcome {
    run(guest, What::StatusInCallback, 0)
}

/// A fence with the longest timeout does not expire. If the timeout overflowed, the fence would end at once, and with
/// it the wait for work that still runs.
fn fence_that_never_expires(guest: &Guest) -> Outcome {
    run(guest, What::Forever, 0)
}

/// An expired fence is signalled, failed, dropped and waited for. Its end frees its resources only once.
fn fence_is_signalled_too_late(guest: &Guest) -> Outcome {
    run(guest, What::Late, 0)
}

/// Adding a fence without a reserved slot is refused; C would stop the machine.
fn fence_without_reserved_slot_is_refused(guest: &Guest) -> Outcome {
    let mut test = Test::new(guest)?;
    works!(test.open(0)?.run(What::Crowded, 0, 0));
    test.unload()
}

/// A timeline of many points is freed at once when its first point is signalled last. The chain must not be freed by
/// recursion.
fn long_fence_chain_is_freed_without_recursion(guest: &Guest) -> Outcome {
    run(guest, What::Chain, 500)
}

/// Work runs that a fence's callback queues, as does work that is prepared and dropped.
fn work_is_queued_by_a_fence(guest: &Guest) -> Outcome {
    let mut test = Test::new(guest)?;
    let client = test.open(0)?;
    works!(client.run(What::Prepared, 0, 0));
    test.trace.wait_for("0: queued work runs")?;
    works!(client.at_close(What::Prepared, 0));
    works!(unbind(0));
    drop(client);
    test.unload()?;
    same!((test.trace.count("0: queued work runs"), test.trace.count("dropped work runs")), (2, 0));
    Ok(())
}

/// A fence of the device's pending set ends with the registration, while its signaler lives on in the file.
fn fence_ends_with_the_device(guest: &Guest) -> Outcome {
    let mut test = Test::new(guest)?;
    let client = test.open(0)?;
    let handle = works!(client.plugged(What::Pending, 0, 0)).handle;
    refuses!(client.0.syncobj_wait_now(handle, Duration::ZERO), TIME);
    let file = works!(client.0.syncobj_export(handle, AS_SYNC_FILE));
    works!(unbind(0));
    same!(works!(fence_of(&file)).status, -19);
    drop((client, file));
    test.unload()
}

/// A sync file queries the names of a fence, which are in the driver's module. The module stays until the fence is
/// signalled, and the names are not read after that.
fn fence_is_named_after_unplug(guest: &Guest) -> Outcome {
    let mut test = Test::new(guest)?;
    let client = test.open(0)?;
    let handle = works!(client.plugged(What::Pending, 0, 0)).handle;
    let file = works!(client.0.syncobj_export(handle, AS_SYNC_FILE));
    let name = |bytes: [u8; 32]| String::from_utf8_lossy(&bytes).trim_end_matches('\0').to_owned();
    same!(name(works!(fence_of(&file)).driver_name), "attacks");
    drop(client);
    test.unload()?;
    let after = name(works!(fence_of(&file)).driver_name);
    holds!(after != "attacks", "the name of a signalled fence is not the driver's: `{after}`");
    Ok(())
}

/// Runs an attack that is one ioctl, and again when the file is closed after the unplug.
fn run(guest: &Guest, what: What, value: u64) -> Outcome {
    let mut test = Test::new(guest)?;
    let client = test.open(0)?;
    works!(client.run(what, 0, value));
    works!(client.at_close(what, value));
    works!(unbind(0));
    drop(client);
    test.trace.wait_for("0: at close: 0")?;
    test.unload()
}
