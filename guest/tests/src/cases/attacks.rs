// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Attacks on the library by safe code; the kernel survives each of them (docs/explain/attacks.md).
//!
//! The runner fails a case if the kernel reports anything. Source: `kernel/tests/attacks`,
//! `kernel/tests/display_attacks`.

pub(crate) mod callbacks;
pub(crate) mod children;
pub(crate) mod clients;
pub(crate) mod displays;
pub(crate) mod fences;
pub(crate) mod modules;
pub(crate) mod objects;
pub(crate) mod registers;
pub(crate) mod registration;
pub(crate) mod spaces;
