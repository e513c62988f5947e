// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! Macros with which drivers declare their modules.
//!
//! Source: `rust/macros/module.rs` for the contents of a module's declaration.

/// Declares a module with one driver for the platform bus.
///
/// Takes the arguments of [`module!`](kernel::prelude::module!), with `type` the DRM driver (a
/// [`platform::Driver`](crate::platform::Driver)). Instead of `type` it takes `parent`, a driver
/// that is the [parent](crate::parent) of DRM devices, as the macros for the other buses do. With
/// `virtual_device: c"name",` in front, the module also creates the platform device of that name,
/// for hardware that does not exist. With `virtual_devices: [c"name"; count],` it creates `count` of
/// them, called `name`, `name.1` and so on.
///
/// # Examples
///
/// ```
/// drm::module_platform_driver! {
///     type: Mini,
///     name: "mini",
///     authors: ["Someone"],
///     description: "A driver that does nothing",
///     license: "Dual MIT/GPL",
/// }
/// ```
#[macro_export]
macro_rules! module_platform_driver {
    (virtual_device: $device:expr, $role:ident: $type:ty, $($info:tt)*) => {
        $crate::__module! { [$device; 1] [platform] [$role: $type] $($info)* }
    };
    (virtual_devices: [$device:expr; $count:expr], $role:ident: $type:ty, $($info:tt)*) => {
        $crate::__module! { [$device; $count] [platform] [$role: $type] $($info)* }
    };
    ($role:ident: $type:ty, $($info:tt)*) => {
        $crate::__module! { [] [platform] [$role: $type] $($info)* }
    };
}

/// Declares a module with one driver for the PCI bus.
///
/// Takes the arguments of [`module!`](kernel::prelude::module!), with `type` the DRM driver (a
/// [`pci::Driver`](crate::pci::Driver)), or `parent` a driver that makes no DRM device
/// ([`parent::Driver`](crate::parent::Driver)).
///
/// # Examples
///
/// ```
/// # driver!(Card, (), CardClient, CardBuffer, drm::NoKms, ioctl::Table::empty());
/// kernel::pci_device_table!(
///     DEVICES,
///     <Card as drm::pci::Driver>::IdInfo,
///     [(drm::pci::device_id(0x1234, 0x5678), "the first of its kind")]
/// );
///
/// impl drm::pci::Driver for Card {
///     type IdInfo = &'static str;
///
///     const ID_TABLE: drm::pci::IdTable<&'static str> = drm::pci::IdTable::new(&DEVICES);
///
///     fn probe<'bound>(
///         cx: &drm::pci::Probe<'bound>,
///         id: Option<&'bound &'static str>,
///     ) -> Result<Ready<'bound, Self>> {
///         cx.enable_device_mem()?;
///         UnregisteredDevice::<Self>::new(cx, Ok(()))?.ready(Ok(()))
///     }
/// }
///
/// drm::module_pci_driver! {
///     type: Card,
///     name: "card",
///     authors: ["Someone"],
///     description: "A driver that does nothing, for a PCI card",
///     license: "Dual MIT/GPL",
/// }
/// ```
#[macro_export]
macro_rules! module_pci_driver {
    ($role:ident: $type:ty, $($info:tt)*) => {
        $crate::__module! { [] [pci] [$role: $type] $($info)* }
    };
}

