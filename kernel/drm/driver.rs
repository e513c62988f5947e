// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! The trait [`Driver`], which ties a driver's types together, and the `struct drm_driver` that is
//! made from them.
//!
//! C header: `include/drm/drm_drv.h`

use crate::{
    file,
    gem,
    ioctl,
    kms,
    module::ModuleRuntime,
    registers::{
        self,
        RegisterPage, //
    },
    Device,
    DriverFile,
    Plugged,
    Registered, //
};
use core::marker::PhantomData;
use kernel::{
    bindings,
    module::this_module,
    prelude::*,
    str::as_char_ptr_in_const_context, //
};

/// The name and version of a driver, as `DRM_IOCTL_VERSION` reports them.
pub struct DriverInfo {
    /// The major version, raised for changes that break userspace (in practice: never).
    pub major: i32,
    /// The minor version, raised with each addition to the uapi.
    pub minor: i32,
    /// The patch level.
    pub patchlevel: i32,
    /// The short name by which clients find the driver, such as `vgem`.
    pub name: &'static CStr,
    /// A description for human readers.
    pub desc: &'static CStr,
}

impl DriverInfo {
    /// Creates the version 1.0.0 of the driver `name`. For other versions use
    /// `Self { minor: 2, ..Self::new(…) }`.
    pub const fn new(name: &'static CStr, desc: &'static CStr) -> Self {
        Self {
            major: 1,
            minor: 0,
            patchlevel: 0,
            name,
            desc,
        }
    }
}

/// The feature flags that a driver declares (`enum drm_driver_feature`). GEM is always included.
///
/// Mode setting is not one of them: it follows from [`Driver::Kms`].
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Features(u32);

impl Features {
    /// Memory management with GEM, and a primary node.
    pub const GEM: Self = Self(bindings::drm_driver_feature_DRIVER_GEM);

    /// Adds a render node (`/dev/dri/renderD*`) beside the primary node. Ioctls marked
    /// [`RENDER_ALLOW`](ioctl::Flags::RENDER_ALLOW) can be called through it.
    pub const fn render(self) -> Self {
        self.with(bindings::drm_driver_feature_DRIVER_RENDER)
    }

    /// Replaces the DRM nodes with an accel node (`/dev/accel/accel*`), for compute accelerators.
    /// Excludes [`render`](Self::render) and mode setting.
    pub const fn accel(self) -> Self {
        self.with(bindings::drm_driver_feature_DRIVER_COMPUTE_ACCEL)
    }

    /// Adds synchronisation objects ([`crate::syncobj`]).
    pub const fn syncobj(self) -> Self {
        self.with(bindings::drm_driver_feature_DRIVER_SYNCOBJ)
    }

    /// Adds synchronisation objects with timelines; includes [`syncobj`](Self::syncobj).
    pub const fn syncobj_timeline(self) -> Self {
        self.syncobj()
            .with(bindings::drm_driver_feature_DRIVER_SYNCOBJ_TIMELINE)
    }

    const fn with(self, flag: u32) -> Self {
        Self(self.0 | flag)
    }

    const fn has(self, flag: u32) -> bool {
        self.0 & flag == flag
    }
}

