// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! Drivers that make no DRM device, but own the parents of DRM devices.
//!
//! A large device is served by several drivers. One owns the function on the bus, its registers and
//! its firmware. The others serve its parts, and one of them is a DRM driver. The first is a
//! [`Driver`] here. Its probe creates the parts, with
//! [`Probe::add_auxiliary`](super::Probe::add_auxiliary), and returns its data. The adapter owns
//! both: it removes the parts first and drops the data last. So there is nothing that the driver
//! could forget (L4, L5).
//!
//! Source: Documentation/driver-api/auxiliary_bus.rst.

use super::Owned;
use crate::module::ModuleRuntime;
use kernel::prelude::*;

/// A driver whose devices are the parents of others.
///
/// Implement it with `#[vtable]`. Also implement the driver trait of a bus in the role
/// [`Parent`](super::Parent), such as [`pci::Driver<Parent>`](crate::pci::Driver), which has the
/// probe.
///
/// # Examples
///
/// ```
/// use drm::bus::Parent as Role;
///
/// /// What the driver has of a card, and what a part of it is lent.
/// struct Card<'bound> {
///     parent: &'bound Parent,
/// }
/// type Lent = kernel::types::CovariantForLt!(&'_ Parent);
///
/// struct Cards;
///
/// #[vtable]
/// impl drm::parent::Driver for Cards {
///     type Data<'bound> = Card<'bound>;
///     const NAME: &'static CStr = c"cards";
///
///     fn unplugged(card: &Card<'_>) {
///         dev_info!(card.parent, "at rest\n");
///     }
/// }
///
/// impl platform::Driver<Role> for Cards {
///     type IdInfo = ();
///
///     fn probe<'bound>(
///         cx: &platform::Probe<'bound>,
///         _id: Option<&'bound ()>,
///     ) -> Result<Pin<KBox<Card<'bound>>>> {
///         cx.add_auxiliary::<crate::LocalModule, Lent>(c"part", 0, Ok(cx.parent()))?;
///         Ok(KBox::pin(Card { parent: cx.parent() }, GFP_KERNEL)?)
///     }
/// }
/// ```
#[vtable]
pub trait Driver: Sized + 'static {
    /// The module that contains the driver; `#[vtable]` fills it in.
    type OwnerModule: kernel::ModuleMetadata + ModuleRuntime;

    /// Data that lives while the device is bound, and may borrow from that time. Everything that
    /// touches the hardware belongs here. Share what children and interrupts also use by counted
    /// reference, such as an `Arc<Bar<'bound>>`.
    type Data<'bound>: Send + 'bound;

    /// The driver's name on its bus, in `/sys/bus/BUS/drivers`.
    const NAME: &'static CStr;

    /// Brings the hardware to rest when the device is removed. Called once, after its children were
    /// removed and before its interrupts are freed and its data is dropped.
    ///
    /// Also called before the machine powers off. Context: process context, may sleep.
    fn unplugged(data: &Self::Data<'_>) {
        let _ = data;
    }

    /// Suspends the hardware before the system sleeps (suspend, hibernation), after the children's
    /// drivers. Userspace is frozen.
    ///
    /// # Errors
    ///
    /// An error keeps the system awake. Context: process context, may sleep.
    fn suspend(data: &Self::Data<'_>) -> Result {
        let _ = data;
        Ok(())
    }

    /// Resumes the hardware after the system wakes up, before the children's drivers.
    ///
    /// # Errors
    ///
    /// The driver core logs an error. Context: process context, may sleep.
    fn resume(data: &Self::Data<'_>) -> Result {
        let _ = data;
        Ok(())
    }
}

/// A parent from its successful probe to the remove step. Dropping it runs the remove step.
#[doc(hidden)]
pub struct Live<'bound, T: Driver> {
    // The fields are dropped in this order. `owned` is empty when that happens.
    data: Pin<KBox<T::Data<'bound>>>,
    owned: Owned<'bound>,
}

impl<'bound, T: Driver> Live<'bound, T> {
    pub(super) fn new(data: Pin<KBox<T::Data<'bound>>>, owned: Owned<'bound>) -> Self {
        Self { data, owned }
    }

    pub(super) fn data(&self) -> &T::Data<'bound> {
        &self.data
    }
}

impl<T: Driver> Drop for Live<'_, T> {
    fn drop(&mut self) {
        // The children's drivers use this device, so remove them while it is complete.
        self.owned.remove_children();
        T::unplugged(&self.data);
        self.owned.quiesce();
    }
}
