// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! The tables of the devices that drivers serve.
//!
//! C header: `include/linux/mod_devicetable.h`

use core::marker::PhantomData;
use kernel::device_id::{
    IdArray,
    RawDeviceId, //
};

/// A table of device ids `D`. The driver attaches an `Info` to each.
///
/// The table is made from the array that the kernel crate's macros declare, for the
/// [`platform`](super::platform), [`pci`](super::pci) and [`auxiliary`](super::auxiliary) buses.
/// The kernel crate's trait object for the same purpose is not used, because safe code can
/// implement that trait with any pointer.
///
/// # Invariants
///
/// The pointer refers to an [`IdArray`] that lives as long as the driver's module and ends with an
/// empty entry.
pub struct IdTable<D: RawDeviceId, Info: 'static> {
    ids: *const D::RawType,
    _info: PhantomData<&'static Info>,
}

impl<D: RawDeviceId, Info: 'static> IdTable<D, Info> {
    /// Creates the table of `array`.
    pub const fn new<const N: usize>(array: &'static IdArray<D, Info, N>) -> Self {
        // INVARIANT: An `IdArray` starts with its ids and ends with an empty one.
        Self {
            ids: core::ptr::from_ref(array).cast(),
            _info: PhantomData,
        }
    }

    pub(super) const fn as_ptr(&self) -> *const D::RawType {
        self.ids
    }
}
