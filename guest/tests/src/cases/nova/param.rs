// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! GETPARAM, and the ioctl entry's handling of numbers, sizes, directions and addresses of nova's ioctls (L10).
//!
//! Source: `drivers/gpu/drm/nova/file.rs`, `drm_ioctl` in `drivers/gpu/drm/drm_ioctl.c` (Linux 7.3).

use sys::BadAddress;
use uapi::nova::{NOVA_GEM_CREATE, NOVA_GEM_INFO, NOVA_GETPARAM, NovaGetparam, VRAM_BAR_SIZE};
use uapi::{COMMAND_BASE, DIR_NONE, DIR_READ, DIR_WRITE, DRM, PAGE, ioc};

use crate::harness::check::Outcome;
use crate::subjects::guest::Guest;
use crate::subjects::nova::Gpu;
use crate::{holds, refuses, same, works};

crate::cases::cases! {
    "nova_param" for Nova:
    vram_bar_size_is_that_of_bar_1, what_the_client_left_in_value_is_ignored, unknown_parameters,
    high_half_of_the_number_counts, bad_addresses, answer_that_cannot_be_written, shorter_argument, longer_argument,
    ioctl_direction_decides_what_is_copied, numbers_beyond_the_table, other_types_of_ioctl,
}

const RW: u32 = DIR_READ | DIR_WRITE;

/// The size of VRAM's BAR is the length that the PCI core reports.
fn vram_bar_size_is_that_of_bar_1(guest: &Guest) -> Outcome {
    let gpu = Gpu::ready(guest)?;
    let length = gpu.bar_length(1)?;
    holds!(length.is_power_of_two() && length >= 1 << 20, "{length:#x} is the length of a base address");
    same!(works!(gpu.open()?.vram()), length);
    Ok(())
}

/// The previous content of `value` affects neither the answer nor appears in it.
fn what_the_client_left_in_value_is_ignored(guest: &Guest) -> Outcome {
    let file = Gpu::ready(guest)?.open()?;
    let wanted = works!(file.vram());
    for value in [u64::MAX, 1, wanted + 1] {
        same!(works!(file.0.ioctl(&NOVA_GETPARAM, NovaGetparam { param: VRAM_BAR_SIZE, value })).value, wanted);
    }
    Ok(())
}

/// An unknown parameter fails with EINVAL, and the argument is unchanged.
fn unknown_parameters(guest: &Guest) -> Outcome {
    let file = Gpu::ready(guest)?.open()?;
    for param in [0, 2, 3, 0xff, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff] {
        let mut argument = NovaGetparam { param, value: 0x77 };
        refuses!(sys::ioctl(&file.0, &NOVA_GETPARAM, &mut argument), INVAL, " of {param:#x}");
        same!(argument, NovaGetparam { param, value: 0x77 });
    }
    works!(file.param(VRAM_BAR_SIZE));
    Ok(())
}

/// A parameter whose upper 32 bits are not zero fails with EINVAL: all 64 bits are the number.
fn high_half_of_the_number_counts(guest: &Guest) -> Outcome {
    let file = Gpu::ready(guest)?.open()?;
    for high in [1 << 32, 1 << 63, 0xffff_ffff_0000_0000] {
        refuses!(file.param(high | VRAM_BAR_SIZE), INVAL, " of {high:#x} and one");
        refuses!(file.param(high), INVAL, " of {high:#x}");
    }
    refuses!(file.param(u64::MAX), INVAL);
    works!(file.param(VRAM_BAR_SIZE));
    Ok(())
}

/// An argument that cannot be read fails with EFAULT.
fn bad_addresses(guest: &Guest) -> Outcome {
    let file = Gpu::ready(guest)?.open()?;
    for number in [NOVA_GETPARAM.number, NOVA_GEM_CREATE.number, NOVA_GEM_INFO.number] {
        for address in BadAddress::ALL {
            refuses!(sys::ioctl_bad(&file.0, number, address), FAULT, " of {number:#x}");
        }
    }
    works!(file.param(VRAM_BAR_SIZE));
    works!(file.size(works!(file.create(PAGE as u64))));
    Ok(())
}

