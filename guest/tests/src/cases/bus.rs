// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The buses other than the platform bus, with one test driver for each (`kernel/tests/bus`).
//!
//! Source: `Documentation/driver-api/driver-model/binding.rst`, the layout of `/sys/bus`.

pub(crate) mod auxiliary;
pub(crate) mod edu;
pub(crate) mod faux;
pub(crate) mod twins;
