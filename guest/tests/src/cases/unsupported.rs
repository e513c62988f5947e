// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Calls that a device without mode setting and syncobjs refuses.
//!
//! Source: the feature checks of `drm_syncobj.c`, `drm_mode_*.c`, `drm_vblank.c` (Linux 7.3).

use uapi::{DIR_READ, DIR_WRITE, DRM};

use crate::harness::check::Outcome;
use crate::refuses;
use crate::subjects::guest::Guest;

super::cases! {
    "unsupported":
    syncobjs, mode_setting_queries, framebuffer_query, mode_setting_changes, vertical_blanking, atomic_commit,
    changing_a_handle, setting_the_unique_name,
}

/// Returns the number of an ioctl with the size and direction of the header's structure, for an argument of zeros.
fn zeros(nr: u8, size: usize) -> u32 {
    uapi::ioc(DIR_READ | DIR_WRITE, DRM, nr, size)
}

/// Syncobj ioctls fail with `EOPNOTSUPP` on either node, since vgem does not announce `DRIVER_SYNCOBJ`.
fn syncobjs(guest: &Guest) -> Outcome {
    let ioctls = [
        (0xbf, 8),
        (0xc0, 8),
        (0xc1, 24),
        (0xc2, 24),
        (0xc3, 40),
        (0xc4, 16),
        (0xc5, 16),
        (0xca, 48),
        (0xcb, 24),
        (0xcc, 32),
        (0xcd, 24),
        (0xcf, 24),
    ];
    for file in [guest.open()?, guest.open_render()?] {
        for (nr, size) in ioctls {
            refuses!(sys::ioctl_bytes(&file, zeros(nr, size), &mut [0; 48]), OPNOTSUPP, " with number {nr:#x}");
        }
    }
    Ok(())
}

/// Queries of resources, planes, properties and framebuffers fail with `EOPNOTSUPP`.
fn mode_setting_queries(guest: &Guest) -> Outcome {
    let file = guest.open()?;
    let ioctls = [
        (0xa0, 64),
        (0xa1, 104),
        (0xa4, 32),
        (0xa6, 20),
        (0xa7, 80),
        (0xaa, 64),
        (0xac, 16),
        (0xad, 28),
        (0xb5, 16),
        (0xb6, 32),
        (0xb9, 32),
    ];
    for (nr, size) in ioctls {
        refuses!(sys::ioctl_bytes(&file, zeros(nr, size), &mut [0; 104]), OPNOTSUPP, " with number {nr:#x}");
    }
    Ok(())
}

/// `GETFB2` fails with `EINVAL`, unlike similar calls, which fail with EOPNOTSUPP.
fn framebuffer_query(guest: &Guest) -> Outcome {
    refuses!(sys::ioctl_bytes(guest.open()?, zeros(0xce, 104), &mut [0; 104]), INVAL);
    Ok(())
}

/// Changes of modes, framebuffers, blobs and leases fail with `EOPNOTSUPP`, even for the master.
fn mode_setting_changes(guest: &Guest) -> Outcome {
    let file = guest.open()?;
    let ioctls = [
        (0xa2, 104),
        (0xa3, 28),
        (0xa5, 32),
        (0xae, 28),
        (0xaf, 4),
        (0xb0, 24),
        (0xb1, 24),
        (0xb7, 48),
        (0xb8, 104),
        (0xba, 24),
        (0xbb, 36),
        (0xbd, 16),
        (0xbe, 4),
        (0xc6, 24),
        (0xc7, 16),
        (0xc8, 16),
        (0xc9, 4),
        (0xd0, 8),
    ];
    for (nr, size) in ioctls {
        refuses!(sys::ioctl_bytes(&file, zeros(nr, size), &mut [0; 104]), OPNOTSUPP, " with number {nr:#x}");
    }
    Ok(())
}

/// Waiting for vertical blanking fails with `EOPNOTSUPP`: the device has no display.
fn vertical_blanking(guest: &Guest) -> Outcome {
    let file = guest.open()?;
    for (nr, size) in [(0x3a, 24), (0x3b, 24), (0x3c, 24)] {
        refuses!(sys::ioctl_bytes(&file, zeros(nr, size), &mut [0; 24]), OPNOTSUPP, " with number {nr:#x}");
    }
    Ok(())
}

/// An atomic commit fails with `EOPNOTSUPP` without `DRIVER_ATOMIC`.
fn atomic_commit(guest: &Guest) -> Outcome {
    refuses!(sys::ioctl_bytes(guest.open()?, zeros(0xbc, 56), &mut [0; 56]), OPNOTSUPP);
    Ok(())
}

/// `GEM_CHANGE_HANDLE` fails with `EINVAL`: it is switched off for all drivers.
fn changing_a_handle(guest: &Guest) -> Outcome {
    let file = guest.open()?;
    let handle = crate::works!(file.pages(1));
    let wanted = uapi::GemChangeHandle { handle, new_handle: handle + 1 };
    refuses!(file.ioctl(&uapi::GEM_CHANGE_HANDLE, wanted), INVAL);
    Ok(())
}

/// `SET_UNIQUE` is obsolete and fails with `EINVAL`, even for a master with all capabilities.
fn setting_the_unique_name(guest: &Guest) -> Outcome {
    let number = uapi::ioc(DIR_WRITE, DRM, 0x10, 16);
    refuses!(sys::ioctl_bytes(guest.open()?, number, &mut [0; 16]), INVAL);
    Ok(())
}
