// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! Drivers of the PCI bus.
//!
//! C header: `include/linux/pci.h`; kernel document: Documentation/PCI/pci.rst

use super::{
    bus_name,
    Bus,
    Drm,
    Role,
    Sealed, //
};
use kernel::{
    bindings,
    device::{
        self,
        Bound,
        CoreInternal, //
    },
    device_id::RawDeviceIdIndex,
    error::to_result,
    irq::IrqRequest,
    pci::{
        self,
        DeviceId,
        IrqType,
        IrqTypes,
        IrqVectorRegistration, //
    },
    prelude::*, //
};

/// The PCI bus.
pub enum Pci {}

impl Sealed for Pci {}
impl Bus for Pci {
    type Device<Ctx: device::DeviceContext> = pci::Device<Ctx>;

    fn as_bound<'a>(dev: &'a pci::Device<CoreInternal<'_>>) -> &'a pci::Device<Bound> {
        dev
    }
}

/// The probe of a PCI device. Dereferences to [`pci::Device<Bound>`](kernel::pci::Device), which maps
/// BARs and reads the configuration space.
pub type Probe<'bound> = super::Probe<'bound, Pci>;

/// The PCI devices that a driver serves, each with an `Info`; made from the array that
/// [`kernel::pci_device_table!`] declares.
pub type IdTable<Info> = super::IdTable<DeviceId, Info>;

/// The id of a device by its vendor's number and its own, for vendors that [`pci::Vendor`] does not name.
pub const fn device_id(vendor: u16, device: u16) -> DeviceId {
    let id = bindings::pci_device_id {
        vendor: vendor as u32,
        device: device as u32,
        subvendor: bindings::PCI_ANY_ID as u32,
        subdevice: bindings::PCI_ANY_ID as u32,
        ..pin_init::zeroed()
    };
    // SAFETY: `DeviceId` is a transparent wrapper, and asks no more of its content than its own
    // constructors do: that no driver data is set (L20).
    unsafe { core::mem::transmute(id) }
}

/// A driver for devices of the PCI bus: a DRM driver, or in the role [`Parent`](super::Parent) the parent of some.
///
/// A module with one such driver is declared with [`module_pci_driver!`](crate::module_pci_driver!).
///
/// There is no remove method: a device may go at any moment (surprise removal), which looks to the driver
/// like any other unplug. Reads from it give all ones then.
pub trait Driver<R: 'static = Drm>: Role<R> {
    /// What the driver attaches to each device id of its table.
    type IdInfo: 'static;

    /// The match table.
    const ID_TABLE: IdTable<Self::IdInfo>;

    /// A device is there: prepares it and says with which data it is ready, with a [`Ready`](crate::Ready) to be
    /// registered, or a parent's [`Data`](super::parent::Driver::Data).
    ///
    /// The adapter owns what is returned. After an error nothing is left of the device. `id` is
    /// `None` if the id came from userspace, through `new_id` or `driver_override`.
    ///
    /// Context: process context, may sleep; the device's lock is held.
    fn probe<'bound>(
        cx: &Probe<'bound>,
        id: Option<&'bound Self::IdInfo>,
    ) -> Result<Self::Ready<'bound>>;
}

/// An enabled device; dropping it disables the device again.
///
/// # Invariants
///
/// One call of `pci_enable_device_mem()` on the device is to be balanced.
struct Enabled<'bound>(&'bound pci::Device<Bound>);

impl Drop for Enabled<'_> {
    fn drop(&mut self) {
        // SAFETY: The device is valid; by the type invariants it was enabled (L26).
        unsafe { bindings::pci_disable_device(as_raw(self.0)) };
    }
}

/// A device that may access memory by itself; dropping it ends that.
struct Master<'bound>(&'bound pci::Device<Bound>);

impl Drop for Master<'_> {
    fn drop(&mut self) {
        // SAFETY: The device is valid (L26).
        unsafe { bindings::pci_clear_master(as_raw(self.0)) };
    }
}

fn as_raw(dev: &pci::Device<Bound>) -> *mut bindings::pci_dev {
    // CAST: `pci::Device` is a transparent wrapper of `struct pci_dev`.
    core::ptr::from_ref(dev).cast_mut().cast()
}

