// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! The uapi, generated from the C header through `uapi.h` (kernel/Kbuild).

#![allow(
    missing_docs,
    dead_code,
    unreachable_pub,
    non_camel_case_types,
    clippy::all,
    reason = "generated"
)]

use kernel::prelude::*;

include!(env!("DRIVER_UAPI"));
