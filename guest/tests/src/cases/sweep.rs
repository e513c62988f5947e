// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Makes the 1st, 2nd, 3rd … allocation in each call of a client fail, and each copy from and to the process, until
//! nothing fails and the call succeeds.
//!
//! Every failure must return an error, the file must keep its state, the device must work, and the kernel must report
//! nothing. At the end the module can be unloaded, and no slab cache has grown.
//!
//! Each file has the rows of one driver and the cases; `crate::sweeps` runs them.
//!
//! Source: Documentation/gpu/drm-uapi.rst; each row names its subject.

pub(crate) mod events;
pub(crate) mod nova;
pub(crate) mod tyr;
pub(crate) mod vgem;
pub(crate) mod vkms;
