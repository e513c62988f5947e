// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Tools of every case, without knowledge of drivers: checks of an answer, calls that fail, modules, the kernel's log.
//!
//! Source: each file names its own.

pub(crate) mod check;
pub(crate) mod compat;
pub(crate) mod failnth;
pub(crate) mod inject;
pub(crate) mod modules;
pub(crate) mod slabs;
pub(crate) mod trace;
