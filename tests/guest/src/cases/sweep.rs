// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Each call that a client makes, with the 1st, 2nd, 3rd … allocation in it made to fail, and each copy from and to the process,
//! until nothing fails and it succeeds.
//!
//! Every failure is answered with an error, the file has what it had, the device works, and the kernel has nothing to say. At the
//! end the module can go, and no slab cache has grown.
//!
//! ```text
//! operation → what a row of a table is     common, sharing, syncobj → rows of several drivers
//! run       → carries tables out           vgem, events, nova, tyr  → rows of one, and the cases
//! ```
//!
//! Source: Documentation/gpu/drm-uapi.rst; the rows name what they are about.

mod common;
pub(crate) mod events;
pub(crate) mod nova;
mod operation;
mod run;
mod sharing;
mod syncobj;
pub(crate) mod tyr;
pub(crate) mod vgem;
