// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! Drivers that make no DRM device, but are the parents of those that do.
//!
//! A large device is served by several drivers: one that owns the function on the bus, its registers and its firmware,
//! and one for each part of it, a DRM driver among them. The first is a [`Driver`] here. Its probe makes the parts, with
//! [`Probe::add_auxiliary`](super::Probe::add_auxiliary), and returns its data; the adapter owns both, removes the parts
//! before anything else goes, and drops the data last. So there is nothing that the driver could forget (L4, L5).
//!
//! Source: Documentation/driver-api/auxiliary_bus.rst.

use super::Owned;
use crate::module::ModuleRuntime;
use kernel::prelude::*;

/// A driver whose devices are the parents of others.
///
/// Implement it with `#[vtable]`, and a bus's driver trait in the role [`Parent`](super::Parent) beside it, such as
/// [`pci::Driver<Parent>`](crate::pci::Driver), which has the probe.
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
    /// The module that the driver is part of; filled in by `#[vtable]`.
    type OwnerModule: kernel::ModuleMetadata + ModuleRuntime;

    /// Lives while the device is bound, and may borrow from that time: the place for what touches the hardware. What
    /// children and interrupts use as well is shared with them by counted reference (`Arc<Bar<'bound>>`, say).
    type Data<'bound>: Send + 'bound;

    /// What the driver is called on its bus, in `/sys/bus/BUS/drivers`.
    const NAME: &'static CStr;

    /// Called once when the device goes, after its children went, before its interrupts are freed and its data is
    /// dropped: brings the hardware to rest while everything is still there.
    ///
    /// It is called before the machine goes off, too. Context: process context, may sleep.
    fn unplugged(data: &Self::Data<'_>) {
        let _ = data;
    }

    /// Called before the system sleeps (suspend, hibernation), after the children's drivers. Userspace is frozen.
    ///
    /// # Errors
    ///
    /// An error keeps the system awake. Context: process context, may sleep.
    fn suspend(data: &Self::Data<'_>) -> Result {
        let _ = data;
        Ok(())
    }

    /// Called when the system woke up again, before the children's drivers.
    ///
    /// # Errors
    ///
    /// An error is logged by the core. Context: process context, may sleep.
    fn resume(data: &Self::Data<'_>) -> Result {
        let _ = data;
        Ok(())
    }
}

/// A parent from its successful probe to the remove step; dropping it is the remove step.
#[doc(hidden)]
pub struct Live<'bound, T: Driver> {
    // The order of the fields is the order in which they go; `owned` is empty by then.
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
        // Their drivers use this device: they go while it is whole.
        self.owned.remove_children();
        T::unplugged(&self.data);
        self.owned.release_means();
    }
}
