// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A driver opens the gate of `init_kms` for itself.

include!("../driver.rs");

impl kms::ReadyIn<Uninit> for kms::Kms {} //~ WRONG
