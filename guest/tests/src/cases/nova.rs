// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The two drivers of an NVIDIA GPU: the DRM driver's answers, and the life cycle of both.
//!
//! Source: `include/uapi/drm/nova_drm.h`, `drivers/gpu/drm/nova`, `drivers/gpu/nova-core` (Linux 7.3).

pub(crate) mod client;
pub(crate) mod faults;
pub(crate) mod flight;
pub(crate) mod identity;
pub(crate) mod life;
pub(crate) mod object;
pub(crate) mod order;
pub(crate) mod param;
pub(crate) mod probe;
pub(crate) mod race;
