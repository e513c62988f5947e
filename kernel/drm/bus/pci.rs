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
use crate::registers::RegisterPage;
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

/// The probe of a PCI device. It dereferences to [`pci::Device<Bound>`](kernel::pci::Device), which
/// maps BARs and reads the configuration space.
pub type Probe<'bound> = super::Probe<'bound, Pci>;

/// The PCI devices that a driver serves, each with an `Info`. It is made from the array that
/// [`kernel::pci_device_table!`] declares.
pub type IdTable<Info> = super::IdTable<DeviceId, Info>;

/// Returns the id of a device by vendor and device number, for vendors that [`pci::Vendor`] does
/// not name.
pub const fn device_id(vendor: u16, device: u16) -> DeviceId {
    let id = bindings::pci_device_id {
        vendor: vendor as u32,
        device: device as u32,
        subvendor: bindings::PCI_ANY_ID as u32,
        subdevice: bindings::PCI_ANY_ID as u32,
        ..pin_init::zeroed()
    };
    // SAFETY: `DeviceId` is a transparent wrapper. It requires of its content only what its own
    // constructors ensure: that no driver data is set (L20).
    unsafe { core::mem::transmute(id) }
}

/// A driver for devices of the PCI bus: a DRM driver, or in the role [`Parent`](super::Parent) a
/// driver whose devices have children.
///
/// Declare a module with one such driver with [`module_pci_driver!`](crate::module_pci_driver!).
///
/// There is no remove method. A device may disappear at any moment (surprise removal), which looks
/// to the driver like any other unplug. Reads from the device then return all ones.
pub trait Driver<R: 'static = Drm>: Role<R> {
    /// The data that the driver attaches to each device id of its table.
    type IdInfo: 'static;

    /// The match table.
    const ID_TABLE: IdTable<Self::IdInfo>;

    /// Prepares the device. Returns a [`Ready`](crate::Ready) to be registered, or a parent's
    /// [`Data`](super::parent::Driver::Data).
    ///
    /// The adapter owns the result. After an error nothing is left of the device. `id` is `None` if
    /// the id came from userspace, through `new_id` or `driver_override`.
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
/// The device has one call of `pci_enable_device_mem()` that is not balanced yet.
struct Enabled<'bound>(&'bound pci::Device<Bound>);

impl Drop for Enabled<'_> {
    fn drop(&mut self) {
        // SAFETY: The device is valid, and by the type invariants it is enabled (L26).
        unsafe { bindings::pci_disable_device(as_raw(self.0)) };
    }
}