impl<'bound> Probe<'bound> {
    /// Enables the device's memory BARs, waking it up if it sleeps. Before any access to a BAR.
    ///
    /// The adapter disables the device again in the remove step, after the interrupts.
    ///
    /// # Errors
    ///
    /// `ENOMEM`; `EINVAL` if a BAR has no address; what waking up fails with.
    ///
    /// Context: process context, may sleep. Source: `pci_enable_device_mem()`.
    pub fn enable_device_mem(&self) -> Result {
        let dev = self.device();
        // SAFETY: The device is valid and being probed (L26).
        to_result(unsafe { bindings::pci_enable_device_mem(as_raw(dev)) })?;
        // INVARIANT: Just enabled. On failure to keep it the value is dropped, which disables again.
        self.owned.means.add(Ok(Enabled(dev))).map(drop)
    }

    /// Lets the device access memory (DMA, and interrupts that are messages).
    ///
    /// The adapter ends that in the remove step, after [`Driver::unplugged`](crate::Driver::unplugged) and
    /// the interrupts, and *before* it undoes the DMA mappings of the device's objects: hardware that the
    /// driver failed to stop cannot write to memory that has found another use. So data of the
    /// registration is dropped when no DMA is possible any more.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    ///
    /// Context: process context. Source: `pci_set_master()`.
    pub fn set_master(&self) -> Result {
        let dev = self.device();
        self.owned.means.add(Ok(Master(dev)))?;
        // SAFETY: The device is valid and being probed (L26).
        unsafe { bindings::pci_set_master(as_raw(dev)) };
        Ok(())
    }

    /// Allocates between `min` and `max` interrupt vectors of the types `types`, preferring MSI-X, then MSI.
    ///
    /// The adapter frees the vectors after the interrupts that were requested on them.
    ///
    /// # Errors
    ///
    /// `ENOSPC` if the device or the machine has less than `min`; `EINVAL` for no or more vectors than there
    /// can be; `EBUSY` if it has message interrupts already; `ENOMEM`.
    ///
    /// Context: process context, may sleep. Source: `pci_alloc_irq_vectors()`.
    pub fn irq_vectors(&self, min: u32, max: u32, types: IrqTypes) -> Result<Vectors<'_, 'bound>> {
        let dev = self.device();
        // SAFETY: The device is valid; its vectors, of which the flags tell, change in this probe and after it only (L26).
        let (msi, msix) = unsafe { ((*as_raw(dev)).msi_enabled(), (*as_raw(dev)).msix_enabled()) };
        if msi | msix != 0 {
            // C would warn.
            return Err(EBUSY);
        }
        let vectors = dev.alloc_irq_vectors(min, max, types)?;
        let vectors = self.owned.means.add(Ok(vectors))?;

        Ok(Vectors {
            // SAFETY: Nothing of the adapter's lists goes while the probe is borrowed (L26).
            vectors: unsafe { &*vectors },
        })
    }
}

/// The interrupt vectors of a device that is probed.
#[derive(Clone, Copy)]
pub struct Vectors<'p, 'bound> {
    vectors: &'p IrqVectorRegistration<'bound>,
}

impl<'bound> Vectors<'_, 'bound> {
    /// How many there are; `min` at least.
    #[expect(clippy::len_without_is_empty, reason = "there is always one")]
    pub fn len(&self) -> usize {
        self.vectors.len()
    }

    /// What they are.
    pub fn irq_type(&self) -> IrqType {
        self.vectors.irq_type()
    }

    /// The interrupt of vector `index`, for [`Probe::request_irq`](super::Probe::request_irq).
    ///
    /// # Errors
    ///
    /// `EINVAL` if there is no such vector.
    pub fn request(&self, index: usize) -> Result<IrqRequest<'bound>> {
        if index >= self.len() {
            return Err(EINVAL);
        }
        // SAFETY: The vectors are the adapter's, until the remove step or the failure of this probe (L26).
        let vectors: &'bound IrqVectorRegistration<'bound> =
            unsafe { &*core::ptr::from_ref(self.vectors) };
        // A request is a number; it can be used in this probe only, named `'bound`, and the interrupt
        // goes before the vectors: it comes after them in the same list.
        Ok(vectors.index(index)?.into())
    }
}

adapter! {
    Pci, "PCI": pci_driver of pci_dev,
    __pci_register_driver, pci_unregister_driver,
    fill(drv): {
        (*drv).name = bus_name::<T, R>().as_char_ptr();
        (*drv).id_table = T::ID_TABLE.as_ptr();
    }
    // SAFETY: C passes an entry, which it keeps for the call and of which only the info is kept longer. It is of the table of `T`,
    // whose infos are static `T::IdInfo`; or one without an info, as for an override;
    // or one made by userspace, which has none or that of an entry of the table (L20).
    probe(pdev, id: pci_device_id): unsafe {
        (*id.cast::<DeviceId>()).info_unchecked_opt::<T::IdInfo>()
    },
}
