// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! Access to hardware in the hooks of mode setting.

use super::Driver;
use crate::{
    Device,
    Init,
    Plugged, //
};
use core::ops::Deref;
use kernel::device;

/// Proof that the device is plugged, given to the hooks that may touch hardware.
///
/// The proof dereferences to `Device<T, Init>` rather than to a registered device. So a hook, which runs
/// with locks of mode setting or on the way to signalling a fence, cannot call what takes such
/// locks (K36).
pub struct Hw<'g, T: Driver>(Plugged<'g, T>);

impl<'g, T: Driver> Hw<'g, T> {
    pub(super) fn new(plugged: Plugged<'g, T>) -> Self {
        Self(plugged)
    }

    /// Calls `f` with the registration data; see [`Plugged::registration`].
    ///
    /// # Examples
    ///
    /// ```
    /// # struct Registers;
    /// # impl Registers { fn switch_off(&self) {} }
    /// # struct Show;
    /// # #[vtable]
    /// # impl drm::Driver for Show {
    /// #     type Data = ();
    /// #     type RegistrationData<'bound> = Registers;
    /// #     type File = drm::Plain<Self>;
    /// #     type Object = gem::shmem::Object<drm::Plain<Self>>;
    /// #     type Kms = kms::Kms;
    /// #     const INFO: drm::DriverInfo = INFO;
    /// #     const FEATURES: drm::Features = drm::Features::GEM;
    /// #     const IOCTLS: ioctl::Table<Self> = ioctl::Table::empty();
    /// # }
    /// # impl kms::Driver for Show {
    /// #     type Plane = ShowLayer;
    /// #     type Crtc = ShowScreen;
    /// #     type Connector = ShowMonitor;
    /// #     type Objects = ();
    /// # }
    /// # layer!(ShowLayer, Show);
    /// # screen!(ShowScreen, Show);
    /// # monitor!(ShowMonitor, Show);
    /// fn disable(_crtc: &Crtc<ShowScreen>, _old: &Old<CrtcState<ShowScreen>>, hw: &Hw<'_, Show>) {
    ///     hw.registration(|registers| registers.switch_off());
    /// }
    /// ```
    #[inline]
    pub fn registration<R>(&self, f: impl for<'a> FnOnce(&'g T::RegistrationData<'a>) -> R) -> R {
        self.0.registration(f)
    }

    /// Returns the parent, which is bound; see [`Plugged::parent`].
    #[inline]
    pub fn parent(&self) -> &'g device::Device<device::Bound> {
        self.0.parent()
    }
}

impl<T: Driver> Deref for Hw<'_, T> {
    type Target = Device<T, Init>;

    #[inline]
    fn deref(&self) -> &Self::Target {
        let registered: &Device<T, crate::Registered> = &self.0;
        registered
    }
}
