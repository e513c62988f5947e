// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! Connectors: where a display is attached.
//!
//! C header: `include/drm/drm_connector.h`; kernel document: Documentation/gpu/drm-kms.rst,
//! "Connector Abstraction".

use super::{
    setup::has_room,
    Driver,
    Hw,
    Key, //
};
use crate::{
    raw,
    Device,
    Init,
    Plugged, //
};
use core::{
    ffi::c_void,
    marker::PhantomData,
    ops::Deref,
    ptr::NonNull,
    sync::atomic::{
        AtomicU64,
        Ordering, //
    }, //
};
use kernel::{
    bindings,
    error::{
        from_result,
        to_result, //
    },
    prelude::*,
    types::Opaque, //
};

/// The type of a connector, as clients see it (`DRM_MODE_CONNECTOR_*`).
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct ConnectorType(u32);

impl ConnectorType {
    /// A display that exists in software only.
    pub const VIRTUAL: Self = Self(raw::DRM_MODE_CONNECTOR_VIRTUAL);
    /// VGA.
    pub const VGA: Self = Self(raw::DRM_MODE_CONNECTOR_VGA);
    /// HDMI, type A.
    pub const HDMI_A: Self = Self(raw::DRM_MODE_CONNECTOR_HDMIA);
    /// DisplayPort.
    pub const DISPLAY_PORT: Self = Self(raw::DRM_MODE_CONNECTOR_DisplayPort);
}

/// Whether a display is attached.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// A display is attached.
    Connected,
    /// No display is attached.
    Disconnected,
    /// The hardware cannot tell.
    Unknown,
}

impl Status {
    fn as_raw(self) -> raw::drm_connector_status {
        match self {
            Self::Connected => raw::drm_connector_status_connector_status_connected,
            Self::Disconnected => raw::drm_connector_status_connector_status_disconnected,
            Self::Unknown => raw::drm_connector_status_connector_status_unknown,
        }
    }
}

/// A driver's data in each of its connectors, and the hooks of its connectors. Implement it with
/// `#[vtable]`.
///
/// # Examples
///
/// ```
/// # classes!(Show, ShowClient, ShowBuffer, ShowLayer, ShowScreen, ShowMonitor);
/// # layer!(ShowLayer, Show);
/// # screen!(ShowScreen, Show);
/// use core::sync::atomic::{AtomicBool, Ordering};
///
/// struct ShowMonitor {
///     attached: AtomicBool,
///     edid: [u8; 128],
/// }
///
/// #[vtable]
/// impl DriverConnector for ShowMonitor {
///     type Driver = Show;
///
///     fn detect(connector: &Connector<Self>, _hw: &Hw<'_, Show>) -> Status {
///         if connector.attached.load(Ordering::Relaxed) {
///             Status::Connected
///         } else {
///             Status::Disconnected
///         }
///     }
///
///     fn modes(connector: &Connector<Self>, modes: &mut Modes<'_>, _hw: &Hw<'_, Show>) -> Result {
///         modes
///             .edid(&connector.edid)
///             .or_else(|_| modes.common((1920, 1080), (1024, 768)))
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a class of connectors",
    label = "`drm::kms::DriverConnector` is not implemented for `{Self}`",
    note = "the class is the driver's own type, not `Connector<_>`; implement `DriverConnector` for it with `#[vtable]`"
)]
#[vtable]
pub trait DriverConnector: Send + Sync + Sized + 'static {
    /// The driver that the connectors belong to.
    type Driver: Driver<Connector = Self>;

    /// Returns whether a display is attached. By default one always is. A connector whose device is
    /// not plugged has none, without a call of this hook (K25).
    ///
    /// Context: process context, may sleep; `connection_mutex` is held.
    fn detect(connector: &Connector<Self>, hw: &Hw<'_, Self::Driver>) -> Status {
        let _ = (connector, hw);
        Status::Connected
    }

    /// Adds the modes of the display that is attached.
    ///
    /// # Errors
    ///
    /// After an error the connector has no modes but those that were added before.
    ///
    /// Context: process context, may sleep; `mode_config.mutex` is held.
    fn modes(
        connector: &Connector<Self>,
        modes: &mut Modes<'_>,
        hw: &Hw<'_, Self::Driver>,
    ) -> Result;
}

