// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! Registers that clients map into their address space to read, a page at a time.
//!
//! A driver takes a [`RegisterPage`] in its probe and keeps it in its registration data.
//! [`DriverFile::register_page`] says at which offsets of the
//! node a client finds it. The mapping is filled in by page faults. It shows the registers while
//! the device is plugged and they are shown
//! ([`Plugged::show_registers`](crate::Plugged::show_registers)), and otherwise a page of memory.
//! drm-uapi.rst requires that after an unplug; a client never gets `SIGBUS`.
//!
//! Locks: a page fault holds locks of the address space. The handler enters the device, asks the
//! driver for the page, and takes the device's `registers` around filling it in.
//!
//! Source: Documentation/gpu/drm-uapi.rst, "Device Hot-Unplug"; `include/linux/mm.h`

use crate::{
    lock_class::lock_class,
    Device,
    Driver,
    DriverFile,
    File,
    Plugged,
    UnregisteredDevice, //
};
use core::{
    marker::PhantomData,
    ptr::null_mut, //
};
use kernel::{
    bindings,
    page::{
        Page,
        PAGE_SHIFT,
        PAGE_SIZE, //
    },
    prelude::*,
    sync::{
        Mutex,
        SetOnce, //
    },
};

/// A page of a device's registers. It is taken in the device's probe, and dropped before the device
/// is unbound.
///
/// # Invariants
///
/// `pfn` is the number of a page of memory-mapped registers of a device that is bound for `'bound`.
pub struct RegisterPage<'bound> {
    pfn: c_ulong,
    _bound: PhantomData<&'bound ()>,
}

impl RegisterPage<'_> {
    /// Returns the page at `offset` of the `length` bytes of registers at the physical address
    /// `start`.
    ///
    /// The caller guarantees the type invariant with these arguments.
    pub(crate) fn within(start: u64, length: u64, offset: u64) -> Result<Self> {
        let whole = offset
            .checked_add(PAGE_SIZE as u64)
            .is_some_and(|end| end <= length);
        let address = start.checked_add(offset).ok_or(EINVAL)?;
        if !whole || address % PAGE_SIZE as u64 != 0 {
            return Err(EINVAL);
        }
        // INVARIANT: The caller guarantees it, and the page lies inside.
        Ok(Self {
            pfn: (address >> PAGE_SHIFT) as c_ulong,
            _bound: PhantomData,
        })
    }
}

/// A device's state for clients that map registers.
#[pin_data]
pub(crate) struct Mapped {
    /// Whether the registers are shown. The lock is held while a mapping is filled in.
    #[pin]
    shown: Mutex<bool>,
    /// The page shown while the registers are hidden, if the driver has set one. It is freed with
    /// the device, which a mapping keeps.
    idle: SetOnce<Page>,
}

impl Mapped {
    pub(crate) fn new() -> impl PinInit<Self> {
        let (name, key) = lock_class!(c"drm_rust::registers::Mapped");
        pin_init!(Self {
            shown <- Mutex::new(true, name, key),
            idle: SetOnce::new(),
        })
    }
}

/// Unmaps clients' mappings of the device `dev` from the byte `from` to the end. Later accesses
/// fault again.
///
/// Context: process context, may sleep; not with locks of an address space held.
///
/// # Safety
///
/// `dev` is a valid device (L21).
unsafe fn unmap_from(dev: *mut bindings::drm_device, from: bindings::loff_t) {
    // SAFETY: By the requirement. The files of all nodes share the mapping of the device's inode,
    // which the device keeps. A length of zero means up to the end. The last argument includes
    // private copies (L24).
    unsafe { bindings::unmap_mapping_range((*(*dev).anon_inode).i_mapping, from, 0, 1) };
}

/// Unmaps all mappings of a device, as `drm_dev_unplug()` does. C does not do it for a device whose
/// registration has failed.
///
/// Context: process context, may sleep.
pub(crate) fn unmap_all<T: Driver>(dev: &Device<T>) {
    // SAFETY: A reference to a device is valid (L21).
    unsafe { unmap_from(dev.as_raw(), 0) };
}

/// The offset of register mappings among those of a node, in pages: above all buffers. It is the
/// same for all drivers, whatever offsets their clients use.
const PGOFF: c_ulong = 1 << (56 - PAGE_SHIFT);

impl<T: Driver> UnregisteredDevice<'_, T> {
    /// Sets the content of mapped registers while they are hidden or the device is unplugged:
    /// `word`, followed by zeroes. By default it is all zeroes.
    ///
    /// # Errors
    ///
    /// Fails with `ENOMEM`, and with `EBUSY` if it was set before.
    ///
    /// Context: process context, may sleep.
    pub fn set_idle_registers(&self, word: u32) -> Result {
        let page = Page::alloc_page(GFP_KERNEL | __GFP_ZERO)?;
        let bytes = word.to_ne_bytes();
        // SAFETY: The bytes are valid, and no other code knows the page (L24).
        unsafe { page.write_raw(bytes.as_ptr(), 0, bytes.len()) }?;
        if self.core().registers.idle.populate(page) {
            Ok(())
        } else {
            Err(EBUSY)
        }
    }
}

