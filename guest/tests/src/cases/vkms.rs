// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Mode setting on the virtual display, by ioctls.
//!
//! Source: each file names its own.

pub(crate) mod atomic;
pub(crate) mod c;
pub(crate) mod clients;
pub(crate) mod compat;
pub(crate) mod console;
pub(crate) mod crowd;
pub(crate) mod cursor;
pub(crate) mod devices;
pub(crate) mod enumeration;
pub(crate) mod faults;
pub(crate) mod fence;
pub(crate) mod framebuffer;
pub(crate) mod lease;
pub(crate) mod legacy;
pub(crate) mod outputs;
pub(crate) mod probe;
pub(crate) mod render;
pub(crate) mod screen;
pub(crate) mod sleep;
pub(crate) mod teardown;
pub(crate) mod vblank;
pub(crate) mod wrong;
