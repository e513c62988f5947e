// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! Groups, queues and tiler heaps, which this driver does not support.
//!
//! Each of their ioctls fails with `EOPNOTSUPP`, as Documentation/gpu/drm-uapi.rst recommends for a
//! driver without a feature ("Recommended IOCTL Return Values"). The C driver returns other errors
//! for wrong arguments, so a client can distinguish the two. The arguments are not checked.

use crate::{
    client::Client,
    driver::Tyr, //
};
use drm::{
    Device,
    File,
    Registered, //
};
use kernel::prelude::*;

/// Fails: there are no groups, queues and heaps.
pub(crate) fn unsupported<A>(
    _dev: &Device<Tyr, Registered>,
    _arg: &mut A,
    _file: &File<Client>,
) -> Result {
    Err(EOPNOTSUPP)
}