impl<T: Driver> Plugged<'_, T> {
    /// Shows the registers to clients that have mapped them, or hides them, for example before they
    /// lose power. They are shown initially.
    ///
    /// After this returns, no client can access hidden registers any more.
    ///
    /// Context: process context, may sleep; not with locks of an address space held.
    pub fn show_registers(&self, shown: bool) {
        let mut now = self.core().registers.shown.lock();
        *now = shown;
        // SAFETY: The device is valid (L21).
        unsafe { unmap_from(self.as_raw(), (PGOFF << PAGE_SHIFT) as bindings::loff_t) };
    }
}

/// Implements `file_operations::mmap` of a driver whose files have registers to map.
///
/// # Safety
///
/// Called only by C, as documented for the table that contains it (L20).
pub(crate) unsafe extern "C" fn mmap_callback<T: Driver>(
    filp: *mut bindings::file,
    vma: *mut bindings::vm_area_struct,
) -> c_int {
    // SAFETY: C passes an open file of a node of driver `T`. (`drm_gem_prime_mmap()` passes one
    // that it makes up, without the driver's data. But it does so only for objects without a
    // callback for `mmap`, and both our classes have one.) (L14)
    let file = unsafe { File::<T::File>::from_raw((*filp).private_data.cast()) };
    // SAFETY: C passes the mapping that is being created, which no other code uses (L20).
    let offset = (unsafe { (*vma).vm_pgoff } as u64) << PAGE_SHIFT;
    let Some(index) = file.data().register_page(offset) else {
        // SAFETY: By the requirement of this function (L20).
        return unsafe { bindings::drm_gem_mmap(filp, vma) };
    };
    let there = file
        .device()
        .enter(|plugged| plugged.registration(|data| T::register_page(data, index).is_some()));
    match there {
        None => return ENODEV.to_errno(),
        Some(false) => return EINVAL.to_errno(),
        Some(true) => {}
    }
    // SAFETY: No other code uses the mapping. It lies at `PGOFF` and beyond, where faults find the
    // offset (L24).
    unsafe {
        let error = crate::raw::drm_rust_vma_of_registers(vma, PGOFF + index as c_ulong);
        if error == 0 {
            (*vma).vm_ops = &VmOps::<T>::TABLE;
        }
        error
    }
}

struct VmOps<T: Driver>(PhantomData<fn(T)>);

impl<T: Driver> VmOps<T> {
    const TABLE: bindings::vm_operations_struct = bindings::vm_operations_struct {
        fault: Some(Self::fault),
        ..pin_init::zeroed()
    };

    /// # Safety
    ///
    /// Called only by C, as documented for the table that contains it (L20).
    unsafe extern "C" fn fault(vmf: *mut bindings::vm_fault) -> bindings::vm_fault_t {
        // SAFETY: C passes a fault of a mapping with this table, which `mmap_callback` of `T`
        // created. The mapping keeps its file (L14, L20).
        let (dev, index) = unsafe {
            let filp = crate::raw::drm_rust_vmf_file(vmf);
            let file = File::<T::File>::from_raw((*filp).private_data.cast());
            let pgoff = crate::raw::drm_rust_vmf_pgoff(vmf);
            (file.device(), pgoff.wrapping_sub(PGOFF) as u32)
        };
        // SAFETY: As above. The registers exist while the device is plugged (L6).
        let filled = dev.enter(|plugged| unsafe { Self::fill(vmf, &plugged, index) });
        filled.unwrap_or_else(|| {
            // SAFETY: As above (L20).
            unsafe { Self::insert_idle(vmf, dev) }
        })
    }

    /// Fills in the registers, or their replacement while they are hidden.
    ///
    /// # Safety
    ///
    /// As [`fault`](Self::fault) (L20).
    unsafe fn fill(
        vmf: *mut bindings::vm_fault,
        plugged: &Plugged<'_, T>,
        index: u32,
    ) -> bindings::vm_fault_t {
        plugged.registration(|data| {
            // Runs before the lock is taken, because it is the driver's code, which may itself hide
            // the registers.
            let page = T::register_page(data, index);
            // Held, so that code that hides the registers finds this page in the mapping.
            let shown = plugged.core().registers.shown.lock();
            match page {
                // SAFETY: By the requirement. By its type invariant the page is one of registers.
                // Mappings of it are zapped when the registration ends, by an unplug or because it
                // failed. Both wait for this section first (L6, L24).
                Some(page) if *shown => unsafe {
                    crate::raw::drm_rust_insert_registers(vmf, page.pfn)
                },
                // SAFETY: By the requirement (L20).
                _ => unsafe { Self::insert_idle(vmf, plugged) },
            }
        })
    }

    /// # Safety
    ///
    /// As [`fault`](Self::fault), for a mapping of `dev` (L20).
    unsafe fn insert_idle(vmf: *mut bindings::vm_fault, dev: &Device<T>) -> bindings::vm_fault_t {
        let idle = dev.core().registers.idle.as_ref();
        let idle = idle.map_or(null_mut(), Page::as_ptr);
        // SAFETY: By the requirement. The page is freed with the device, which the mapping's file
        // keeps (L21, L24).
        unsafe { crate::raw::drm_rust_insert_idle(vmf, idle) }
    }
}

/// Returns the callback for the table of driver `T`.
pub(crate) const fn mmap<T: Driver>(
) -> unsafe extern "C" fn(*mut bindings::file, *mut bindings::vm_area_struct) -> c_int {
    if <T::File as DriverFile>::HAS_REGISTER_PAGE {
        mmap_callback::<T>
    } else {
        bindings::drm_gem_mmap
    }
}
