// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Makes the 1st, 2nd, 3rd … call of a kernel function fail, until nothing fails and what was attempted succeeds.
//!
//! ```text
//! calls     → one function, within a probe, a load or an ioctl    common, sharing, syncobj → rows of several drivers
//! operation → a row of a table of a client's calls                run                      → runs tables
//! ```
//!
//! Source: each file names its own.

pub(crate) mod calls;
pub(crate) mod common;
pub(crate) mod operation;
pub(crate) mod run;
pub(crate) mod sharing;
pub(crate) mod syncobj;
