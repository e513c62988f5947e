// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! Dumb buffers: memory that a client can draw into without driver-specific calls.
//!
//! Source: drivers/gpu/drm/drm_dumb_buffers.c, `include/uapi/drm/drm_mode.h`

use super::{
    shmem,
    Class,
    DriverObject,
    Size, //
};
use crate::{
    Device,
    Driver,
    File,
    Registered, //
};
use kernel::{
    bindings,
    error::{
        from_result,
        to_result, //
    },
    prelude::*, //
};

/// Implements `drm_driver::dumb_create` for the class [`shmem::Object`].
///
/// C's own function is not used, so that the object is of the driver's class (L12).
///
/// # Safety
///
/// Called only by C, as documented for the table that contains it (L20).
pub(super) unsafe extern "C" fn create<P: DriverObject>(
    file: *mut bindings::drm_file,
    dev: *mut bindings::drm_device,
    args: *mut bindings::drm_mode_create_dumb,
) -> c_int
where
    P::Driver: Driver<Object = shmem::Object<P>>,
{
    from_result(|| {
        // SAFETY: C passes valid pointers. The call fills in pitch and size, and checks for
        // overflows (L13).
        to_result(unsafe { crate::raw::drm_mode_size_dumb(dev, args, 0, 0) })?;
        // SAFETY: C calls this from an ioctl on `file`. C has checked that the file is open on
        // `dev`, a device of driver `P::Driver` (L9, L14, L27).
        let (dev, file) = unsafe {
            (
                Device::<P::Driver, Registered>::from_raw(dev),
                File::from_raw(file),
            )
        };
        // SAFETY: As above, and no other code uses `args` (L20).
        let args = unsafe { &mut *args };

        let size = Size::exact(args.size)?;
        let obj = shmem::Object::<P>::new(dev, size, P::dumb(dev, size)?)?;
        args.handle = obj.create_handle(file)?;
        Ok(0)
    })
}
