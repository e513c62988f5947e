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
    /// Arranges that `action` runs when the device is released, that is, when its last reference is
    /// gone, possibly long after its hardware.
    ///
    /// Actions run in reverse order, all before `T::Data` is dropped. `action` cannot borrow; a counted
    /// reference to the device itself in it would keep the device forever.
    ///
    /// # Errors
    ///
    /// `ENOMEM`; `action` has run already then.
    ///
    /// Context: process context, may sleep. `action` runs where the last reference is dropped, which is process context too, and
    /// may sleep; maybe in a process that is ending.
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
    // SAFETY: `dev` is a valid device, with a reference, so that its actions do not run yet; `run` gets the box back, once, now or at
    // release. C copies the name (L20).
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
/// Called by C only, with what `add_action` passed, once (L20).
unsafe extern "C" fn run<F: FnOnce() + Send + 'static>(
    _dev: *mut bindings::drm_device,
    action: *mut c_void,
) {
    // SAFETY: `action` comes from `into_foreign` in `add_action`; C passes it on once (L20).
    let action = unsafe { KBox::<F>::from_foreign(action) };
    KBox::into_inner(action)();
}
