// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A child's driver keeps its parent's registers in its device's data.
//!
//! The device may live on in open files when the parent is unbound and its registers are no longer mapped.

include!("../driver.rs");

use kernel::{pci::Bar, sync::Arc, types::CovariantForLt};

struct Child;
#[derive(Default)]
struct ChildClient;
#[derive(Default)]
struct ChildBuffer;

#[vtable]
impl drm::Driver for Child {
    type Data = Arc<Bar<'bound>>; //~ WRONG
    //= type Data = u32;
    type RegistrationData<'bound> = Arc<Bar<'bound>>;
    type File = ChildClient;
    type Object = gem::shmem::Object<ChildBuffer>;
    type Kms = drm::NoKms;

    const INFO: drm::DriverInfo = INFO;
    const FEATURES: drm::Features = drm::Features::GEM;
    const IOCTLS: ioctl::Table<Self> = ioctl::Table::empty();
}
client!(ChildClient, Child);
payload!(ChildBuffer, Child);

fn probe<'bound>(cx: &drm::auxiliary::Probe<'bound>) -> Result<Arc<Bar<'bound>>> {
    Ok(cx.parent_data::<CovariantForLt!(Arc<Bar<'_>>)>()?.clone())
}
