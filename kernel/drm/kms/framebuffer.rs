// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! Framebuffers: buffers with a size and a format, for planes to show.
//!
//! C headers: `include/drm/drm_framebuffer.h`, `include/drm/drm_gem_framebuffer_helper.h`

mod map;

pub use map::{
    Map,
    Pixels, //
};

use super::Driver;
use crate::raw;
use core::{
    marker::PhantomData,
    ptr::NonNull, //
};
use kernel::{
    bindings,
    error::to_result,
    prelude::*,
    sync::aref::AlwaysRefCounted,
    types::Opaque, //
};

/// A framebuffer of driver `T`.
///
/// # Invariants
///
/// - `raw` is initialised and lies in a `KBox` of `Self` that C owns through `destroy`.
/// - It holds references to its objects, which are of the driver's class. Those hold references to
///   the device (L11, K23).
#[repr(C)]
pub struct Framebuffer<T: Driver> {
    raw: Opaque<raw::drm_framebuffer>,
    _class: PhantomData<fn(T) -> T>,
}

impl<T: Driver> Framebuffer<T> {
    const FUNCS: raw::drm_framebuffer_funcs = raw::drm_framebuffer_funcs {
        destroy: Some(Self::destroy),
        create_handle: Some(raw::drm_gem_fb_create_handle),
        dirty: if T::COPIES {
            Some(raw::drm_atomic_helper_dirtyfb)
        } else {
            None
        },
    };

    /// # Safety
    ///
    /// `framebuffer` is one of a device of driver `T`, and a reference to it is held for `'a` (K23).
    pub(super) unsafe fn from_raw<'a>(framebuffer: *mut raw::drm_framebuffer) -> &'a Self {
        // SAFETY: By the requirement; the C framebuffer is at offset 0 (K23).
        unsafe { &*framebuffer.cast() }
    }

    fn as_raw(&self) -> *mut raw::drm_framebuffer {
        self.raw.get()
    }

    /// Returns the width in pixels.
    pub fn width(&self) -> u32 {
        // SAFETY: The framebuffer is initialised, and the field does not change after that (K23).
        unsafe { (*self.as_raw()).width }
    }

    /// Returns the height in lines.
    pub fn height(&self) -> u32 {
        // SAFETY: As above (K23).
        unsafe { (*self.as_raw()).height }
    }

    /// Returns the format, as a fourcc code of `include/uapi/drm/drm_fourcc.h`.
    pub fn format(&self) -> u32 {
        // SAFETY: As above. C's table of formats is a constant (K23).
        unsafe { (*(*self.as_raw()).format).format }
    }

    /// # Safety
    ///
    /// Called only by C, as documented for the table that contains it (L20).
    unsafe extern "C" fn destroy(framebuffer: *mut raw::drm_framebuffer) {
        // SAFETY: C passes a framebuffer with this table, whose last reference was dropped. It is
        // the box made in `create`. The objects come last: each may hold the last reference to the
        // device, which the other steps need (K23).
        unsafe {
            let objects = (*framebuffer).obj;
            raw::drm_framebuffer_cleanup(framebuffer);
            drop(KBox::from_raw(framebuffer.cast::<Self>()));
            for object in objects.into_iter().filter(|object| !object.is_null()) {
                raw::drm_rust_gem_object_put(object);
            }
        }
    }
}

/// Implements `drm_mode_config_funcs::fb_create`.
///
/// # Safety
///
/// Called only by C, as documented for the table that contains it (L20).
pub(super) unsafe extern "C" fn create<T: Driver>(
    dev: *mut bindings::drm_device,
    file: *mut bindings::drm_file,
    info: *const bindings::drm_format_info,
    command: *const bindings::drm_mode_fb_cmd2,
) -> *mut raw::drm_framebuffer {
    let create = || {
        let this = KBox::new(
            Framebuffer::<T> {
                raw: Opaque::zeroed(),
                _class: PhantomData,
            },
            GFP_KERNEL,
        )?;
        // SAFETY: C passes a device of driver `T`, one of its files, a format and a request that it
        // has checked. The memory is zeroed. The objects come from the file's handles, so they are
        // of the driver's class (L12), and C checks that each is large enough (K23, K24).
        to_result(unsafe {
            raw::drm_gem_fb_init_with_funcs(
                dev,
                this.raw.get(),
                file,
                info,
                command,
                &Framebuffer::<T>::FUNCS,
            )
        })?;
        Ok(KBox::into_raw(this).cast())
    };
    create().unwrap_or_else(|error: Error| error.to_ptr())
}

// SAFETY: References are counted by C, which calls `destroy` for the last (K23).
unsafe impl<T: Driver> AlwaysRefCounted for Framebuffer<T> {
    fn inc_ref(&self) {
        // SAFETY: `self` proves that the count is not zero (K23).
        unsafe { raw::drm_mode_object_get((&raw mut (*self.raw.get()).base).cast()) };
    }

    unsafe fn dec_ref(obj: NonNull<Self>) {
        // SAFETY: The caller owns a reference and drops it here (K23).
        unsafe {
            raw::drm_mode_object_put((&raw mut (*obj.as_ref().raw.get()).base).cast());
        }
    }
}

// SAFETY: C does its own locking, and nothing changes a framebuffer after its creation (L15).
unsafe impl<T: Driver> Send for Framebuffer<T> {}

// SAFETY: As for `Send` (L15).
unsafe impl<T: Driver> Sync for Framebuffer<T> {}
