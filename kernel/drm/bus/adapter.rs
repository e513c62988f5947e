// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! The adapters of the buses whose drivers are registered as a C structure, in the parts that all
//! of them share.
//!
//! C headers: `include/linux/{auxiliary_bus,pci,platform_device}.h`, which declare three structures
//! of one shape.

/// Declares `Adapter`, which connects the trait `Driver` of the calling module to the bus of that
/// module.
///
/// Its C callbacks are private, and it owns the bindings of its driver's devices. `fill` writes the
/// fields that depend on the driver into the zeroed C structure. `probe` says which `IdInfo` the
/// driver gets for the id that C passes, if C passes one.
macro_rules! adapter {
    (
        $bus:ty, $what:literal: $c_driver:ident of $c_device:ident,
        $register:ident, $unregister:ident,
        fill($fill:ident): { $($write:tt)* }
        probe($device:ident $(, $id:ident: $c_id:ident)?): $info:expr,
    ) => {
        #[doc = concat!("Connects a [`Driver`] with the ", $what, " bus. Owns what it makes of its devices.")]
        pub struct Adapter<T: Driver<R>, R: 'static = $crate::bus::Drm>(
            core::marker::PhantomData<(T, R)>,
        );

        // SAFETY:
        // - The C structure embeds a `struct device_driver` at this offset.
        // - `Binding` is the type that `probe` stores as driver data (L20).
        unsafe impl<T: Driver<R>, R: 'static> kernel::driver::DriverLayout for Adapter<T, R> {
            type DriverType = kernel::bindings::$c_driver;
            type DriverData<'bound> = $crate::bus::Binding<'bound, T, R>;
            const DEVICE_DRIVER_OFFSET: usize =
                core::mem::offset_of!(kernel::bindings::$c_driver, driver);
        }

        // SAFETY: `unregister` undoes what `register` did. The C functions require nothing else
        // (L20).
        unsafe impl<T: Driver<R>, R: 'static> kernel::driver::RegistrationOps for Adapter<T, R> {
            unsafe fn register(
                drv: &kernel::types::Opaque<kernel::bindings::$c_driver>,
                name: &'static CStr,
                module: &'static ThisModule,
            ) -> Result {
                let $fill = drv.get();
                <T::OwnerModule as $crate::module::ModuleRuntime>::runtime()
                    .admit_driver($fill.cast_const().cast())?;

                // SAFETY: The structure is initialised and not yet registered, so no other code
                // uses it (L20).
                unsafe {
                    $($write)*
                    (*$fill).driver.pm = $crate::bus::power::PowerTable::<T, R>::TABLE;
                    (*$fill).probe = Some(Self::probe_callback);
                    (*$fill).remove = Some(Self::remove_callback);
                    (*$fill).shutdown = Some(Self::shutdown_callback);
                }

                // SAFETY: The structure is complete and stays in place until it is unregistered (L4, L20).
                kernel::error::to_result(unsafe {
                    kernel::bindings::$register($fill, module.as_ptr(), name.as_char_ptr())
                })
            }

            unsafe fn unregister(drv: &kernel::types::Opaque<kernel::bindings::$c_driver>) {
                // SAFETY: The caller has registered it (L20).
                unsafe { kernel::bindings::$unregister(drv.get()) };
            }
        }

        impl<T: Driver<R>, R: 'static> Adapter<T, R> {
            /// Returns the device that C passed to a callback.
            ///
            /// # Safety
            ///
            /// The bus has passed `dev` to a callback that lasts for `'a` (L20).
            unsafe fn device<'a>(
                dev: *mut kernel::bindings::$c_device,
            ) -> &'a <$bus as $crate::bus::Bus>::Device<kernel::device::CoreInternal<'a>> {
                // SAFETY: The bus passes a valid device; `CoreInternal` holds for the callback (L20).
                unsafe { &*dev.cast() }
            }

            /// # Safety
            ///
            /// Called only by C, as documented for the table that contains it (L20).
            unsafe extern "C" fn probe_callback(
                dev: *mut kernel::bindings::$c_device,
                $($id: *const kernel::bindings::$c_id,)?
            ) -> c_int {
                // SAFETY: By the requirement (L20).
                let $device = unsafe { Self::device(dev) };
                let info: Option<&'static T::IdInfo> = $info;

                kernel::error::from_result(|| {
                    $crate::bus::Binding::<T, R>::probe::<$bus>($device, |cx| T::probe(cx, info))?;
                    Ok(0)
                })
            }

            /// # Safety
            ///
            /// Called only by C, as documented for the table that contains it (L20).
            unsafe extern "C" fn remove_callback(dev: *mut kernel::bindings::$c_device) {
                // SAFETY: By the requirement (L20).
                let dev = unsafe { Self::device(dev) };
                // SAFETY: The bus calls remove only after a probe that succeeded, once, under the device's lock (L20).
                unsafe { $crate::bus::Binding::<T, R>::remove(dev.as_ref()) };
            }

            /// # Safety
            ///
            /// Called only by C, as documented for the table that contains it (L20).
            unsafe extern "C" fn shutdown_callback(dev: *mut kernel::bindings::$c_device) {
                // SAFETY: By the requirement (L20).
                let dev = unsafe { Self::device(dev) };
                // SAFETY: The bus calls shutdown only for a device that has a driver, under the
                // device's lock. A probe holds that lock too, so the device is bound (L20).
                unsafe { $crate::bus::Binding::<T, R>::shutdown(dev.as_ref()) };
            }
        }
    };
}
