// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! GEM_CREATE and GEM_INFO: sizes, handles, their owners (L12, L13), and the calls that nova does not offer.
//!
//! Source: `drivers/gpu/drm/nova/{file,gem}.rs`, `drm_gem_handle_create` in `drivers/gpu/drm/drm_gem.c`,
//! `drivers/gpu/drm/drm_dumb_buffers.c` (Linux 7.3).

use sys::Mapping;
use uapi::PAGE;
use uapi::nova::{NOVA_GEM_CREATE, NOVA_GEM_INFO, NovaGemCreate, NovaGemInfo};

use crate::harness::check::Outcome;
use crate::subjects::guest::Guest;
use crate::subjects::nova::{DRM as MODULE, Gpu};
use crate::{holds, refuses, same, works};

crate::cases::cases! {
    "nova_object" for Nova:
    handles_count_from_one, sizes_are_rounded_up_to_pages, size_zero_is_refused, overflowing_size_is_refused,
    huge_sizes_take_no_memory, size_stays_what_the_client_asked_for, nonzero_padding_is_refused,
    info_of_unknown_handles, info_of_another_files_handle, info_of_a_closed_handle, closed_once, handles_are_used_again,
    flink_name_opens_the_object_in_another_file, a_failed_call_makes_no_handle, no_dumb_buffers, no_mapping,
    no_sync_objects, no_mode_setting, thousands_in_one_file within 60,
}

const PAGE_SIZE: u64 = PAGE as u64;

/// Each call returns the next number of its file.
fn handles_count_from_one(guest: &Guest) -> Outcome {
    let gpu = Gpu::ready(guest)?;
    for file in [gpu.open()?, gpu.open()?] {
        for number in 1..4 {
            same!(works!(file.create(PAGE_SIZE)), number);
        }
    }
    Ok(())
}

/// L13: a size is rounded up to whole pages.
fn sizes_are_rounded_up_to_pages(guest: &Guest) -> Outcome {
    let file = Gpu::ready(guest)?.open()?;
    let sizes = [1, 2, PAGE_SIZE - 1, PAGE_SIZE, PAGE_SIZE + 1, 3 * PAGE_SIZE, 0xf_ffff, 0x10_0001];
    for size in sizes {
        let handle = works!(file.create(size));
        same!(works!(file.size(handle)), size.next_multiple_of(PAGE_SIZE));
    }
    Ok(())
}

/// A size of zero fails with EINVAL.
fn size_zero_is_refused(guest: &Guest) -> Outcome {
    let file = Gpu::ready(guest)?.open()?;
    refuses!(file.create(0), INVAL);
    same!(works!(file.create(1)), 1);
    Ok(())
}

/// A size whose last page's end exceeds 64 bits, or which no file can have, fails with EINVAL.
fn overflowing_size_is_refused(guest: &Guest) -> Outcome {
    let file = Gpu::ready(guest)?.open()?;
    for size in [u64::MAX, u64::MAX - 1, u64::MAX - 4094, u64::MAX - 4095, 1 << 63, (1 << 63) - 1, (1 << 63) + 4096] {
        refuses!(file.create(size), INVAL, " of {size:#x}");
    }
    refuses!(file.size(1), NOENT);
    same!(works!(file.create(PAGE_SIZE)), 1);
    Ok(())
}

/// Pages are allocated on first use, so an object larger than the machine's memory can be made and queried.
fn huge_sizes_take_no_memory(guest: &Guest) -> Outcome {
    let file = Gpu::ready(guest)?.open()?;
    for size in [1 << 32, (1 << 40) + PAGE_SIZE, 1 << 46] {
        let handle = works!(file.create(size));
        same!(works!(file.size(handle)), size);
        works!(file.0.gem_close(handle));
    }
    Ok(())
}

/// `GEM_CREATE` returns `size` as it was passed; INFO returns the object's size.
fn size_stays_what_the_client_asked_for(guest: &Guest) -> Outcome {
    let file = Gpu::ready(guest)?.open()?;
    let made = works!(file.0.ioctl(&NOVA_GEM_CREATE, NovaGemCreate { handle: 77, pad: 0, size: 5 }));
    same!(made, NovaGemCreate { handle: 1, pad: 0, size: 5 });
    let told = works!(file.0.ioctl(&NOVA_GEM_INFO, NovaGemInfo { handle: 1, pad: 0, size: 77 }));
    same!(told, NovaGemInfo { handle: 1, pad: 0, size: PAGE_SIZE });
    Ok(())
}

