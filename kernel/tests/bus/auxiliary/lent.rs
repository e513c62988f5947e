// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! The data that the parent lends its children. This file is part of both modules, so they agree on
//! the type.

use drm::gem;
use kernel::{
    device::Bound,
    platform,
    prelude::*,
    sync::{
        atomic::Atomic,
        Arc, //
    },
    types::CovariantForLt, //
};

/// The number of calls of the children, and the parent device for as long as it is bound.
pub(crate) type Lent = CovariantForLt!((Arc<Atomic<i32>>, &'_ platform::Device<Bound>));

/// The name of the children.
pub(crate) const NAME: &CStr = c"part";

/// The payload of both drivers' buffers. Every driver must have buffers, but these two do not use
/// any.
pub(crate) struct Buffer<T>(core::marker::PhantomData<fn(T)>);

#[vtable]
impl<T> gem::DriverObject for Buffer<T>
where
    T: drm::Driver<Object = gem::shmem::Object<Buffer<T>>>,
{
    type Driver = T;
    type Args = ();

    fn new(_dev: &drm::Device<T>, _size: gem::Size, _args: ()) -> impl PinInit<Self, Error> {
        Ok(Self(core::marker::PhantomData))
    }

    fn import(_dev: &drm::Plugged<'_, T>, _size: gem::Size) -> Result {
        Ok(())
    }
}