/// An answer that cannot be written fails with EFAULT, after the ioctl was executed.
fn answer_that_cannot_be_written(guest: &Guest) -> Outcome {
    let file = Gpu::ready(guest)?.open()?;
    let page = works!(sys::memory_file(PAGE).and_then(|memory| sys::Mapping::shared(memory, 0, PAGE)));
    page.write(0, VRAM_BAR_SIZE as u32);
    works!(sys::ioctl_in(&file.0, NOVA_GETPARAM.number, &page));
    works!(page.protect());
    refuses!(sys::ioctl_in(&file.0, NOVA_GETPARAM.number, &page), FAULT);
    Ok(())
}

/// With an older client's structure, without `value`, the parameter is read and no value returned.
fn shorter_argument(guest: &Guest) -> Outcome {
    let file = Gpu::ready(guest)?.open()?;
    let mut bytes = [0xee; 16];
    bytes[..8].copy_from_slice(&VRAM_BAR_SIZE.to_ne_bytes());
    works!(sys::ioctl_bytes(&file.0, ioc(RW, DRM, COMMAND_BASE, 8), &mut bytes));
    same!(bytes[8..], [0xee; 8]);
    // Without any bytes the parameter is zero; a handle without a size is no object.
    refuses!(sys::ioctl_bytes(&file.0, ioc(RW, DRM, COMMAND_BASE, 0), &mut []), INVAL);
    refuses!(sys::ioctl_bytes(&file.0, ioc(RW, DRM, COMMAND_BASE + 1, 8), &mut [0; 8]), INVAL);
    Ok(())
}

/// With a newer client's structure, the unknown part is returned unchanged.
fn longer_argument(guest: &Guest) -> Outcome {
    let gpu = Gpu::ready(guest)?;
    let file = gpu.open()?;
    let mut bytes = [0xee; 64];
    bytes[..8].copy_from_slice(&VRAM_BAR_SIZE.to_ne_bytes());
    works!(sys::ioctl_bytes(&file.0, ioc(RW, DRM, COMMAND_BASE, 64), &mut bytes));
    same!(bytes[8..16], gpu.bar_length(1)?.to_ne_bytes());
    same!(bytes[16..], [0xee; 48]);
    Ok(())
}

/// The number's direction decides what is copied: without "write" the handler reads zeros, without "read" nothing is
/// returned.
fn ioctl_direction_decides_what_is_copied(guest: &Guest) -> Outcome {
    let file = Gpu::ready(guest)?.open()?;
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&VRAM_BAR_SIZE.to_ne_bytes());
    for direction in [DIR_NONE, DIR_READ] {
        refuses!(sys::ioctl_bytes(&file.0, ioc(direction, DRM, COMMAND_BASE, 16), &mut bytes.clone()), INVAL);
    }
    works!(sys::ioctl_bytes(&file.0, ioc(DIR_WRITE, DRM, COMMAND_BASE, 16), &mut bytes));
    same!(bytes[8..], [0; 8]);
    Ok(())
}

/// Numbers behind nova's three ioctls fail with EINVAL.
fn numbers_beyond_the_table(guest: &Guest) -> Outcome {
    let file = Gpu::ready(guest)?.open()?;
    for nr in [COMMAND_BASE + 3, COMMAND_BASE + 4, 0x80, 0x9f] {
        refuses!(sys::ioctl_bytes(&file.0, ioc(RW, DRM, nr, 16), &mut [0; 16]), INVAL, " of {nr:#x}");
    }
    // The last of the three is in the table: the error is that no handle is zero.
    refuses!(sys::ioctl_bytes(&file.0, ioc(RW, DRM, COMMAND_BASE + 2, 16), &mut [0; 16]), NOENT);
    Ok(())
}

/// The same numbers with a type other than DRM's fail with ENOTTY.
fn other_types_of_ioctl(guest: &Guest) -> Outcome {
    let file = Gpu::ready(guest)?.open()?;
    for kind in [b'N', b'D', 0] {
        refuses!(sys::ioctl_bytes(&file.0, ioc(RW, kind, COMMAND_BASE, 16), &mut [0; 16]), NOTTY);
    }
    works!(file.param(VRAM_BAR_SIZE));
    Ok(())
}