/// Padding that is not zero fails with EINVAL, since it may get a meaning. Output fields are not checked.
fn nonzero_padding_is_refused(guest: &Guest) -> Outcome {
    let file = Gpu::ready(guest)?.open()?;
    for pad in [1, 1 << 31, u32::MAX] {
        refuses!(file.0.ioctl(&NOVA_GEM_CREATE, NovaGemCreate { handle: 0, pad, size: 1 }), INVAL, " with {pad:#x}");
    }
    let made = works!(file.0.ioctl(&NOVA_GEM_CREATE, NovaGemCreate { handle: u32::MAX, pad: 0, size: 1 }));
    same!(made.handle, 1);
    for pad in [1, 1 << 31, u32::MAX] {
        refuses!(file.0.ioctl(&NOVA_GEM_INFO, NovaGemInfo { handle: 1, pad, size: 0 }), INVAL, " with {pad:#x}");
    }
    same!(works!(file.0.ioctl(&NOVA_GEM_INFO, NovaGemInfo { handle: 1, pad: 0, size: u64::MAX })).size, PAGE_SIZE);
    Ok(())
}

/// Unknown handles fail with ENOENT, and the argument is unchanged.
fn info_of_unknown_handles(guest: &Guest) -> Outcome {
    let file = Gpu::ready(guest)?.open()?;
    works!(file.create(PAGE_SIZE));
    for handle in [0, 2, 0x7fff_ffff, 0x8000_0000, u32::MAX] {
        let mut argument = NovaGemInfo { handle, pad: 0, size: 77 };
        refuses!(sys::ioctl(&file.0, &NOVA_GEM_INFO, &mut argument), NOENT, " of handle {handle:#x}");
        same!(argument.size, 77);
    }
    same!(works!(file.size(1)), PAGE_SIZE);
    Ok(())
}

/// Another file's handle fails with ENOENT: a number is valid in its own file only.
fn info_of_another_files_handle(guest: &Guest) -> Outcome {
    let gpu = Gpu::ready(guest)?;
    let (one, two) = (gpu.open()?, gpu.open()?);
    let handle = works!(one.create(PAGE_SIZE));
    refuses!(two.size(handle), NOENT);
    refuses!(two.0.gem_close(handle), INVAL);
    // The same number is another object there.
    works!(two.create(2 * PAGE_SIZE));
    same!((works!(one.size(1)), works!(two.size(1))), (PAGE_SIZE, 2 * PAGE_SIZE));
    drop(one);
    same!(works!(two.size(1)), 2 * PAGE_SIZE);
    Ok(())
}

/// A closed handle fails with ENOENT.
fn info_of_a_closed_handle(guest: &Guest) -> Outcome {
    let file = Gpu::ready(guest)?.open()?;
    let (first, second) = (works!(file.create(PAGE_SIZE)), works!(file.create(2 * PAGE_SIZE)));
    works!(file.0.gem_close(first));
    refuses!(file.size(first), NOENT);
    same!(works!(file.size(second)), 2 * PAGE_SIZE);
    Ok(())
}

/// Closing a handle twice, or one that was never given, fails with EINVAL.
fn closed_once(guest: &Guest) -> Outcome {
    let file = Gpu::ready(guest)?.open()?;
    let handle = works!(file.create(PAGE_SIZE));
    works!(file.0.gem_close(handle));
    for unknown in [handle, 0, 9, u32::MAX] {
        refuses!(file.0.gem_close(unknown), INVAL, " of {unknown}");
    }
    Ok(())
}

/// A closed handle is the next one returned, for the new object alone.
fn handles_are_used_again(guest: &Guest) -> Outcome {
    let file = Gpu::ready(guest)?.open()?;
    for pages in 1..20 {
        let handle = works!(file.create(pages * PAGE_SIZE));
        same!(handle, 1);
        same!(works!(file.size(handle)), pages * PAGE_SIZE);
        works!(file.0.gem_close(handle));
    }
    Ok(())
}

