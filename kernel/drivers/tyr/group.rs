// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! Groups, queues and tiler heaps: what this driver does not have.
//!
//! Each of their ioctls answers `EOPNOTSUPP`, which is what a driver without a feature says
//! (Documentation/gpu/drm-uapi.rst, "Recommended IOCTL Return Values"), and not what C says for a wrong argument: so a
//! client can tell one from the other. It looks at no argument.

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

impl Client {
    /// There are no groups, queues and heaps.
    pub(crate) fn unsupported<A>(
        _dev: &Device<Tyr, Registered>,
        _arg: &mut A,
        _file: &File<Self>,
    ) -> Result {
        Err(EOPNOTSUPP)
    }
}