/// A connector with the driver's data, to which it dereferences.
///
/// # Invariants
///
/// - `raw` is initialised and lies in a pinned `KBox` of `Self` that C owns through `destroy` (K4).
/// - Its device is one of the driver of `N`, and lives as long as the connector is used.
#[repr(C)]
#[pin_data]
pub struct Connector<N: DriverConnector> {
    #[pin]
    raw: Opaque<raw::drm_connector>,
    #[pin]
    data: N,
    /// C's count of changes when the last hotplug was looked at (K35).
    reported: AtomicU64,
    /// Invariant in `N`: a subtype of `N` may be another driver's (K2).
    _class: PhantomData<fn(N) -> N>,
}

impl<N: DriverConnector> Connector<N> {
    const FUNCS: raw::drm_connector_funcs = raw::drm_connector_funcs {
        fill_modes: Some(raw::drm_helper_probe_single_connector_modes),
        destroy: Some(Self::destroy),
        atomic_create_state: Some(raw::drm_atomic_helper_connector_create_state),
        atomic_duplicate_state: Some(raw::drm_atomic_helper_connector_duplicate_state),
        atomic_destroy_state: Some(raw::drm_atomic_helper_connector_destroy_state),
        ..pin_init::zeroed()
    };

    const HELPER: raw::drm_connector_helper_funcs = raw::drm_connector_helper_funcs {
        get_modes: Some(Self::get_modes),
        detect_ctx: Some(Self::detect_ctx),
        atomic_best_encoder: Some(raw::drm_rust_best_encoder),
        ..pin_init::zeroed()
    };

    /// Creates a connector that no encoder drives yet.
    ///
    /// # Safety
    ///
    /// `dev` is a device of the driver of `N` that is being set up (K1).
    pub(super) unsafe fn create(
        dev: *mut bindings::drm_device,
        kind: ConnectorType,
        data: impl PinInit<N, Error>,
    ) -> Result<NonNull<Self>> {
        let this = KBox::pin_init(
            try_pin_init!(Self {
                // The allocator has zeroed the memory; see the flags.
                raw <- Opaque::ffi_init(|_| ()),
                data <- data,
                reported: AtomicU64::new(0),
                _class: PhantomData,
            }? Error),
            GFP_KERNEL | __GFP_ZERO,
        )?;
        // The driver's data may have created objects, too.
        // SAFETY: The device is valid (K1).
        has_room(unsafe { (*dev).mode_config.num_connector })?;
        // SAFETY: The connector does not move: C owns it from here on, unless there is an error
        // (K4).
        let this = KBox::into_raw(unsafe { Pin::into_inner_unchecked(this) });
        let raw_connector: *mut raw::drm_connector = this.cast();
        // SAFETY: The C connector is zeroed (K4).
        let result = to_result(unsafe {
            raw::drm_connector_init(dev, raw_connector, &Self::FUNCS, kind.0 as c_int)
        });
        if let Err(error) = result {
            // SAFETY: C has undone everything; the box is the one made above (K4).
            drop(unsafe { KBox::from_raw(this) });
            return Err(error);
        }
        // SAFETY: The connector is initialised, and nothing uses it yet. Virtual connectors have the
        // property of an EDID only on request; the others have it already (K1).
        unsafe {
            raw::drm_rust_connector_set_helper(raw_connector, &Self::HELPER);
            if kind == ConnectorType::VIRTUAL {
                raw::drm_connector_attach_edid_property(raw_connector);
            }
        }
        NonNull::new(this).ok_or(ENOMEM)
    }

    /// # Safety
    ///
    /// `connector` is a connector of this class, valid for `'a` (K2).
    unsafe fn from_raw<'a>(connector: *mut raw::drm_connector) -> &'a Self {
        // SAFETY: By the requirement; the C connector is at offset 0 (K2).
        unsafe { &*connector.cast() }
    }

    /// Returns the device.
    pub fn device(&self) -> &Device<N::Driver, Init> {
        // SAFETY: By the type invariants. A reference to a connector exists in hooks and through
        // `Device<_, Init>` only, so the device is in `Init` (K4, L27).
        unsafe { Device::from_raw(raw::drm_rust_connector_device(self.raw.get())) }
    }