/// A global name opens the same object in another file, and is freed with the object's last handle.
fn flink_name_opens_the_object_in_another_file(guest: &Guest) -> Outcome {
    let gpu = Gpu::ready(guest)?;
    let (one, two) = (gpu.open()?, gpu.open()?);
    let name = works!(one.0.flink(works!(one.create(PAGE_SIZE + 1))));
    let opened = works!(two.0.gem_open(name));
    same!(opened.size, 2 * PAGE_SIZE);
    drop(one);
    same!(works!(two.size(opened.handle)), 2 * PAGE_SIZE);
    works!(two.0.gem_close(opened.handle));
    refuses!(two.0.gem_open(name), NOENT);
    Ok(())
}

/// A call whose argument cannot be read takes no number, and neither does one that is refused.
fn a_failed_call_makes_no_handle(guest: &Guest) -> Outcome {
    let file = Gpu::ready(guest)?.open()?;
    refuses!(sys::ioctl_bad(&file.0, NOVA_GEM_CREATE.number, sys::BadAddress::Unmapped), FAULT);
    refuses!(file.create(u64::MAX), INVAL);
    same!(works!(file.create(PAGE_SIZE)), 1);
    Ok(())
}

/// Dumb buffers fail with ENOSYS: they are for mode setting.
fn no_dumb_buffers(guest: &Guest) -> Outcome {
    let file = Gpu::ready(guest)?.open()?;
    let handle = works!(file.create(PAGE_SIZE));
    refuses!(file.0.create_dumb(32, 32, 32), NOSYS);
    refuses!(file.0.map_offset(handle), NOSYS);
    refuses!(file.0.destroy_dumb(handle), NOSYS);
    same!(works!(file.size(handle)), PAGE_SIZE);
    Ok(())
}

/// mmap(2) fails with EINVAL at any offset, since no ioctl returns one.
fn no_mapping(guest: &Guest) -> Outcome {
    let file = Gpu::ready(guest)?.open()?;
    works!(file.create(PAGE_SIZE));
    for offset in [0, 1 << 12, 1 << 32, 0x10_0000_0000, 1 << 40] {
        refuses!(Mapping::shared(&file.0, offset, PAGE), INVAL, " at {offset:#x}");
    }
    Ok(())
}

/// Sync object ioctls fail with EOPNOTSUPP.
fn no_sync_objects(guest: &Guest) -> Outcome {
    let file = Gpu::ready(guest)?.open()?;
    for (nr, size) in [(0xbf, 8), (0xc0, 8), (0xc1, 24), (0xc3, 40), (0xca, 48), (0xcd, 24), (0xcf, 24)] {
        let number = uapi::ioc(uapi::DIR_READ | uapi::DIR_WRITE, uapi::DRM, nr, size);
        refuses!(sys::ioctl_bytes(&file.0, number, &mut [0; 48]), OPNOTSUPP, " with number {nr:#x}");
    }
    Ok(())
}

/// Mode setting ioctls fail with EOPNOTSUPP.
fn no_mode_setting(guest: &Guest) -> Outcome {
    let file = Gpu::ready(guest)?.open()?;
    for (nr, size) in [(0xa0, 64), (0xa1, 104), (0xa7, 80), (0xae, 28), (0xb5, 16), (0xb6, 32), (0xbc, 56)] {
        let number = uapi::ioc(uapi::DIR_READ | uapi::DIR_WRITE, uapi::DRM, nr, size);
        refuses!(sys::ioctl_bytes(&file.0, number, &mut [0; 104]), OPNOTSUPP, " with number {nr:#x}");
    }
    Ok(())
}

/// Closing a file frees its thousands of handles, and its reference to the module.
fn thousands_in_one_file(guest: &Guest) -> Outcome {
    let gpu = Gpu::ready(guest)?;
    let users = crate::subjects::driver::module_users(MODULE)?;
    let file = gpu.open()?;
    for number in 1..=4000 {
        same!(works!(file.create(number * PAGE_SIZE)), number as u32);
    }
    for number in (1..=4000).step_by(333) {
        same!(works!(file.size(number as u32)), number * PAGE_SIZE);
    }
    holds!(crate::subjects::driver::module_users(MODULE)? > users, "an open file holds the module");
    drop(file);
    same!(crate::subjects::driver::module_users(MODULE)?, users);
    Ok(())
}
