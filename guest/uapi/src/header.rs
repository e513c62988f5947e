// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Everything that can be compared with the kernel's headers. Only `tests/headers.rs` uses it.

use crate::{core_ioctls, dma_buf, fb, mode, nova, sync, test_drivers, tyr, vgem, vkms};

/// A structure as a C compiler sees it.
pub struct Structure {
    /// The name in C, after `struct`.
    pub c: &'static str,
    /// The size in bytes.
    pub size: usize,
    /// The name of each field here, with its offset.
    pub fields: &'static [(&'static str, usize)],
}

/// A number in C: its name, the size of its type in bytes, and its value.
pub type Number = (&'static str, usize, u64);

/// All structures, by module.
pub const STRUCTURES: &[&[Structure]] = &[
    core_ioctls::STRUCTURES,
    dma_buf::STRUCTURES,
    mode::STRUCTURES,
    nova::STRUCTURES,
    sync::STRUCTURES,
    test_drivers::STRUCTURES,
    tyr::STRUCTURES,
    vgem::STRUCTURES,
    vkms::STRUCTURES,
];

/// All ioctl numbers and constants, by module.
pub const NUMBERS: &[&[Number]] = &[
    core_ioctls::REQUESTS,
    core_ioctls::CONSTANTS,
    dma_buf::REQUESTS,
    dma_buf::CONSTANTS,
    fb::REQUESTS,
    fb::CONSTANTS,
    mode::REQUESTS,
    mode::CONSTANTS,
    nova::REQUESTS,
    nova::CONSTANTS,
    sync::REQUESTS,
    sync::CONSTANTS,
    test_drivers::REQUESTS,
    test_drivers::CONSTANTS,
    tyr::REQUESTS,
    tyr::CONSTANTS,
    vgem::REQUESTS,
    vgem::CONSTANTS,
    vkms::REQUESTS,
];
