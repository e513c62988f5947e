// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! The auxiliary bus: parts of a device as devices of their own, each with its own driver.
//!
//! The driver of a parent creates a child in its probe, with
//! [`Probe::add_auxiliary`](super::Probe::add_auxiliary). The child's driver, possibly in another
//! module, is a [`Driver`] here. [`Probe::parent_data`] gives it the data that the parent lends to
//! it.
//!
//! C header: `include/linux/auxiliary_bus.h`; kernel document:
//! Documentation/driver-api/auxiliary_bus.rst

use super::{
    bus_name,
    is_name,
    Bus,
    Drm,
    Role,
    Sealed, //
};
use crate::{
    bus::Lend,
    module::ModuleRuntime,
    raw, //
};
use core::marker::PhantomData;
use kernel::{
    auxiliary::{
        self,
        DeviceId, //
    },
    bindings,
    device::{
        self,
        Bound,
        CoreInternal, //
    },
    device_id::RawDeviceIdIndex,
    module::this_module,
    prelude::*,
    types::{
        CovariantForLt,
        ForLt, //
    },
};

/// The auxiliary bus.
pub enum Auxiliary {}

impl Sealed for Auxiliary {}
impl Bus for Auxiliary {
    type Device<Ctx: device::DeviceContext> = auxiliary::Device<Ctx>;

    fn as_bound<'a>(dev: &'a auxiliary::Device<CoreInternal<'_>>) -> &'a auxiliary::Device<Bound> {
        dev
    }

    /// Returns the device's parent, which outlives the device.
    fn dma_device(dev: &auxiliary::Device<Bound>) -> Option<&device::Device<Bound>> {
        Some(dev.parent())
    }
}

/// The probe of an auxiliary device. It dereferences to
/// [`auxiliary::Device<Bound>`](kernel::auxiliary::Device), which has the parent and its data.
pub type Probe<'bound> = super::Probe<'bound, Auxiliary>;

/// The auxiliary devices that a driver serves, each with an `Info`. It is made from the array that
/// [`kernel::auxiliary_device_table!`] declares.
pub type IdTable<Info> = super::IdTable<DeviceId, Info>;

/// A driver for devices of the auxiliary bus: a DRM driver, or in the role
/// [`Parent`](super::Parent) a driver whose devices have children of their own.
///
/// Declare a module with one such driver with
/// [`module_auxiliary_driver!`](crate::module_auxiliary_driver!).
pub trait Driver<R: 'static = Drm>: Role<R> {
    /// The data that the driver attaches to each device id of its table.
    type IdInfo: 'static;

    /// The match table, of names `MODULE.NAME`: the parent's module and the child's name.
    const ID_TABLE: IdTable<Self::IdInfo>;

    /// Prepares the device. Returns a [`Ready`](crate::Ready) to be registered, or a parent's
    /// [`Data`](super::parent::Driver::Data).
    ///
    /// The adapter owns the result. After an error nothing is left of the device. The parent is
    /// bound for all of `'bound`: it removes its children before anything else. It may still be in
    /// its own probe.
    ///
    /// Context: process context, may sleep; the device's lock is held, and possibly the parent's.
    fn probe<'bound>(
        cx: &Probe<'bound>,
        id: Option<&'bound Self::IdInfo>,
    ) -> Result<Self::Ready<'bound>>;
}

impl<'bound> Probe<'bound> {
    /// Returns the data that the parent lends to this device: the data passed to
    /// [`add_auxiliary`](super::Probe::add_auxiliary), under the same type `F`.
    ///
    /// The parent is bound and the data exists for all of `'bound`, because this device is removed
    /// before them. (The kernel crate lets a driver create auxiliary devices for which this does
    /// not hold, by forgetting `kernel::auxiliary::Registration`; see "What we trust" in
    /// docs/reference/holes.md.)
    ///
    /// The parent's module stays loaded until this driver's module is unloaded, because the data
    /// may contain references that outlive the data (`&'static CStr`).
    ///
    /// # Errors
    ///
    /// Fails with `EINVAL` if the parent's data is of another type or was not lent with
    /// `add_auxiliary`. Fails with `ENOENT`, and a line in the kernel's log, if the parent's driver
    /// is not a Rust driver or lent no data. Fails with `ENOMEM`.
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
        let lent = self
            .device()
            .registration_data::<LentFor<F>>()
            .inspect_err(|error| {
                dev_err!(
                    self,
                    "the parent's data is not what this driver expects: {:?}\n",
                    error
                )
            })?;
        let lent = Pin::get_ref(lent);
        // SAFETY: The parent is bound to a driver of the module that lent this, so that module is
        // loaded (L15).
        unsafe { self.keep_module(lent.owner) }?;
        Ok(&lent.data)
    }
}

/// Lent data, with the module that lent it.
#[pin_data]
struct Lent<T> {
    owner: &'static ThisModule,
    #[pin]
    data: T,
}

