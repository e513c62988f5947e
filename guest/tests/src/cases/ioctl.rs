// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The ioctl entry's handling of numbers, sizes, directions and addresses (L10).
//!
//! Source: `drm_ioctl`, `drm_ioctl_kernel` in `drivers/gpu/drm/drm_ioctl.c` (Linux 7.3).

use std::os::fd::{AsFd, AsRawFd};

use rustix::fs::OFlags;
use rustix::io::Errno;
use sys::BadAddress;
use uapi::{COMMAND_BASE, DIR_NONE, DIR_READ, DIR_WRITE, DRM, PAGE};

use crate::harness::check::Outcome;
use crate::subjects::guest::Guest;
use crate::{holds, refuses, same, works};

super::cases! {
    "ioctl":
    bad_address_of_driver_ioctls, bad_address_of_core_ioctls, bad_address_to_write_the_answer_to,
    read_only_argument, argument_across_an_unmapped_page, number_beyond_the_driver_table,
    hole_in_the_driver_table, number_beyond_the_core_table, retired_core_numbers, foreign_type,
    smaller_argument_is_extended_with_zeros, smaller_answer_is_cut, larger_argument_is_accepted,
    largest_argument, no_direction_reads_zeros, read_only_direction_ignores_the_argument,
    write_only_direction_gives_no_answer, closed_file, path_only_file, file_opened_read_only,
}

const RW: u32 = DIR_READ | DIR_WRITE;

/// A driver ioctl fails with `EFAULT` if its argument cannot be read.
fn bad_address_of_driver_ioctls(guest: &Guest) -> Outcome {
    for file in [guest.open()?, guest.open_render()?] {
        for address in BadAddress::ALL {
            refuses!(sys::ioctl_bad(&file, uapi::VGEM_FENCE_ATTACH.number, address), FAULT);
            refuses!(sys::ioctl_bad(&file, uapi::VGEM_FENCE_SIGNAL.number, address), FAULT);
        }
    }
    let file = guest.open()?;
    works!(file.signal(works!(file.attach(works!(file.pages(1)), 0))));
    Ok(())
}

/// Every core ioctl that a buffer driver supports fails with `EFAULT` if its argument cannot be read.
fn bad_address_of_core_ioctls(guest: &Guest) -> Outcome {
    let file = guest.open()?;
    let numbers = [
        uapi::VERSION.number,
        uapi::GET_UNIQUE.number,
        uapi::GET_CLIENT.number,
        uapi::SET_VERSION.number,
        uapi::GEM_CLOSE.number,
        uapi::GEM_FLINK.number,
        uapi::GEM_OPEN.number,
        uapi::GET_CAP.number,
        uapi::SET_CLIENT_CAP.number,
        uapi::AUTH_MAGIC.number,
        uapi::PRIME_HANDLE_TO_FD.number,
        uapi::PRIME_FD_TO_HANDLE.number,
        uapi::MODE_CREATE_DUMB.number,
        uapi::MODE_MAP_DUMB.number,
        uapi::MODE_DESTROY_DUMB.number,
        uapi::SET_CLIENT_NAME.number,
    ];
    for number in numbers {
        for address in BadAddress::ALL {
            refuses!(sys::ioctl_bad(&file, number, address), FAULT);
        }
        // Whatever zeros mean to the ioctl, they can be read.
        holds!(sys::ioctl_bytes(&file, number, &mut [0; 64]) != Err(Errno::FAULT), "{number:#x} reads zeros");
    }
    Ok(())
}

/// An ioctl that only writes fails with `EFAULT` when it writes its answer.
fn bad_address_to_write_the_answer_to(guest: &Guest) -> Outcome {
    let file = guest.open()?;
    for address in BadAddress::ALL {
        refuses!(sys::ioctl_bad(&file, uapi::GET_STATS.number, address), FAULT);
        refuses!(sys::ioctl_bad(&file, uapi::GET_MAGIC.number, address), FAULT);
    }
    works!(file.ioctl(&uapi::GET_STATS, uapi::Stats::default()));
    works!(file.magic());
    Ok(())
}

