// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! The auxiliary bus: parts of a device as devices of their own, each with its driver.
//!
//! A driver that is a parent makes a child in its probe, with [`Probe::add_auxiliary`](super::Probe::add_auxiliary). The
//! child's driver, in another module maybe, is a [`Driver`] here; it gets the data that the parent has for it with
//! [`Probe::parent_data`].
//!
//! C header: `include/linux/auxiliary_bus.h`; kernel document:
//! Documentation/driver-api/auxiliary_bus.rst

use super::{
    Bus,
    Drm,
    Role,
    Sealed, //
};
use kernel::{
    auxiliary::{
        self,
        DeviceId, //
    },
    device::{
        self,
        Bound,
        CoreInternal, //
    },
    device_id::RawDeviceIdIndex,
    prelude::*,
    types::{
        CovariantForLt,
        ForLt, //
    },
    ModuleMetadata, //
};

/// The auxiliary bus.
pub enum Auxiliary {}

impl Sealed for Auxiliary {}
impl Bus for Auxiliary {
    type Device<Ctx: device::DeviceContext> = auxiliary::Device<Ctx>;

    fn as_bound<'a>(dev: &'a auxiliary::Device<CoreInternal<'_>>) -> &'a auxiliary::Device<Bound> {
        dev
    }

    /// A part of a device: its parent, which outlives it.
    fn dma_device(dev: &auxiliary::Device<Bound>) -> Option<&device::Device<Bound>> {
        Some(dev.parent())
    }
}

/// The probe of an auxiliary device. Dereferences to
/// [`auxiliary::Device<Bound>`](kernel::auxiliary::Device), which has the parent and its data.
pub type Probe<'bound> = super::Probe<'bound, Auxiliary>;

/// The auxiliary devices that a driver serves, each with an `Info`; made from the array that
/// [`kernel::auxiliary_device_table!`] declares.
pub type IdTable<Info> = super::IdTable<DeviceId, Info>;

/// A driver for devices of the auxiliary bus: a DRM driver, or in the role [`Parent`](super::Parent) one that has
/// children itself.
///
/// A module with one such driver is declared with
/// [`module_auxiliary_driver!`](crate::module_auxiliary_driver!).
pub trait Driver<R: 'static = Drm>: Role<R> {
    /// What the driver attaches to each device id of its table.
    type IdInfo: 'static;

    /// The match table, of names `MODULE.NAME`: the parent's module and the child's name.
    const ID_TABLE: IdTable<Self::IdInfo>;

    /// A device is there: prepares it and says with which data it is ready, with a [`Ready`](crate::Ready) to be
    /// registered, or a parent's [`Data`](super::parent::Driver::Data).
    ///
    /// The adapter owns what is returned. After an error nothing is left of the device. The parent
    /// is bound for all of `'bound`: it removes its children before anything else. It may be
    /// in its own probe still.
    ///
    /// Context: process context, may sleep; the device's lock is held, and maybe the parent's.
    fn probe<'bound>(
        cx: &Probe<'bound>,
        id: Option<&'bound Self::IdInfo>,
    ) -> Result<Self::Ready<'bound>>;
}

impl<'bound> Probe<'bound> {
    /// What the parent has for this device: the data that its driver gave to
    /// [`add_auxiliary`](super::Probe::add_auxiliary), of the same type `F`.
    ///
    /// The parent is bound, and the data is there, for all of `'bound`: this device goes before.
    ///
    /// # Errors
    ///
    /// `EINVAL` if the parent's data is of another type; `ENOENT` if the parent's driver is not one in Rust, or gave
    /// none. A line in the kernel's log says so.
    ///
    /// Context: process context.
    ///
    /// # Examples
    ///
    /// ```
    /// /// What a card's driver tells the driver of a part: how much memory there is.
    /// type Lent = kernel::types::CovariantForLt!(u64);
    ///
    /// # fn example<'bound>(cx: &drm::auxiliary::Probe<'bound>) -> Result {
    /// let memory: &'bound u64 = cx.parent_data::<Lent>()?;
    /// # let _ = memory;
    /// # Ok(())
    /// # }
    /// ```
    pub fn parent_data<F: CovariantForLt + 'static>(&self) -> Result<&'bound F::Of<'bound>> {
        match self.device().registration_data::<F>() {
            Ok(data) => Ok(Pin::get_ref(data)),
            Err(error) => {
                dev_err!(
                    self,
                    "the parent's data is not what this driver expects: {:?}\n",
                    error
                );
                Err(error)
            }
        }
    }
}

impl<'bound, B: Bus> super::Probe<'bound, B> {
    /// Makes a child on the auxiliary bus: the device `MODULE.NAME.ID`, where `M` is this driver's module
    /// (`crate::LocalModule`).
    ///
    /// `data` is what the child's driver gets from [`parent_data`](Probe::parent_data), under the same type `F`, and no
    /// other. It may borrow from
    /// the time for which this device is bound, and share what the driver keeps by counted reference
    /// (`Arc<Bar<'bound>>`, say). The adapter owns the child. It goes, and its driver with it, as the first
    /// act of the remove step, or when the probe fails.
    ///
    /// # Errors
    ///
    /// `ENOMEM`, what `data` fails with, and `EEXIST` if there is a device of that name and `id`: two devices
    /// of one driver need different ids.
    ///
    /// Context: process context, may sleep; the child's driver may probe inside.
    pub fn add_auxiliary<M: ModuleMetadata, F: ForLt + 'static>(
        &self,
        name: &'static CStr,
        id: u32,
        data: impl PinInit<F::Of<'bound>, Error>,
    ) -> Result
    where
        for<'a> F::Of<'a>: Send + Sync,
    {
        self.concurrent.set(true);
        // SAFETY: The list owns the registration and drops it while this device is bound: in the
        // remove step or when the probe fails. It cannot be forgotten, the driver never gets it (L26).
        let child = unsafe {
            auxiliary::Registration::<'bound, F>::new_with_lt(
                self.parent(),
                name,
                id,
                M::NAME,
                data,
            )
        };

        self.owned.children.add(child).map(drop)
    }
}

adapter! {
    Auxiliary, "auxiliary": auxiliary_driver of auxiliary_device,
    __auxiliary_driver_register, auxiliary_driver_unregister,
    fill(drv): {
        (*drv).name = T::NAME.as_char_ptr();
        (*drv).id_table = T::ID_TABLE.as_ptr();
    }
    // SAFETY: The entry is of the table of `T`, whose infos are `T::IdInfo`; or one without an info (L20).
    probe(adev, id: auxiliary_device_id): unsafe {
        (*id.cast::<DeviceId>()).info_unchecked_opt::<T::IdInfo>()
    },
}