/// Declares a module with one driver for the auxiliary bus.
///
/// Takes the arguments of [`module!`](kernel::prelude::module!), with `type` the DRM driver (an
/// [`auxiliary::Driver`](crate::auxiliary::Driver)), or `parent`.
///
/// # Examples
///
/// ```
/// # driver!(Child, (), ChildClient, ChildBuffer, drm::NoKms, ioctl::Table::empty());
/// kernel::auxiliary_device_table!(
///     DEVICES,
///     <Child as drm::auxiliary::Driver>::IdInfo,
///     [(kernel::auxiliary::DeviceId::new(c"parent_module", c"child"), ())]
/// );
///
/// impl drm::auxiliary::Driver for Child {
///     type IdInfo = ();
///
///     const ID_TABLE: drm::auxiliary::IdTable<()> = drm::auxiliary::IdTable::new(&DEVICES);
///
///     fn probe<'bound>(
///         cx: &drm::auxiliary::Probe<'bound>,
///         _id: Option<&'bound ()>,
///     ) -> Result<Ready<'bound, Self>> {
///         UnregisteredDevice::<Self>::new(cx, Ok(()))?.ready(Ok(()))
///     }
/// }
///
/// drm::module_auxiliary_driver! {
///     type: Child,
///     name: "child",
///     authors: ["Someone"],
///     description: "A driver that does nothing, for a part of another device",
///     license: "Dual MIT/GPL",
/// }
/// ```
#[macro_export]
macro_rules! module_auxiliary_driver {
    ($role:ident: $type:ty, $($info:tt)*) => {
        $crate::__module! { [] [auxiliary] [$role: $type] $($info)* }
    };
}

/// Declares a module with one driver for a faux device, which the module creates under the driver's
/// name and owns.
///
/// Takes the arguments of [`module!`](kernel::prelude::module!), with `type` the DRM driver (a
/// [`faux::Driver`](crate::faux::Driver)), or `parent`.
///
/// # Examples
///
/// ```
/// # driver!(Fake, (), FakeClient, FakeBuffer, drm::NoKms, ioctl::Table::empty());
/// impl drm::faux::Driver for Fake {
///     fn probe<'bound>(cx: &drm::faux::Probe<'bound>) -> Result<Ready<'bound, Self>> {
///         UnregisteredDevice::<Self>::new(cx, Ok(()))?.ready(Ok(()))
///     }
/// }
///
/// drm::module_faux_driver! {
///     type: Fake,
///     name: "fake",
///     authors: ["Someone"],
///     description: "A driver that does nothing, without hardware",
///     license: "Dual MIT/GPL",
/// }
/// ```
#[macro_export]
macro_rules! module_faux_driver {
    ($role:ident: $type:ty, $($info:tt)*) => {
        $crate::__module! { [] [faux] [$role: $type] $($info)* }
    };
}

/// Declares a module with one driver that serves devices of several buses. It is registered with
/// the `buses` in the order in which they are listed.
///
/// Takes the arguments of [`module!`](kernel::prelude::module!), with `type` the DRM driver, which
/// implements the driver trait of each bus, or `parent`.
///
/// # Examples
///
/// ```
/// # driver!(Card, (), CardClient, CardBuffer, drm::NoKms, ioctl::Table::empty());
/// # kernel::pci_device_table!(
/// #     DEVICES,
/// #     <Card as drm::pci::Driver>::IdInfo,
/// #     [(drm::pci::device_id(0x1234, 0x5678), ())]
/// # );
/// # impl drm::pci::Driver for Card {
/// #     type IdInfo = ();
/// #     const ID_TABLE: drm::pci::IdTable<()> = drm::pci::IdTable::new(&DEVICES);
/// #     fn probe<'bound>(cx: &drm::pci::Probe<'bound>, _: Option<&'bound ()>) -> Result<Ready<'bound, Self>> {
/// #         UnregisteredDevice::<Self>::new(cx, Ok(()))?.ready(Ok(()))
/// #     }
/// # }
/// # impl drm::platform::Driver for Card {
/// #     type IdInfo = ();
/// #     fn probe<'bound>(cx: &drm::platform::Probe<'bound>, _: Option<&'bound ()>) -> Result<Ready<'bound, Self>> {
/// #         UnregisteredDevice::<Self>::new(cx, Ok(()))?.ready(Ok(()))
/// #     }
/// # }
/// drm::module_driver! {
///     buses: [pci, platform],
///     type: Card,
///     name: "card",
///     authors: ["Someone"],
///     description: "A driver that does nothing, for a GPU on a card or in a SoC",
///     license: "Dual MIT/GPL",
/// }
/// ```
#[macro_export]
macro_rules! module_driver {
    (buses: [$($bus:ident),+ $(,)?], $role:ident: $type:ty, $($info:tt)*) => {
        $crate::__module! { [] [$($bus)+] [$role: $type] $($info)* }
    };
}

