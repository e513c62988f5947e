// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! Mode setting: displays, and what is shown on them.
//!
//! A driver declares mode setting with `type Kms = Kms` and implements [`kms::Driver`](Driver). Its
//! device passes through [`UnregisteredDevice::init_kms`] exactly once before it can be made ready.
//! Inside, and only there, the driver creates its static objects with a [`Setup`]: planes, CRTCs,
//! encoders and connectors (L1, K1).
//!
//! | module | what it is |
//! |---|---|
//! | [`setup`] | creates the static objects; a primary plane moves into its CRTC |
//! | [`plane`], [`crtc`], [`encoder`], [`connector`] | the objects and the hooks of their drivers |
//! | [`state`] | what a commit changes: [`Old`], [`New`] and, in a check, [`Edit`] |
//! | [`commit`] | carries out a commit, on the module's own queue |
//! | [`vblank`] | when a frame ends: by a timer, by the hardware |
//! | [`framebuffer`] | what planes show, and its mapping |
//! | [`screen`] | what a CRTC shows now, for pictures of it |
//!
//! Comments cite the obligations K1 to K41, which continue L1 to L28 in
//! docs/reference/obligations.md.
//!
//! C header: `include/drm/drm_mode_config.h`; kernel document: Documentation/gpu/drm-kms.rst.

pub mod commit;
pub mod connector;
pub mod crtc;
pub mod encoder;
pub mod framebuffer;
mod hardware;
mod key;
mod mode;
mod off;
pub mod plane;
pub mod screen;
pub mod setup;
pub mod state;
pub mod vblank;

pub use connector::{
    Connector,
    DriverConnector,
    Modes,
    Status, //
};
pub use crtc::{
    Crtc,
    CrtcState,
    DriverCrtc,
    Flip, //
};
pub use encoder::{
    Encoder,
    EncoderType, //
};
pub use framebuffer::Framebuffer;
pub use hardware::Hw;
pub use key::Key;
pub use mode::{
    Mode,
    Rect, //
};
pub use plane::{
    DriverPlane,
    Plane,
    PlaneState, //
};
pub use setup::Setup;
pub use state::{
    Edit,
    New,
    Old,
    State, //
};

use crate::{
    gem,
    module::ModuleRuntime,
    Device,
    DeviceContext,
    Init,
    Registered,
    Uninit,
    UnregisteredDevice, //
};
use core::{
    cell::UnsafeCell,
    marker::PhantomData,
    sync::atomic::AtomicBool, //
};
use kernel::{
    bindings,
    error::to_result,
    prelude::*,
    sync::{
        Arc,
        SetOnce, //
    }, //
};

/// Says whether a driver has mode setting. Sealed: [`NoKms`] or [`Kms`].
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a kind of mode setting of the driver `{T}`",
    note = "a driver with `type Kms = kms::Kms` implements `drm::kms::Driver`"
)]
pub trait Kind<T: crate::Driver>: private::Sealed {
    /// The crate's steps for a driver of this kind.
    #[doc(hidden)]
    const OPS: Ops<T>;

    /// The crate's own data of a device, for mode setting.
    #[doc(hidden)]
    type Core: Send + Sync + Default;
}

/// The crate's steps at the events of a device's life.
#[doc(hidden)]
pub struct Ops<T: crate::Driver> {
    pub(crate) features: u32,
    pub(crate) fbdev_probe: Option<
        unsafe extern "C" fn(
            *mut bindings::drm_fb_helper,
            *mut bindings::drm_fb_helper_surface_size,
        ) -> c_int,
    >,
    /// The ioctls of a node, by programs of the machine's own size and by 32-bit ones.
    pub(crate) ioctl: Ioctl,
    #[cfg(CONFIG_COMPAT)]
    pub(crate) compat_ioctl: Ioctl,
    /// Whether there are displays: the adapter then ends the registration when the machine shuts
    /// down, and takes part in system sleep.
    pub(crate) has_displays: bool,
    /// Reacts to a registration that succeeded.
    pub(crate) registered: fn(&Device<T, Registered>),
    /// Switches the displays off, before the device is unplugged.
    pub(crate) off: fn(&Device<T, Registered>),
    /// Waits for what is left, after the device is unplugged.
    pub(crate) unplugged: fn(&Device<T, Registered>),
    /// Switches the displays off before the driver's `suspend`, and on after its `resume`.
    pub(crate) suspend: fn(&Device<T, Registered>) -> Result,
    pub(crate) resume: fn(&Device<T, Registered>) -> Result,
}

/// The entry for ioctls in a node's file operations.
pub(crate) type Ioctl = unsafe extern "C" fn(*mut bindings::file, c_uint, c_ulong) -> c_long;

/// A driver without mode setting.
pub enum NoKms {}

/// A driver with mode setting.
pub enum Kms {}

mod private {
    pub trait Sealed {}
    impl Sealed for super::NoKms {}
    impl Sealed for super::Kms {}
}