/// A device that may access memory by itself. Dropping it ends that access.
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
    /// Enables the device's memory BARs, and wakes the device up if it sleeps. Call this before any
    /// access to a BAR.
    ///
    /// The adapter disables the device in the remove step, after it freed the interrupts.
    ///
    /// # Errors
    ///
    /// Fails with `ENOMEM`, with `EINVAL` if a BAR has no address, and with any error from waking
    /// the device up.
    ///
    /// Context: process context, may sleep. Source: `pci_enable_device_mem()`.
    pub fn enable_device_mem(&self) -> Result {
        let dev = self.device();
        // SAFETY: The device is valid and being probed (L26).
        to_result(unsafe { bindings::pci_enable_device_mem(as_raw(dev)) })?;
        // INVARIANT: The device was just enabled. If keeping the value fails, it is dropped, which
        // disables the device again.
        self.owned.hardware.add(Ok(Enabled(dev))).map(drop)
    }

    /// Lets the device access memory (DMA, and message-signalled interrupts).
    ///
    /// The adapter ends that access in the remove step, after
    /// [`Driver::unplugged`](crate::Driver::unplugged) and the interrupts, and *before* it undoes
    /// the DMA mappings of the device's objects. So hardware that the driver failed to stop cannot
    /// write to memory that has been reused. The registration data is dropped when no DMA is
    /// possible any more.
    ///
    /// # Errors
    ///
    /// Fails with `ENOMEM`.
    ///
    /// Context: process context. Source: `pci_set_master()`.
    pub fn set_master(&self) -> Result {
        let dev = self.device();
        self.owned.hardware.add(Ok(Master(dev)))?;
        // SAFETY: The device is valid and being probed (L26).
        unsafe { bindings::pci_set_master(as_raw(dev)) };
        Ok(())
    }

    /// Allocates between `min` and `max` interrupt vectors of the types `types`, preferring MSI-X,
    /// then MSI.
    ///
    /// The adapter frees the vectors after it freed the interrupts requested on them.
    ///
    /// # Errors
    ///
    /// Fails with `ENOSPC` if the device or the machine has fewer than `min` vectors. Fails with
    /// `EINVAL` if no vector is requested, or more than can exist. Fails with `EBUSY` if the device
    /// already has message-signalled interrupts. Fails with `ENOMEM`.
    ///
    /// Context: process context, may sleep. Source: `pci_alloc_irq_vectors()`.
    pub fn irq_vectors(&self, min: u32, max: u32, types: IrqTypes) -> Result<Vectors<'_, 'bound>> {
        let dev = self.device();
        // SAFETY: The device is valid. Its vectors, which the flags describe, change only in this
        // probe and after it (L26).
        let (msi, msix) = unsafe { ((*as_raw(dev)).msi_enabled(), (*as_raw(dev)).msix_enabled()) };
        if msi | msix != 0 {
            // C would warn about this.
            return Err(EBUSY);
        }
        let vectors = dev.alloc_irq_vectors(min, max, types)?;
        let vectors = self.owned.hardware.add(Ok(vectors))?;

        Ok(Vectors {
            // SAFETY: Nothing leaves the adapter's lists while the probe is borrowed (L26).
            vectors: unsafe { &*vectors },
        })
    }

    /// Returns the page of registers at `offset` of BAR `bar`, for clients to map.
    ///
    /// # Errors
    ///
    /// Fails with `EINVAL` if there is no such page: `offset` is not aligned or lies beyond the
    /// BAR, or the BAR has I/O ports or no address.
    ///
    /// Context: process context.
    pub fn register_page(&self, bar: u32, offset: u64) -> Result<RegisterPage<'bound>> {
        let dev = self.device();
        // After the BARs, C lists the expansion ROM and bridge windows.
        if bar >= bindings::PCI_STD_NUM_BARS {
            return Err(EINVAL);
        }
        let (start, length) = (dev.resource_start(bar)?, dev.resource_len(bar)?);
        // SAFETY: The device is valid, and every device has a resource for each BAR (L24).
        if !unsafe { crate::raw::drm_rust_pci_bar_is_memory(as_raw(dev), bar as c_int) } {
            return Err(EINVAL);
        }
        // INVARIANT: The memory belongs to the device, which is bound for `'bound`.
        RegisterPage::within(start, length, offset)
    }
}

/// The interrupt vectors of a device that is being probed.
#[derive(Clone, Copy)]
pub struct Vectors<'p, 'bound> {
    vectors: &'p IrqVectorRegistration<'bound>,
}

impl<'bound> Vectors<'_, 'bound> {
    /// Returns the number of vectors, at least `min`.
    #[expect(clippy::len_without_is_empty, reason = "there is always one")]
    pub fn len(&self) -> usize {
        self.vectors.len()
    }

    /// Returns the type of the vectors.
    pub fn irq_type(&self) -> IrqType {
        self.vectors.irq_type()
    }

    /// Returns the interrupt of vector `index`, for
    /// [`Probe::request_irq`](super::Probe::request_irq).
    ///
    /// # Errors
    ///
    /// Fails with `EINVAL` if there is no such vector.
    pub fn request(&self, index: usize) -> Result<IrqRequest<'bound>> {
        if index >= self.len() {
            return Err(EINVAL);
        }
        // SAFETY: The adapter owns the vectors until the remove step or the failure of this probe
        // (L26).
        let vectors: &'bound IrqVectorRegistration<'bound> =
            unsafe { &*core::ptr::from_ref(self.vectors) };
        // A request is a number that only the probe named `'bound` can use. The interrupt is freed
        // before the vectors, because it comes after them in the same list.
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
    // SAFETY: C passes an entry, which it keeps for the call and of which only the info is kept
    // longer. The entry belongs to the table of `T`, whose infos are static `T::IdInfo`. Or it has
    // no info, as for an override. Or userspace made it; then it has no info or that of an entry of
    // the table (L20).
    probe(pdev, id: pci_device_id): unsafe {
        (*id.cast::<DeviceId>()).info_unchecked_opt::<T::IdInfo>()
    },
}
