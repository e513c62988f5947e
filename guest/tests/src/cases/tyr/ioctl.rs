// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The ioctl entry's handling of numbers, sizes, directions and addresses of the driver's ioctls (L10), and the part of
//! the interface that the driver does not have.
//!
//! Source: `drm_ioctl` in `drivers/gpu/drm/drm_ioctl.c`, "Introduction" of `include/uapi/drm/panthor_drm.h` (Linux
//! 7.3).

use rustix::io::Errno;
use sys::{BadAddress, Mapping};
use uapi::tyr::*;
use uapi::{COMMAND_BASE, DIR_NONE, DIR_READ, DIR_WRITE, DRM, PAGE, ioc};

use crate::harness::check::Outcome;
use crate::subjects::guest::Guest;
use crate::subjects::tyr::{Gpu, TyrFile};
use crate::{holds, refuses, same, works};

crate::cases::cases! {
    "tyr_ioctl" for Tyr:
    l10_bad_addresses, l10_answer_that_cannot_be_written, l10_shorter_argument, l10_longer_argument,
    l10_direction_decides_what_is_copied, l10_numbers_beyond_the_table, l10_other_types,
    groups_and_heaps_are_refused_alike, group_and_heap_ioctls_ignore_the_argument,
}

const RW: u32 = DIR_READ | DIR_WRITE;

fn file(guest: &Guest) -> Outcome<TyrFile> {
    Gpu::ready(guest)?.open()
}

/// Each ioctl fails with EFAULT if its argument cannot be read.
fn l10_bad_addresses(guest: &Guest) -> Outcome {
    let file = file(guest)?;
    for number in NUMBERS {
        for address in BadAddress::ALL {
            refuses!(sys::ioctl_bad(&file.0, number, address), FAULT, " of {number:#x}");
        }
        // Whatever zeros mean to the ioctl, they can be read.
        holds!(sys::ioctl_bytes(&file.0, number, &mut [0; 64]) != Err(Errno::FAULT), "{number:#x} reads zeros");
    }
    Ok(())
}

/// An answer that cannot be written fails with EFAULT, after the ioctl was executed.
fn l10_answer_that_cannot_be_written(guest: &Guest) -> Outcome {
    let file = file(guest)?;
    let zeros = || sys::memory_file(PAGE).and_then(|memory| Mapping::shared(memory, 0, PAGE));
    works!(sys::ioctl_in(&file.0, VM_CREATE.number, &works!(zeros())));
    let page = works!(zeros());
    works!(page.protect());
    refuses!(sys::ioctl_in(&file.0, VM_CREATE.number, &page), FAULT);
    Ok(())
}

/// An older client's shorter structure is extended with zeros.
fn l10_shorter_argument(guest: &Guest) -> Outcome {
    let file = file(guest)?;
    // Only flags and number are passed, so the kernel chooses the range.
    let mut bytes = [0; 16];
    works!(sys::ioctl_bytes(&file.0, ioc(RW, DRM, COMMAND_BASE + 1, 8), &mut bytes));
    same!(bytes[4..8], 1_u32.to_ne_bytes());
    same!(bytes[8..], [0; 8]);
    // An object without a size is refused.
    refuses!(sys::ioctl_bytes(&file.0, ioc(RW, DRM, COMMAND_BASE + 5, 0), &mut []), INVAL);
    Ok(())
}

/// With a newer client's structure, the unknown part is returned unchanged.
fn l10_longer_argument(guest: &Guest) -> Outcome {
    let file = file(guest)?;
    let mut bytes = [0xee; 64];
    bytes[..16].fill(0);
    works!(sys::ioctl_bytes(&file.0, ioc(RW, DRM, COMMAND_BASE + 1, 64), &mut bytes));
    same!(bytes[4..8], 1_u32.to_ne_bytes());
    same!(bytes[16..], [0xee; 48]);
    Ok(())
}

/// The number's direction decides what is copied: without "write" the handler reads zeros, without "read" nothing is
/// returned.
fn l10_direction_decides_what_is_copied(guest: &Guest) -> Outcome {
    let file = file(guest)?;
    let mut bytes = [0; 24];
    bytes[..8].copy_from_slice(&(PAGE as u64).to_ne_bytes());
    for direction in [DIR_NONE, DIR_READ] {
        refuses!(sys::ioctl_bytes(&file.0, ioc(direction, DRM, COMMAND_BASE + 5, 24), &mut bytes.clone()), INVAL);
    }
    works!(sys::ioctl_bytes(&file.0, ioc(DIR_WRITE, DRM, COMMAND_BASE + 5, 24), &mut bytes));
    same!(bytes[16..20], [0; 4]);
    works!(file.bo_offset(1));
    Ok(())
}

/// Numbers behind the driver's seventeen ioctls fail with EINVAL.
fn l10_numbers_beyond_the_table(guest: &Guest) -> Outcome {
    let file = file(guest)?;
    for nr in [COMMAND_BASE + 17, COMMAND_BASE + 18, 0x80, 0x9f] {
        refuses!(sys::ioctl_bytes(&file.0, ioc(RW, DRM, nr, 16), &mut [0; 16]), INVAL, " of {nr:#x}");
    }
    // The last number is in the table: the error is that no handle is zero.
    refuses!(sys::ioctl_bytes(&file.0, ioc(RW, DRM, COMMAND_BASE + 16, 16), &mut [0; 16]), NOENT);
    Ok(())
}

/// The same numbers with a type other than DRM's fail with ENOTTY.
fn l10_other_types(guest: &Guest) -> Outcome {
    let file = file(guest)?;
    for kind in [b'p', b'D', 0] {
        refuses!(sys::ioctl_bytes(&file.0, ioc(RW, kind, COMMAND_BASE + 1, 16), &mut [0; 16]), NOTTY);
    }
    works!(sys::ioctl_bytes(&file.0, ioc(RW, DRM, COMMAND_BASE + 1, 16), &mut [0; 16]));
    Ok(())
}

/// The ioctls of groups, queues and heaps.
const ABSENT: [u32; 6] = [
    GROUP_CREATE.number,
    GROUP_DESTROY.number,
    GROUP_SUBMIT.number,
    GROUP_GET_STATE.number,
    TILER_HEAP_CREATE.number,
    TILER_HEAP_DESTROY.number,
];

/// Each of the six fails with EOPNOTSUPP.
fn groups_and_heaps_are_refused_alike(guest: &Guest) -> Outcome {
    let file = file(guest)?;
    for number in ABSENT {
        refuses!(sys::ioctl_bytes(&file.0, number, &mut [0; 64]), OPNOTSUPP, " of {number:#x}");
    }
    Ok(())
}

/// The answer does not depend on the argument, and nothing is written to it.
fn group_and_heap_ioctls_ignore_the_argument(guest: &Guest) -> Outcome {
    let file = file(guest)?;
    works!(file.vm_create());
    for number in ABSENT {
        let first = sys::ioctl_bytes(&file.0, number, &mut [0; 64]);
        // With a fill of one, the VM's number is valid, and other fields hold ones as well. No field is an address.
        for fill in [1, 0xff] {
            let mut bytes = [fill; 64];
            same!(sys::ioctl_bytes(&file.0, number, &mut bytes), first);
            same!(bytes, [fill; 64]);
        }
    }
    Ok(())
}
