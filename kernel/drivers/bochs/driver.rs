// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! The driver's type and its probe.

use crate::{
    display::{
        self,
        Layer,
        Monitor,
        Screen, //
    },
    hardware::Hardware, //
};
use drm::{
    gem,
    kms,
    pci, //
};
use kernel::prelude::*;

pub(crate) struct Bochs;

#[vtable]
impl drm::Driver for Bochs {
    type Data = ();
    type RegistrationData<'bound> = Hardware<'bound>;
    type File = drm::Plain<Self>;
    type Object = gem::shmem::Object<drm::Plain<Self>>;
    type Kms = kms::Kms;

    const INFO: drm::DriverInfo =
        drm::DriverInfo::new(c"bochs-drm", c"bochs dispi vga interface (qemu stdvga)");
    const BUS_NAME: &'static CStr = c"bochs_rust";
    const FEATURES: drm::Features = drm::Features::GEM;
    const IOCTLS: drm::ioctl::Table<Self> = drm::ioctl::Table::empty();
}

impl kms::Driver for Bochs {
    type Plane = Layer;
    type Crtc = Screen;
    type Connector = Monitor;
    type Objects = ();

    const COPIES: bool = true;
    const CONSOLE: kms::Console<Self> = kms::Console::shmem::<drm::Plain<Self>>();
}

kernel::pci_device_table!(
    DEVICES,
    <Bochs as pci::Driver>::IdInfo,
    [(pci::device_id(0x1234, 0x1111), ())]
);

impl pci::Driver for Bochs {
    type IdInfo = ();

    const ID_TABLE: pci::IdTable<()> = pci::IdTable::new(&DEVICES);

    fn probe<'bound>(
        cx: &pci::Probe<'bound>,
        _id: Option<&'bound ()>,
    ) -> Result<drm::Ready<'bound, Self>> {
        cx.enable_device_mem()?;
        let hardware = Hardware::new(cx)?;
        let memory = hardware.memory();
        drm::UnregisteredDevice::<Self>::new(cx, Ok(()))?
            .init_kms(|setup| display::set_up(setup, memory))?
            .ready(Ok(hardware))
    }
}