/// A DRM driver.
///
/// The trait ties together all types that appear together at run time, so the types of another
/// driver cannot slip in (L9). Implement it with `#[vtable]`. Also implement the driver trait of a
/// bus, such as [`platform::Driver`](crate::platform::Driver), which has the probe.
///
/// # Examples
///
/// ```
/// struct Blit;
///
/// #[vtable]
/// impl drm::Driver for Blit {
///     type Data = ();
///     type RegistrationData<'bound> = &'bound Parent;
///     type File = BlitClient;
///     type Object = gem::shmem::Object<BlitBuffer>;
///     type Kms = drm::NoKms;
///
///     const INFO: drm::DriverInfo = drm::DriverInfo {
///         major: 1,
///         minor: 0,
///         patchlevel: 0,
///         name: c"blit",
///         desc: c"Copies rectangles",
///     };
///     const FEATURES: drm::Features = drm::Features::GEM.render();
///
///     drm::ioctls! {}
///
///     fn unplugged(dev: &Device<Self, Registered>, parent: &&Parent) {
///         // … puts the hardware to rest.
///     }
/// }
/// # #[derive(Default)]
/// # struct BlitClient;
/// # client!(BlitClient, Blit);
/// # #[derive(Default)]
/// # struct BlitBuffer;
/// # payload!(BlitBuffer, Blit);
/// # impl platform::Driver for Blit {
/// #     type IdInfo = ();
/// #     fn probe<'bound>(
/// #         cx: &platform::Probe<'bound>,
/// #         _: Option<&'bound ()>,
/// #     ) -> Result<Ready<'bound, Self>> {
/// #         UnregisteredDevice::<Self>::new(cx, Ok(()))?.ready(Ok(cx.parent()))
/// #     }
/// # }
/// ```
#[vtable]
pub trait Driver: Sized + 'static {
    /// The module that contains the driver; `#[vtable]` fills it in.
    type OwnerModule: kernel::ModuleMetadata + ModuleRuntime;

    /// Data that lives as long as the device: from
    /// [`UnregisteredDevice::new`](crate::UnregisteredDevice::new) until the last file, buffer and
    /// reference is released. That may be long after the hardware is unplugged. `Device<T>`
    /// dereferences to it.
    type Data: Send + Sync + 'static;

    /// Data that lives while the device is registered. It may borrow from the time during which the
    /// parent is bound, so everything that touches hardware belongs here. [`Plugged::registration`]
    /// and guarded ioctls give access to it.
    type RegistrationData<'bound>: Send + Sync + 'bound;

    /// The data of one open file, that is, of one client.
    type File: DriverFile<Driver = Self>;

    /// The driver's one class of GEM objects.
    type Object: gem::Class<Driver = Self>;

    /// [`NoKms`](crate::NoKms), or [`kms::Kms`] for a driver with mode setting.
    type Kms: kms::Kind<Self>;

    /// The driver's name and version.
    const INFO: DriverInfo;

    /// The driver's name on its bus, if it differs from the one in [`INFO`](Self::INFO). It appears
    /// in `/sys/bus/BUS/drivers` and in front of log messages. They differ, for example, if clients
    /// know the uapi of another driver by the name in `INFO`.
    const BUS_NAME: &'static CStr = Self::INFO.name;

    /// The features that the driver offers.
    const FEATURES: Features;

    /// The driver's ioctls, from [`ioctls!`](crate::ioctls!).
    const IOCTLS: ioctl::Table<Self>;

    /// The ioctls of devices
    /// [without a render node](crate::UnregisteredDevice::without_render_node). By default they are
    /// [`IOCTLS`](Self::IOCTLS).
    const IOCTLS_WITHOUT_RENDER_NODE: ioctl::Table<Self> = Self::IOCTLS;

    /// Returns the page of registers that clients map at place `index`.
    /// [`DriverFile::register_page`] computes `index` from an offset. By default, and wherever this
    /// returns `None`, there is no such page.
    ///
    /// Context: process context; locks of an address space are held. It must not sleep for long.
    fn register_page<'a, 'bound: 'a>(
        data: &'a Self::RegistrationData<'bound>,
        index: u32,
    ) -> Option<&'a RegisterPage<'bound>> {
        let _ = (data, index);
        None
    }

    /// Brings the hardware to rest. Called once, after the device is unplugged and before its
    /// interrupts are freed and its registration data is dropped.
    ///
    /// No section of [`Device::enter`] is open any more, and none can be opened. Context: process
    /// context, may sleep.
    fn unplugged(dev: &Device<Self, Registered>, data: &Self::RegistrationData<'_>) {
        let _ = (dev, data);
    }

    /// Suspends the hardware before the system sleeps (suspend, hibernation). Userspace is frozen,
    /// and the layer has switched the displays off.
    ///
    /// # Errors
    ///
    /// An error keeps the system awake. Context: process context, may sleep.
    fn suspend(dev: &Plugged<'_, Self>, data: &Self::RegistrationData<'_>) -> Result {
        let _ = (dev, data);
        Ok(())
    }

    /// Resumes the hardware after the system wakes up, before userspace runs. The layer switches the
    /// displays on afterwards.
    ///
    /// # Errors
    ///
    /// The driver core logs an error. Context: process context, may sleep.
    fn resume(dev: &Plugged<'_, Self>, data: &Self::RegistrationData<'_>) -> Result {
        let _ = (dev, data);
        Ok(())
    }
}

