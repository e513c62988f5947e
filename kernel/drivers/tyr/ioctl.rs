// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! The ioctls, by group: each checks the client's arguments and calls what does the work.

pub(crate) mod bo;
pub(crate) mod group;
pub(crate) mod mmio;
pub(crate) mod query;
pub(crate) mod vm;
