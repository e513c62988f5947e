// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! The DRM driver of an NVIDIA GPU, for the auxiliary device that `nova_core` creates. It
//! implements all of `nova_drm.h`.
//!
//! The driver uses the names and numbers of Linux 7.3's own driver (drivers/gpu/drm/nova).

#![forbid(unsafe_code)]

mod buffer;
mod client;
mod driver;
mod uapi;

drm::module_auxiliary_driver! {
    type: driver::Nova,
    name: "nova-drm",
    authors: ["The Drydock authors"],
    description: "Nova: a DRM device for an NVIDIA GPU",
    license: "Dual MIT/GPL",
}