/// The C tables of driver `T`. One `drm_driver` serves a device for its whole life (L3).
///
/// C decides at allocation whether a device has a render node, by the table alone. So a driver with
/// devices of both kinds has a second table.
pub(crate) struct DriverTable<T: Driver>(PhantomData<T>);

impl<T: Driver> DriverTable<T> {
    const FEATURES: u32 = {
        let features = T::FEATURES.with(<T::Kms as kms::Kind<T>>::OPS.features);
        assert!(
            features.has(bindings::drm_driver_feature_DRIVER_GEM),
            "start from `Features::GEM`"
        );
        assert!(
            !features.has(bindings::drm_driver_feature_DRIVER_COMPUTE_ACCEL)
                || !(features.has(bindings::drm_driver_feature_DRIVER_RENDER)
                    || features.has(bindings::drm_driver_feature_DRIVER_MODESET)),
            "a compute accelerator (`accel`) has neither a render node nor mode setting"
        );
        features.0
    };

    const FOPS: bindings::file_operations = file::operations::<T>(
        this_module::<T::OwnerModule>().as_ptr(),
        Self::is_accel(),
        registers::mmap::<T>(),
    );

    const fn is_accel() -> bool {
        T::FEATURES.has(bindings::drm_driver_feature_DRIVER_COMPUTE_ACCEL)
    }

    /// The table that C reads.
    pub(crate) const DRIVER: bindings::drm_driver = bindings::drm_driver {
        release: Some(release_callback::<T>),
        open: Some(file::open_callback::<T>),
        postclose: Some(file::postclose_callback::<T>),
        show_fdinfo: Some(file::show_fdinfo_callback::<T>),

        gem_prime_import: <T::Object as gem::Class>::OPS.prime_import,
        dumb_create: <T::Object as gem::Class>::OPS.dumb_create,
        fbdev_probe: <T::Kms as kms::Kind<T>>::OPS.fbdev_probe,

        major: T::INFO.major,
        minor: T::INFO.minor,
        patchlevel: T::INFO.patchlevel,
        name: as_char_ptr_in_const_context(T::INFO.name).cast_mut(),
        desc: as_char_ptr_in_const_context(T::INFO.desc).cast_mut(),

        driver_features: Self::FEATURES,
        ioctls: T::IOCTLS.as_ptr(),
        num_ioctls: T::IOCTLS.len(),
        fops: &Self::FOPS,
        ..pin_init::zeroed()
    };

    /// The table of a device without a render node.
    pub(crate) const WITHOUT_RENDER_NODE: bindings::drm_driver = {
        let render = bindings::drm_driver_feature_DRIVER_RENDER;
        assert!(
            T::FEATURES.has(render),
            "no device of this driver has a render node: use `UnregisteredDevice::new`"
        );
        bindings::drm_driver {
            driver_features: Self::FEATURES & !render,
            ioctls: T::IOCTLS_WITHOUT_RENDER_NODE.as_ptr(),
            num_ioctls: T::IOCTLS_WITHOUT_RENDER_NODE.len(),
            ..Self::DRIVER
        }
    };
}

/// Notes that the release of a device has begun, before its managed actions run.
///
/// # Safety
///
/// Called only by C, when the last reference to a device of `T` was dropped (L20).
unsafe extern "C" fn release_callback<T: Driver>(_dev: *mut bindings::drm_device) {
    T::OwnerModule::runtime().release_begins();
}
