// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! Managed actions: closures that run when a device is released.
//!
//! C header: `include/drm/drm_managed.h`

use crate::{
    Device,
    DeviceContext,
    Driver, //
};
use core::ffi::c_void;
use kernel::{
    bindings,
    error::to_result,
    prelude::*,
    types::ForeignOwnable, //
};

impl<T: Driver, C: DeviceContext> Device<T, C> {
    /// Registers `action` to run when the device is released. That is when its last reference is
    /// dropped, possibly long after its hardware is unplugged.
    ///
    /// Actions run in reverse order, all before `T::Data` is dropped. `action` cannot borrow. A
    /// counted reference to the device itself in it would keep the device forever.
    ///
    /// # Errors
    ///
    /// Fails with `ENOMEM`. `action` has already run then.
    ///
    /// Context: process context, may sleep. `action` runs where the last reference is dropped. That
    /// is process context too, possibly of an exiting process, and may sleep.
    ///
    /// # Examples
    ///
    /// ```
    /// # fn example(dev: &Device<Mini>, firmware: KVec<u8>) -> Result {
    /// dev.add_action(move || {
    ///     pr_info!("{} bytes of firmware are freed\n", firmware.len());
    /// })
    /// # }
    /// ```
    pub fn add_action(&self, action: impl FnOnce() + Send + 'static) -> Result {
        match KBox::new_uninit(GFP_KERNEL) {
            Ok(slot) => add_action(self.as_raw(), slot.write(action)),
            Err(_) => {
                action();
                Err(ENOMEM)
            }
        }
    }
}

fn add_action<F: FnOnce() + Send + 'static>(
    dev: *mut bindings::drm_device,
    action: KBox<F>,
) -> Result {
    // SAFETY: `dev` is a valid device with a reference, so its actions do not run yet. `run` takes
    // the box back once, now or at release. C copies the name (L20).
    to_result(unsafe {
        crate::raw::__drmm_add_action_or_reset(
            dev,
            Some(run::<F>),
            action.into_foreign(),
            c"drm_rust: managed action".as_char_ptr(),
        )
    })
}

/// # Safety
///
/// Called only by C, with the argument that `add_action` passed, once (L20).
unsafe extern "C" fn run<F: FnOnce() + Send + 'static>(
    _dev: *mut bindings::drm_device,
    action: *mut c_void,
) {
    // SAFETY: `action` comes from `into_foreign` in `add_action`. C passes it on once (L20).
    let action = unsafe { KBox::<F>::from_foreign(action) };
    KBox::into_inner(action)();
}