/// Maps a word of a module's declaration to the driver's role.
#[doc(hidden)]
#[macro_export]
macro_rules! __role {
    (type) => {
        $crate::bus::Drm
    };
    (parent) => {
        $crate::bus::Parent
    };
}

/// Maps a bus to the type of the module's field that registers the driver with it.
#[doc(hidden)]
#[macro_export]
macro_rules! __registration {
    (faux, $role:ident, $type:ty) => {
        $crate::faux::Registration<$type, $crate::__role!($role)>
    };
    ($bus:ident, $role:ident, $type:ty) => {
        ::kernel::driver::Registration<$crate::$bus::Adapter<$type, $crate::__role!($role)>>
    };
}

/// Returns the number of faux devices that a registration creates.
#[doc(hidden)]
#[macro_export]
macro_rules! __faux_devices {
    (faux) => {
        1
    };
    ($bus:ident) => {
        0
    };
}

/// Creates the virtual devices of a module that has some.
#[doc(hidden)]
#[macro_export]
macro_rules! __virtual_devices {
    ([] [$($bus:ident)+] [$role:ident: $type:ty]) => {
        $crate::platform::VirtualDevices::none()
    };
    ([$device:expr; $count:expr] [platform] [$role:ident: $type:ty]) => {{
        // Outside the `unsafe` block, because these are the driver's expressions.
        let name: &::kernel::str::CStr = $device;
        let count: usize = $count;
        // SAFETY: The module's other field has registered the driver with the platform bus (L20).
        unsafe {
            $crate::platform::VirtualDevices::new::<$type, $crate::__role!($role)>(name, count)
        }?
    }};
}

/// Declares the module of a driver on one or more buses. The module's virtual devices, the driver's registrations and the runtime are dropped in this order.
///
/// The macro takes words rather than types, because it guarantees what the types do: they are
/// dropped with the module, and leave nothing behind.
#[doc(hidden)]
#[macro_export]
macro_rules! __module {
    ([$($device:expr; $count:expr)?] [$($bus:ident)+] [$role:ident: $type:ty] $($info:tt)*) => {
        static __DRM_RUNTIME: $crate::module::Runtime = $crate::module::Runtime::new();

        #[::kernel::prelude::pin_data]
        struct DrmModule {
            _devices: $crate::platform::VirtualDevices,
            $(
                #[pin]
                $bus: $crate::__registration!($bus, $role, $type),
            )+
            _running: $crate::module::Running,
        }

        // SAFETY: `module!` below gets `DrmModule`. Its field `_running` is dropped after the
        // drivers. A second value of this type cannot be made, because `Running::new` succeeds once
        // (L4, L15).
        unsafe impl $crate::module::ModuleRuntime for DrmModule {
            fn runtime() -> &'static $crate::module::Runtime {
                &__DRM_RUNTIME
            }
        }

        impl ::kernel::InPlaceModule for DrmModule {
            fn init(
                module: &'static ::kernel::ThisModule,
            ) -> impl ::pin_init::PinInit<Self, ::kernel::error::Error> {
                ::kernel::prelude::try_pin_init!(&this in Self {
                    // SAFETY: This is the last field of the module, which is dropped at the
                    // module's exit. In the first call, which C makes before any code of the driver
                    // runs, `this` is the module's value. Only this code initialises any of it
                    // (L4, L15).
                    _running: unsafe {
                        $crate::module::Running::new::<Self>(
                            this.as_ptr(),
                            0 $(+ $crate::__faux_devices!($bus))+,
                        )
                    }?,
                    $(
                        $bus <- <$crate::__registration!($bus, $role, $type)>::new(
                            <Self as ::kernel::ModuleMetadata>::NAME,
                            module,
                        ),
                    )+
                    _devices: $crate::__virtual_devices!([$($device; $count)?] [$($bus)+] [$role: $type]),
                })
            }
        }

        ::kernel::prelude::module! {
            type: DrmModule,
            $($info)*
        }
    };
}
