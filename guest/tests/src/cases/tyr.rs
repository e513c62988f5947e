// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The driver of a Mali GPU: its answers to clients of panthor's interface, the GPU's view of them, and its life cycle.
//!
//! Source: `include/uapi/drm/panthor_drm.h`, `drivers/gpu/drm/panthor` (Linux 7.3).

pub(crate) mod bind;
pub(crate) mod bo;
pub(crate) mod client;
pub(crate) mod compat;
pub(crate) mod faults;
pub(crate) mod flush;
pub(crate) mod hangs;
pub(crate) mod identity;
pub(crate) mod ioctl;
pub(crate) mod life;
pub(crate) mod page_faults;
pub(crate) mod prime;
pub(crate) mod probe;
pub(crate) mod query;
pub(crate) mod queue;
pub(crate) mod race;
pub(crate) mod sequence;
pub(crate) mod sleep;
pub(crate) mod view;
pub(crate) mod vm;
