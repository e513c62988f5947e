// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Page tables as a Mali GPU's MMU reads them: the AARCH64 stage 1 format with granules of 4 KiB.
//!
//! Source: Arm Architecture Reference Manual, "VMSAv8-64 translation table format descriptors";
//! `drivers/iommu/io-pgtable-arm.c` (format `ARM_64_LPAE_S1`) and `drivers/gpu/drm/panthor/panthor_mmu.c` of Linux 7.3
//! for the attributes that the GPU's driver uses.
//!
//! [`PageTable`] is the driver's side: it maps and unmaps, in tables whose pages a [`TablePool`] allocates and frees.
//! [`walk`] is the hardware's side: it reads entries by physical address, and returns the result of an access.
//! [`survey`] visits all entries.
//!
//! | level | an entry spans | can be a block |
//! |---|---|---|
//! | 0 | 512 GiB | no |
//! | 1 | 1 GiB | yes |
//! | 2 | 2 MiB | yes |
//! | 3 | 4 KiB | is a page |

#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

mod entry;
mod geometry;
mod split;
mod survey;
mod table;
mod walk;

#[cfg(test)]
mod testing;

pub use entry::{Attributes, memory};
pub use geometry::{BLOCK_SIZE, Geometry, PAGE_SIZE};
pub use survey::{SurveyError, survey};
pub use table::{Error, PageTable, TablePage, TablePool};
pub use walk::{Access, Fault, FaultKind, Translation, WalkError, walk};