/// A read-only argument fails with `EFAULT`: it is read, the call is made, and the answer cannot be written.
fn read_only_argument(guest: &Guest) -> Outcome {
    let file = guest.open()?;
    let page = works!(sys::memory_file(PAGE).and_then(|memory| sys::Mapping::shared(memory, 0, PAGE)));
    page.write(0, 6); // TIMESTAMP_MONOTONIC, which is 1
    works!(sys::ioctl_in(&file, uapi::GET_CAP.number, &page));
    same!(page.read(8), 1);
    page.write(8, 0);
    works!(page.protect());
    refuses!(sys::ioctl_in(&file, uapi::GET_CAP.number, &page), FAULT);
    same!(page.read(8), 0);
    Ok(())
}

/// An argument whose second half is unmapped fails with `EFAULT`.
fn argument_across_an_unmapped_page(guest: &Guest) -> Outcome {
    let file = guest.open()?;
    let memory = works!(sys::memory_file(2 * PAGE));
    let mut pages = works!(sys::Mapping::shared(&memory, 0, 2 * PAGE));
    works!(pages.shrink(PAGE));
    let last_words = pages.address() + PAGE - 8;
    refuses!(ioctl_at(&file, uapi::VGEM_FENCE_ATTACH.number, last_words), FAULT);
    refuses!(ioctl_at(&file, uapi::MODE_CREATE_DUMB.number, last_words), FAULT);
    // Eight bytes earlier the whole argument is mapped, so the call gets further: no handle is zero.
    refuses!(ioctl_at(&file, uapi::VGEM_FENCE_ATTACH.number, last_words - 8), NOENT);
    Ok(())
}

/// A number behind the driver's three slots, 0x40 to 0x42, fails with `EINVAL`.
fn number_beyond_the_driver_table(guest: &Guest) -> Outcome {
    for file in [guest.open()?, guest.open_render()?] {
        for nr in [COMMAND_BASE + 3, COMMAND_BASE + 4, 0x80, 0x9f] {
            let number = uapi::ioc(RW, DRM, nr, 16);
            refuses!(sys::ioctl_bytes(&file, number, &mut [0; 16]), INVAL);
        }
        // The last slot is in the table: the error is that no fence is zero.
        refuses!(sys::ioctl_bytes(&file, uapi::ioc(RW, DRM, COMMAND_BASE + 2, 8), &mut [0; 8]), NOENT);
    }
    Ok(())
}

/// The empty slot 0x40, an ioctl of the past, fails with `EINVAL`, even with a bad address.
fn hole_in_the_driver_table(guest: &Guest) -> Outcome {
    let file = guest.open_render()?;
    for size in [0, 8, 16, 200] {
        let number = uapi::ioc(RW, DRM, COMMAND_BASE, size);
        refuses!(sys::ioctl_bytes(&file, number, &mut [0; 200]), INVAL);
        refuses!(sys::ioctl_bad(&file, number, BadAddress::Kernel), INVAL);
    }
    refuses!(sys::ioctl_bytes(&file, uapi::ioc(RW, DRM, COMMAND_BASE + 1, 16), &mut [0; 16]), NOENT);
    Ok(())
}

/// A number behind the last core number fails with `EINVAL`.
fn number_beyond_the_core_table(guest: &Guest) -> Outcome {
    let file = guest.open()?;
    for nr in [0xe0, 0xf0, 0xff] {
        refuses!(sys::ioctl_bytes(&file, uapi::ioc(RW, DRM, nr, 16), &mut [0; 16]), INVAL);
    }
    works!(sys::ioctl_bytes(&file, uapi::VERSION.number, &mut [0; 64]));
    Ok(())
}

