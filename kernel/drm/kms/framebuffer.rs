// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! Framebuffers: buffers with a size and a format, for planes to show.
//!
//! C headers: `include/drm/drm_framebuffer.h`, `include/drm/drm_gem_framebuffer_helper.h`

mod map;
mod maps;

pub use map::{
    Map,
    Pixels, //
};

pub(super) use maps::Maps;

use super::Driver;
use crate::raw;
use core::{
    marker::PhantomData,
    ops::Deref,
    ptr::NonNull, //
};
use kernel::{
    bindings,
    error::to_result,
    prelude::*,
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
    info: *const raw::drm_format_info,
    command: *const bindings::drm_mode_fb_cmd2,
) -> *mut raw::drm_framebuffer {
    let create = || {
        // The allocator zeroes the memory, as it does anyway on many kernels, and nothing zeroes it
        // again. Zeros are a framebuffer before its initialisation.
        let mut this = KBox::<Framebuffer<T>>::new_uninit(GFP_KERNEL | __GFP_ZERO)?;
        // SAFETY: C passes a device of driver `T`, one of its files, a format and a request that it
        // has checked. The memory is zeroed, and the C framebuffer is at offset 0. The objects come
        // from the file's handles, so they are of the driver's class (L12), and C checks that each
        // is large enough (K23, K24).
        to_result(unsafe {
            raw::drm_gem_fb_init_with_funcs(
                dev,
                this.as_mut_ptr().cast(),
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

/// A counted reference to a framebuffer. Only mappings have one: the last may free the framebuffer,
/// which takes locks, and they are dropped in process context (K30).
///
/// # Invariants
///
/// The value owns a reference to the framebuffer.
struct Counted<T: Driver>(NonNull<Framebuffer<T>>);

impl<T: Driver> Counted<T> {
    fn new(framebuffer: &Framebuffer<T>) -> Self {
        // SAFETY: A reference to the framebuffer is held, so its count is not zero (K23).
        unsafe { raw::drm_mode_object_get(&raw mut (*framebuffer.as_raw()).base) };
        // INVARIANT: The reference was just taken.
        Self(NonNull::from(framebuffer))
    }
}

impl<T: Driver> Deref for Counted<T> {
    type Target = Framebuffer<T>;

    fn deref(&self) -> &Framebuffer<T> {
        // SAFETY: By the type invariants (K23).
        unsafe { self.0.as_ref() }
    }
}

impl<T: Driver> Drop for Counted<T> {
    fn drop(&mut self) {
        // SAFETY: By the type invariants; the reference is not used again (K23).
        unsafe { raw::drm_mode_object_put(&raw mut (*self.as_raw()).base) };
    }
}

// SAFETY: References are counted by C in any thread, and the framebuffer is `Send + Sync` (L15).
unsafe impl<T: Driver> Send for Counted<T> {}

// SAFETY: As for `Send` (L15).
unsafe impl<T: Driver> Sync for Counted<T> {}

// SAFETY: C does its own locking, and nothing changes a framebuffer after its creation (L15).
unsafe impl<T: Driver> Send for Framebuffer<T> {}

// SAFETY: As for `Send` (L15).
unsafe impl<T: Driver> Sync for Framebuffer<T> {}