    /// Returns whether the device sleeps, and notes that a probe is left out (K35).
    fn sleeps(&self) -> bool {
        let kms = &self.device().core().kms;
        let asleep = kms.asleep.load(Ordering::Acquire);
        if asleep {
            kms.missed.store(true, Ordering::Release);
        }
        asleep
    }

    /// Probes the connector, and sends a uevent if anything has changed since the last call.
    ///
    /// A client may have probed it in between. C then counts the change, and leaves the uevent to a
    /// worker that devices with hotplugs do not have.
    ///
    /// Context: may sleep; takes locks of mode setting.
    fn look(&self) {
        let connector = self.raw.get();
        // SAFETY: The connector is valid, and no lock is held (K35).
        unsafe {
            let before = raw::drm_rust_connector_epoch(connector);
            let sent = raw::drm_connector_helper_hpd_irq_event(connector);
            // C has sent a uevent for one change at least. A later one, which a client may have
            // noticed meanwhile, is for the next call.
            let changes = if sent {
                before + 1
            } else {
                raw::drm_rust_connector_epoch(connector)
            };
            if self.reported.swap(changes, Ordering::Relaxed) != changes && !sent {
                raw::drm_kms_helper_connector_hotplug_event(connector);
            }
        }
    }

    /// # Safety
    ///
    /// Called only by C, as documented for the table that contains it (L20).
    unsafe extern "C" fn destroy(connector: *mut raw::drm_connector) {
        // SAFETY: C passes a connector with this table, once, when the device is released. It is
        // the box made in `create` (K4).
        unsafe {
            raw::drm_connector_cleanup(connector);
            drop(KBox::from_raw(connector.cast::<Self>()));
        }
    }

    /// # Safety
    ///
    /// Called only by C, as documented for the table that contains it (L20).
    unsafe extern "C" fn detect_ctx(
        connector: *mut raw::drm_connector,
        _ctx: *mut bindings::drm_modeset_acquire_ctx,
        _force: bool,
    ) -> c_int {
        // SAFETY: C passes a connector of this class (K2).
        let connector = unsafe { Self::from_raw(connector) };
        if connector.sleeps() {
            // SAFETY: As above, with the lock of the field (K35).
            return unsafe { raw::drm_rust_connector_status(connector.raw.get()) } as c_int;
        }
        let status = connector
            .device()
            .enter(|plugged| N::detect(connector, &Hw::new(plugged)));
        status.unwrap_or(Status::Disconnected).as_raw() as c_int
    }

    /// # Safety
    ///
    /// Called only by C, as documented for the table that contains it (L20).
    unsafe extern "C" fn get_modes(raw_connector: *mut raw::drm_connector) -> c_int {
        // SAFETY: C passes a connector of this class, with the lock of its lists of modes (K2).
        let connector = unsafe { Self::from_raw(raw_connector) };
        if connector.sleeps() {
            return 0;
        }
        let mut modes = Modes {
            connector: raw_connector,
            count: 0,
            _call: PhantomData,
        };
        let dev = connector.device();
        let result = dev.enter(|plugged| N::modes(connector, &mut modes, &Hw::new(plugged)));
        if let Some(Err(error)) = result {
            // C wants a number of modes, and reports others as faults of the driver.
            dev_dbg!(dev.parent(), "drm: no modes: {:?}\n", error);
        }
        modes.count
    }
}

impl<T: Driver> Plugged<'_, T> {
    /// Reports that a display may have been attached to a connector, or taken away.
    ///
    /// The layer probes the connector later, in a workqueue, and clients get a uevent if anything has
    /// changed, also if a client's own probe has noticed it first. Probing takes locks of mode setting
    /// and may commit for the console, so it cannot be done in a section that unplugging waits for
    /// (K35).
    ///
    /// # Errors
    ///
    /// Fails with `EINVAL` for a connector of another device, and with `ENOMEM`.
    ///
    /// Context: process context, may sleep.
    ///
    /// # Examples
    ///
    /// ```
    /// fn changed(dev: &Plugged<'_, Display>, monitor: Key<Connector<Monitor>>) -> Result {
    ///     // `detect` is called later, and must then know.
    ///     dev.hotplug(monitor)
    /// }
    /// ```
    pub fn hotplug(&self, connector: Key<Connector<T::Connector>>) -> Result {
        let dev: &Device<T> = self;
        connector.of(dev)?;
        let probe = dev.prepare_work(move |dev| {
            let kms = &dev.core().kms;
            let found = connector.of(dev);
            if let (Ok(found), false) = (found, kms.departed.load(Ordering::Acquire)) {
                // SAFETY: The connector belongs to `dev`, which the work keeps (K3).
                unsafe { Connector::<T::Connector>::from_raw(found.as_ptr().cast()) }.look();
            }
            kms.probes.done();
        })?;
        let probes = &dev.core().kms.probes;
        probes.add();
        probe.queue_probe().map_err(|_dropped| {
            probes.done();
            ENODEV
        })
    }
}