/// The numbers of ioctls that were removed with user mode setting fail with `EINVAL`.
fn retired_core_numbers(guest: &Guest) -> Outcome {
    let file = guest.open()?;
    for nr in [0x03, 0x04, 0x08, 0x14, 0x15, 0x1c, 0x20, 0x26, 0x29, 0x2a, 0x30, 0x38] {
        refuses!(sys::ioctl_bytes(&file, uapi::ioc(RW, DRM, nr, 16), &mut [0; 16]), INVAL);
    }
    works!(sys::ioctl_bytes(&file, uapi::VERSION.number, &mut [0; 64]));
    Ok(())
}

/// An ioctl of another type, such as a terminal's, fails with `ENOTTY`.
fn foreign_type(guest: &Guest) -> Outcome {
    let file = guest.open()?;
    for kind in [b'T', b'b', b'D', 0] {
        refuses!(sys::ioctl_bytes(&file, uapi::ioc(RW, kind, 0x41, 16), &mut [0; 16]), NOTTY);
    }
    refuses!(sys::ioctl_bytes(&file, uapi::ioc(RW, DRM, 0x41, 16), &mut [0; 16]), NOENT);
    Ok(())
}

/// An old client's shorter structure is extended with zeros.
fn smaller_argument_is_extended_with_zeros(guest: &Guest) -> Outcome {
    let file = guest.open()?;
    let handle = works!(file.pages(1));
    // Only the handle is passed: flags and pad are zero, so a read fence is attached.
    let number = uapi::ioc(RW, DRM, COMMAND_BASE + 1, 4);
    works!(sys::ioctl_bytes(&file, number, &mut handle.to_ne_bytes()));
    works!(file.signal(1));
    // Without even a handle the lookup fails.
    refuses!(sys::ioctl_bytes(&file, uapi::ioc(RW, DRM, COMMAND_BASE + 1, 0), &mut []), NOENT);
    Ok(())
}

/// The bytes behind the shorter structure are not written.
fn smaller_answer_is_cut(guest: &Guest) -> Outcome {
    let file = guest.open()?;
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&6_u64.to_ne_bytes()); // TIMESTAMP_MONOTONIC, which is 1
    bytes[8..].fill(0xee);
    works!(sys::ioctl_bytes(&file, uapi::ioc(RW, DRM, 0x0c, 8), &mut bytes));
    same!(bytes[8..], [0xee; 8]);
    works!(sys::ioctl_bytes(&file, uapi::GET_CAP.number, &mut bytes));
    same!(bytes[8..], 1_u64.to_ne_bytes());
    Ok(())
}

/// A newer client's longer structure is accepted. The kernel's part is answered, the rest is returned unchanged.
fn larger_argument_is_accepted(guest: &Guest) -> Outcome {
    let file = guest.open()?;
    let handle = works!(file.pages(1));
    let mut bytes = [0xee; 200];
    bytes[..16].fill(0);
    bytes[..4].copy_from_slice(&handle.to_ne_bytes());
    works!(sys::ioctl_bytes(&file, uapi::ioc(RW, DRM, COMMAND_BASE + 1, 200), &mut bytes));
    same!(bytes[8..12], 1_u32.to_ne_bytes());
    same!(bytes[16..], [0xee; 184]);
    Ok(())
}

/// The largest value of the size field works, with memory that the kernel allocates.
fn largest_argument(guest: &Guest) -> Outcome {
    let file = guest.open_render()?;
    let number = uapi::ioc(RW, DRM, 0x0c, 0x3fff);
    let mut bytes = vec![0; 0x3fff];
    bytes[0] = 6;
    works!(sys::ioctl_bytes(&file, number, &mut bytes));
    same!(bytes[8], 1);
    holds!(bytes[9..].iter().all(|byte| *byte == 0), "nothing else was written");
    Ok(())
}