/// [`Lent`] data of the type `F`.
///
/// Drivers cannot name this type. So the kernel crate's own accessors of a child's data return
/// `EINVAL` for data that was lent here. Likewise, [`Probe::parent_data`] refuses data of the
/// kernel crate's `auxiliary::Registration`.
struct LentFor<F>(PhantomData<fn(F)>);

impl<F: CovariantForLt> ForLt for LentFor<F> {
    type Of<'a> = Lent<F::Of<'a>>;
}

// SAFETY: The data is covariant in its lifetime, and so is a structure that contains it (L8).
unsafe impl<F: CovariantForLt> CovariantForLt for LentFor<F> {}

impl<'bound, B: Bus> super::Probe<'bound, B> {
    /// Creates a child on the auxiliary bus: the device `MODULE.NAME.ID`, where `M` is this
    /// driver's module (`crate::LocalModule`).
    ///
    /// The child's driver gets `data` from [`parent_data`](Probe::parent_data), only under the same
    /// type `F`. The data may borrow from the time during which this device is bound. It may share
    /// what the driver keeps by counted reference, such as an `Arc<Bar<'bound>>`. Its type must be
    /// one that can be [lent](Lend): the two drivers may be in different modules, and the child
    /// must not be able to leave anything of its own in the data.
    ///
    /// The adapter owns the child. It unbinds and removes the child as the first act of the remove
    /// step, or when the probe fails.
    ///
    /// # Errors
    ///
    /// - Fails with `EINVAL` if the module's declaration gives it another name than its file has. C
    ///   drivers match devices by that name, and would take this one for a device of the module
    ///   that really has the name.
    /// - Fails with `EINVAL` if `name` is empty, too long (`MODULE.NAME` has at most 39 bytes), or
    ///   has anything but printable ASCII characters without spaces and slashes.
    /// - Fails with `EEXIST` if a device of that name and `id` exists: two devices of one driver
    ///   need different ids.
    /// - Fails with `ENOMEM` and with any error from `data`.
    ///
    /// Context: process context, may sleep; the child's driver may probe inside this call.
    pub fn add_auxiliary<M: ModuleRuntime, F: CovariantForLt + 'static>(
        &self,
        name: &'static CStr,
        id: u32,
        data: impl PinInit<F::Of<'bound>, Error>,
    ) -> Result
    where
        for<'a> F::Of<'a>: Lend + Send + Sync,
    {
        let owner = this_module::<M>();
        // SAFETY: `M` is the type of a loaded module, by the trait; its name lies in it (L15).
        let module = unsafe { CStr::from_char_ptr(raw::drm_rust_module_name(owner.as_ptr())) };
        if !is_same_module_name(module, M::NAME) {
            dev_err!(
                self,
                "the module {} is declared under the name {}\n",
                module,
                M::NAME
            );
            return Err(EINVAL);
        }
        // A driver's table has no room for longer names, and C warns about very long ones.
        let length = M::NAME.count_bytes() + c".".count_bytes() + name.count_bytes();
        if !is_name(name) || length >= bindings::AUXILIARY_NAME_SIZE as usize {
            return Err(EINVAL);
        }
        self.concurrent.set(true);
        // SAFETY: The list owns the registration and drops it while this device is bound: in the
        // remove step or when the probe fails. The registration cannot be forgotten, because the
        // driver never gets it (L26). The child cannot store a borrow of the data in the data: the
        // type is covariant, and only plain values can change in a `Lend` type (L8).
        let child = unsafe {
            auxiliary::Registration::<'bound, LentFor<F>>::new_with_lt(
                self.parent(),
                name,
                id,
                M::NAME,
                try_pin_init!(Lent { owner, data <- data }? Error),
            )
        };

        self.owned.children.add(child).map(drop)
    }
}

/// Returns whether two names are names of one module: Kbuild turns the dashes of a file's name into
/// underscores.
fn is_same_module_name(a: &CStr, b: &CStr) -> bool {
    fn folded(name: &CStr) -> impl Iterator<Item = u8> + '_ {
        let bytes = name.to_bytes().iter();
        bytes.map(|&byte| if byte == b'-' { b'_' } else { byte })
    }
    folded(a).eq(folded(b))
}

adapter! {
    Auxiliary, "auxiliary": auxiliary_driver of auxiliary_device,
    __auxiliary_driver_register, auxiliary_driver_unregister,
    fill(drv): {
        (*drv).name = bus_name::<T, R>().as_char_ptr();
        (*drv).id_table = T::ID_TABLE.as_ptr();
    }
    // SAFETY: C passes the entry by which it matched the device. It is not null, because this bus
    // has no override. The entry belongs to the table of `T`, whose infos are `T::IdInfo`, or has
    // no info (L20).
    probe(adev, id: auxiliary_device_id): unsafe {
        (*id.cast::<DeviceId>()).info_unchecked_opt::<T::IdInfo>()
    },
}