impl<T: crate::Driver> Kind<T> for NoKms {
    const OPS: Ops<T> = Ops {
        features: 0,
        fbdev_probe: None,
        ioctl: bindings::drm_ioctl,
        #[cfg(CONFIG_COMPAT)]
        compat_ioctl: bindings::drm_compat_ioctl,
        has_displays: false,
        registered: |_| (),
        off: |_| (),
        unplugged: |_| (),
        suspend: |_| Ok(()),
        resume: |_| Ok(()),
    };
    type Core = ();
}

impl<T: Driver> Kind<T> for Kms {
    const OPS: Ops<T> = Ops {
        features: bindings::drm_driver_feature_DRIVER_MODESET
            | bindings::drm_driver_feature_DRIVER_ATOMIC,
        fbdev_probe: T::CONSOLE.probe,
        ioctl: off::ioctl::<T>,
        #[cfg(CONFIG_COMPAT)]
        compat_ioctl: off::compat_ioctl::<T>,
        has_displays: true,
        registered: off::registered::<T>,
        off: off::off::<T>,
        unplugged: off::unplugged::<T>,
        suspend: off::suspend::<T>,
        resume: off::resume::<T>,
    };
    type Core = Core<T>;
}

/// The context in which the device of a driver of this kind can be made ready: [`Uninit`] for
/// [`NoKms`], [`Init`] for [`Kms`].
#[diagnostic::on_unimplemented(
    message = "a device in the context `{C}` cannot be made ready by a driver whose `Kms` is `{Self}`",
    label = "not in the context that `{Self}` asks for",
    note = "a driver with `type Kms = Kms` calls `.init_kms(…)` first; one with `NoKms` has nothing to call"
)]
pub trait ReadyIn<C: DeviceContext>: private::Sealed {}

impl ReadyIn<Uninit> for NoKms {}
impl ReadyIn<Init> for Kms {}

/// A driver with mode setting. It ties together the classes of objects, one of each kind, so every
/// object that C hands to a callback is of the driver's class *by construction* (K2).
///
/// Differences within a class (an HDMI and a DisplayPort connector) are data of the objects.
///
/// # Examples
///
/// ```
/// # driver!(Show, (), ShowClient, ShowBuffer, kms::Kms, ioctl::Table::empty());
/// # layer!(ShowLayer, Show);
/// # screen!(ShowScreen, Show);
/// # monitor!(ShowMonitor, Show);
/// #[derive(Clone, Copy)]
/// struct Objects {
///     monitor: Key<Connector<ShowMonitor>>,
/// }
///
/// impl kms::Driver for Show {
///     type Plane = ShowLayer;
///     type Crtc = ShowScreen;
///     type Connector = ShowMonitor;
///     type Objects = Objects;
///
///     const COPIES: bool = true;
///     const CONSOLE: kms::Console<Self> = kms::Console::shmem::<ShowBuffer>();
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a driver with mode setting",
    label = "`drm::kms::Driver` is not implemented for `{Self}`",
    note = "a driver with `type Kms = kms::Kms` implements `drm::kms::Driver`, which names the classes of its objects"
)]
pub trait Driver: crate::Driver<Kms = Kms> {
    /// The class of the planes.
    type Plane: DriverPlane<Driver = Self>;

    /// The class of the CRTCs.
    type Crtc: DriverCrtc<Driver = Self>;

    /// The class of the connectors.
    type Connector: DriverConnector<Driver = Self>;

    /// The result of the driver's set-up, usually [`Key`]s of objects. [`Device::objects`]
    /// returns it. It lives as long as the device, so it is plain data: a counted reference to the
    /// device in it would keep the device forever.
    type Objects: Copy + Send + Sync + 'static;

    /// Whether the planes are updated after the CRTCs are switched on, and only those of CRTCs that
    /// are on. Hardware whose plane registers lose their contents while a CRTC is off needs this.
    const PLANES_LAST: bool = false;

    /// Whether the driver copies pixels when a plane is updated, rather than showing the client's
    /// memory. Clients can then say which parts they have drawn (damage clips, `DIRTYFB`).
    const COPIES: bool = false;

    /// Whether the kernel's console appears on the displays (fbdev emulation and fbcon).
    const CONSOLE: Console<Self> = Console::NONE;
}

/// Whether the displays of driver `T` show the kernel's console.
pub struct Console<T> {
    probe: Option<
        unsafe extern "C" fn(
            *mut bindings::drm_fb_helper,
            *mut bindings::drm_fb_helper_surface_size,
        ) -> c_int,
    >,
    /// Invariant in `T`: a console is that of one driver.
    _driver: PhantomData<fn(T) -> T>,
}

impl<T: Driver> Console<T> {
    /// No console.
    pub const NONE: Self = Self {
        probe: None,
        _driver: PhantomData,
    };

    /// A console in a dumb buffer of the driver, which must be of the class
    /// [`gem::shmem::Object`]: C's helper looks into the object.
    pub const fn shmem<P>() -> Self
    where
        P: gem::DriverObject<Driver = T>,
        T: crate::Driver<Object = gem::shmem::Object<P>>,
    {
        Self {
            probe: Some(crate::raw::drm_fbdev_shmem_driver_fbdev_probe),
            _driver: PhantomData,
        }
    }
}