/// Without a direction nothing is copied in, so the handler reads zeros. No address is needed, either.
fn no_direction_reads_zeros(guest: &Guest) -> Outcome {
    let file = guest.open()?;
    let handle = works!(file.pages(1));
    let number = uapi::ioc(DIR_NONE, DRM, COMMAND_BASE + 1, 16);
    let mut bytes = [0; 16];
    bytes[..4].copy_from_slice(&handle.to_ne_bytes());
    refuses!(sys::ioctl_bytes(&file, number, &mut bytes), NOENT);
    refuses!(sys::ioctl_bad(&file, number, BadAddress::Null), NOENT);
    bytes[..4].copy_from_slice(&handle.to_ne_bytes());
    works!(sys::ioctl_bytes(&file, uapi::ioc(RW, DRM, COMMAND_BASE + 1, 16), &mut bytes));
    Ok(())
}

/// With a number of direction "the kernel writes" only, the argument is not read.
fn read_only_direction_ignores_the_argument(guest: &Guest) -> Outcome {
    let file = guest.open()?;
    let handle = works!(file.pages(1));
    let mut bytes = [0; 16];
    bytes[..4].copy_from_slice(&handle.to_ne_bytes());
    let number = uapi::ioc(DIR_READ, DRM, COMMAND_BASE + 1, 16);
    refuses!(sys::ioctl_bytes(&file, number, &mut bytes), NOENT);
    same!(bytes, [0; 16]); // the zeros that the handler saw come back
    bytes[..4].copy_from_slice(&handle.to_ne_bytes());
    works!(sys::ioctl_bytes(&file, uapi::ioc(RW, DRM, COMMAND_BASE + 1, 16), &mut bytes));
    Ok(())
}

/// With a number of direction "the kernel reads" only, the fence is made, but its number is not returned.
fn write_only_direction_gives_no_answer(guest: &Guest) -> Outcome {
    let file = guest.open()?;
    let handle = works!(file.pages(1));
    let mut bytes = [0; 16];
    bytes[..4].copy_from_slice(&handle.to_ne_bytes());
    let number = uapi::ioc(DIR_WRITE, DRM, COMMAND_BASE + 1, 16);
    works!(sys::ioctl_bytes(&file, number, &mut bytes));
    same!(bytes[8..12], [0; 4]);
    works!(file.signal(1));
    Ok(())
}

/// An ioctl on a closed descriptor fails with `EBADF`.
fn closed_file(guest: &Guest) -> Outcome {
    let file = guest.open()?;
    let number = file.as_fd().as_raw_fd();
    let mut cap = uapi::Cap { capability: 5, value: 0 };
    works!(sys::ioctl_on_number(number, &uapi::GET_CAP, &mut cap));
    drop(file);
    refuses!(sys::ioctl_on_number(number, &uapi::GET_CAP, &mut cap), BADF);
    refuses!(sys::ioctl_on_number(-1, &uapi::GET_CAP, &mut cap), BADF);
    Ok(())
}

/// An ioctl on an `O_PATH` descriptor, which does not open the device, fails with `EBADF`.
fn path_only_file(guest: &Guest) -> Outcome {
    let file = works!(sys::open(guest.nodes()?.primary, OFlags::PATH));
    let mut cap = uapi::Cap { capability: 5, value: 0 };
    refuses!(sys::ioctl(&file, &uapi::GET_CAP, &mut cap), BADF);
    works!(sys::ioctl(guest.open()?, &uapi::GET_CAP, &mut cap));
    Ok(())
}

/// DRM ignores the open mode: ioctls that change something work on a read-only file.
fn file_opened_read_only(guest: &Guest) -> Outcome {
    let file = works!(sys::open(guest.nodes()?.primary, OFlags::RDONLY));
    let file = crate::subjects::device::DrmFile::from(file);
    let handle = works!(file.pages(1));
    works!(file.attach(handle, uapi::FENCE_WRITE));
    Ok(())
}

/// Calls ioctl(2) with the address of a mapping of this process.
fn ioctl_at(fd: &impl AsFd, number: u32, address: usize) -> sys::Answer<i32> {
    // SAFETY: the callers pass an address in a page of their own that holds zeros. The requests they use carry no
    // addresses, and the memory behind the page is unmapped.
    unsafe { sys::ioctl_raw(fd.as_fd(), number, address) }
}