impl<N: DriverConnector> Deref for Connector<N> {
    type Target = N;

    fn deref(&self) -> &N {
        &self.data
    }
}

// SAFETY: C does its own locking, and `N` is `Send + Sync` (L15).
unsafe impl<N: DriverConnector> Send for Connector<N> {}

// SAFETY: As for `Send` (L15).
unsafe impl<N: DriverConnector> Sync for Connector<N> {}

/// The modes of a display, to be filled in by [`DriverConnector::modes`].
///
/// # Invariants
///
/// `connector` is valid, and C has asked for its modes, with the lock of its lists.
pub struct Modes<'a> {
    connector: *mut raw::drm_connector,
    count: c_int,
    _call: PhantomData<&'a mut ()>,
}

impl Modes<'_> {
    /// Adds the common modes up to a size in pixels, and prefers the one of the size `preferred`.
    ///
    /// # Errors
    ///
    /// Fails with `ENOMEM` if none was added.
    pub fn common(&mut self, max: (u16, u16), preferred: (u16, u16)) -> Result {
        // SAFETY: By the type invariants (K25).
        let added = unsafe {
            raw::drm_add_modes_noedid(self.connector, u32::from(max.0), u32::from(max.1))
        };
        if added == 0 {
            return Err(ENOMEM);
        }
        self.count += added;
        // SAFETY: By the type invariants (K25).
        unsafe {
            raw::drm_set_preferred_mode(
                self.connector,
                c_int::from(preferred.0),
                c_int::from(preferred.1),
            )
        };
        Ok(())
    }

    /// Adds the modes of an EDID, and gives the EDID to clients. `edid` is a block of 128 bytes and
    /// the extension blocks that it announces. An EDID that the administrator has set instead, by
    /// debugfs or a firmware file, wins.
    ///
    /// # Errors
    ///
    /// Fails with `EINVAL` if the EDID has no modes, or is not valid.
    pub fn edid(&mut self, edid: &[u8]) -> Result {
        let mut source = edid;
        // SAFETY: By the type invariants. `read_block` gets a pointer to `source`, which lives
        // longer than the call (K25).
        let edid = unsafe {
            raw::drm_edid_read_custom(self.connector, Some(read_block), (&raw mut source).cast())
        };
        // SAFETY: By the type invariants. A null EDID removes the one that clients see. C copies it
        // (K25).
        let added = unsafe {
            raw::drm_edid_connector_update(self.connector, edid);
            let added = raw::drm_edid_connector_add_modes(self.connector);
            raw::drm_edid_free(edid);
            added
        };
        if added == 0 {
            return Err(EINVAL);
        }
        self.count += added;
        Ok(())
    }
}

/// Copies a part of the EDID, as C asks for it.
///
/// # Safety
///
/// Called only by C, with the argument that `Modes::edid` passed (L20).
unsafe extern "C" fn read_block(
    source: *mut c_void,
    to: *mut u8,
    block: c_uint,
    len: usize,
) -> c_int {
    from_result(|| {
        // SAFETY: `Modes::edid` passed a pointer to a slice (L20).
        let source = unsafe { *source.cast::<&[u8]>() };
        let start = block as usize * 128;
        let from = source.get(start..start + len).ok_or(EINVAL)?;
        // SAFETY: C passes memory for `len` bytes (L20).
        unsafe { to.copy_from_nonoverlapping(from.as_ptr(), len) };
        Ok(0)
    })
}