/// The crate's own data of a device with mode setting.
///
/// # Invariants
///
/// `objects` is written once, in `init_kms`, before anything reads it: the device is then neither
/// registered nor in the context [`Init`].
#[doc(hidden)]
pub struct Core<T: Driver> {
    /// The device's own number, which keys of its objects have too (K3).
    number: u64,
    objects: UnsafeCell<Option<T::Objects>>,
    /// Whether the end of the registration has begun. From then on commits wait for no fences (K33).
    departed: AtomicBool,
    /// Whether everything was switched off for good. From then on a check refuses each commit that
    /// would leave something switched on. It is set with all locks of mode setting held, so each
    /// commit comes either before, and is undone, or after (K22).
    off: AtomicBool,
    /// Whether the displays are being switched off for the system's sleep, or the system sleeps.
    /// Commits wait for no fences then, either (K33).
    suspended: AtomicBool,
    /// Whether the hardware may be asleep, so that no connector is probed (K35).
    asleep: AtomicBool,
    /// Whether a probe was left out because of that (K35).
    missed: AtomicBool,
    /// The thread in a hook that switches vblanks (K40).
    switching: vblank::Switching,
    /// The mappings of the device's framebuffers. Set before the objects (K41).
    maps: SetOnce<Arc<framebuffer::Maps<T>>>,
    /// The number of commits that are queued or carried out on the queue (K16).
    commits: commit::Count,
    /// The number of probes there (K35).
    probes: commit::Count,
}

impl<T: Driver> Default for Core<T> {
    fn default() -> Self {
        Self {
            number: key::next_device(),
            objects: UnsafeCell::new(None),
            departed: AtomicBool::new(false),
            off: AtomicBool::new(false),
            suspended: AtomicBool::new(false),
            asleep: AtomicBool::new(false),
            missed: AtomicBool::new(false),
            switching: vblank::Switching::default(),
            maps: SetOnce::new(),
            commits: commit::Count::default(),
            probes: commit::Count::default(),
        }
    }
}

// SAFETY: `objects` is written once by the thread that sets the device up, and only read afterwards
// (type invariants); `T::Objects` is `Send + Sync` (L15).
unsafe impl<T: Driver> Sync for Core<T> {}

impl<T: Driver> Device<T, Init> {
    /// Returns what the driver kept of its set-up.
    pub fn objects(&self) -> &T::Objects {
        // SAFETY: The device is in `Init`, so `init_kms` has written the objects, and no code
        // writes them again (type invariants of `Core`) (K5).
        let objects = unsafe { &*self.core().kms.objects.get() };
        objects
            .as_ref()
            .expect("`init_kms` stores the objects before the device is in `Init`")
    }
}

impl<'bound, T: Driver> UnregisteredDevice<'bound, T> {
    /// Initialises mode setting, lets `setup` create the static objects, and freezes them.
    ///
    /// Takes the device and returns it in [`Init`]. So this cannot happen twice, nor after the
    /// device was made ready.
    ///
    /// # Errors
    ///
    /// Fails with `ENOMEM`, with any error from `setup`, and with `EINVAL` if the objects do not fit
    /// together: without a CRTC, or with a plane that belongs to none. The device and everything
    /// created are then dropped.
    ///
    /// Context: process context, may sleep. Source: `drmm_mode_config_init()`,
    /// `drm_mode_config_create_initial_state()`.
    ///
    /// # Examples
    ///
    /// ```
    /// fn probe<'bound>(cx: &platform::Probe<'bound>) -> Result<Ready<'bound, Display>> {
    ///     UnregisteredDevice::<Display>::new(cx, Ok(()))?
    ///         .init_kms(set_up)?
    ///         .ready(Ok(()))
    /// }
    /// # fn set_up(setup: &Setup<'_, Display>) -> Result { objects(setup) }
    /// ```
    pub fn init_kms(
        self,
        setup: impl for<'s> FnOnce(&Setup<'s, T>) -> Result<T::Objects>,
    ) -> Result<UnregisteredDevice<'bound, T, Init>> {
        // SAFETY: The device is valid and unregistered, and no other code uses its mode setting
        // yet: nothing of it can be reached before it is initialised here. That happens once,
        // because `self` is consumed. C cleans it up when the device is released, before the
        // driver's data is dropped (L1).
        to_result(unsafe { bindings::drmm_mode_config_init(self.as_raw()) })?;

        T::OwnerModule::runtime().need_commits()?;
        // SAFETY: The device is valid, and the crate alone uses the field. The last managed action
        // frees it (K34).
        to_result(unsafe { crate::raw::drm_rust_pin_init(self.as_raw()) })?;

        self.core().kms.maps.populate(framebuffer::Maps::new()?);
        let objects = Setup::run(&self, setup)?;
        // SAFETY: No other code has access: the device is not registered and was not yet handed out
        // in `Init` (type invariants of `Core`) (K5).
        unsafe { *self.core().kms.objects.get() = Some(objects) };

        // INVARIANT: It is the same device. `setup` has returned, so no static object can be
        // created any more.
        Ok(UnregisteredDevice::from_new(self.into_device()))
    }
}
