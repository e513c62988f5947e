// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The protocol that the lab and the guest's first process share.
//!
//! The crate is two things at once. The binary `drydock-agent` is `/init` in the guest image. This library is the part
//! of it that the lab links too, so that both ends always agree.

#![forbid(unsafe_code)]

pub mod frame;
pub mod protocol;
