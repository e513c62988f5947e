// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! The driver's table, its probe, and what lives while it is registered.

use crate::{
    gpu::{
        self,
        Gpu, //
    },
    irq::Interrupt,
    mmu::{
        self,
        AddressSpaces, //
    },
    regs::Registers, //
};
use drm::{
    Device,
    Registered, //
};
use kernel::{
    dma::DmaMask,
    irq::Flags,
    pci::{
        IrqType,
        IrqTypes, //
    },
    prelude::*,
    sync::Arc, //
};

pub(crate) struct Tyr;

kernel::pci_device_table!(
    PCI_DEVICES,
    <Tyr as drm::pci::Driver>::IdInfo,
    [(drm::pci::device_id(0x13b5, 0xe610), ())]
);

/// What the device has while it is registered.
pub(crate) struct Hardware<'bound> {
    gpu: Arc<Gpu<'bound>>,
    mmu: Arc<AddressSpaces<'bound>>,
}

impl drm::pci::Driver for Tyr {
    type IdInfo = ();

    const ID_TABLE: drm::pci::IdTable<()> = drm::pci::IdTable::new(&PCI_DEVICES);

    fn probe<'bound>(
        cx: &drm::pci::Probe<'bound>,
        _id: Option<&'bound ()>,
    ) -> Result<drm::Ready<'bound, Self>> {
        cx.enable_device_mem()?;
        let bar = cx.device().iomap_region_sized(0, c"tyr")?;
        let gpu = Gpu::new(cx.parent(), Registers::Pci(bar), true)?;
        cx.set_dma_mask(DmaMask::try_new(gpu.info.mmu_features.pa_bits())?)?;
        cx.set_master()?;
        let dev = drm::UnregisteredDevice::<Self>::new(cx, Ok(()))?;
        let vectors = cx.irq_vectors(3, 3, IrqTypes::default().with(IrqType::MsiX))?;
        gpu.power_on()?;
        let mmu = AddressSpaces::new(gpu.clone())?;
        let server = Interrupt {
            gpu: gpu.clone(),
            server: gpu::Server,
        };
        cx.request_threaded_irq(
            vectors.request(0)?,
            Flags::TRIGGER_NONE,
            c"tyr-gpu",
            Ok(server),
        )?;
        let server = Interrupt {
            gpu: gpu.clone(),
            server: mmu::Server(mmu.clone()),
        };
        cx.request_threaded_irq(
            vectors.request(2)?,
            Flags::TRIGGER_NONE,
            c"tyr-mmu",
            Ok(server),
        )?;
        gpu.set_mask(&gpu.gpu_line, gpu::EVENTS);
        dev.ready(Ok(Hardware { gpu, mmu }))
    }
}

#[vtable]
impl drm::Driver for Tyr {
    type Data = ();
    type RegistrationData<'bound> = Hardware<'bound>;
    type File = drm::Plain<Self>;
    type Object = drm::gem::shmem::Object<drm::Plain<Self>>;
    type Kms = drm::NoKms;

    const INFO: drm::DriverInfo = drm::DriverInfo {
        minor: 9,
        ..drm::DriverInfo::new(c"panthor", c"Panthor DRM driver")
    };
    const FEATURES: drm::Features = drm::Features::GEM.render().syncobj_timeline();

    drm::ioctls! {}

    fn unplugged(_dev: &Device<Self, Registered>, hardware: &Hardware<'_>) {
        hardware.gpu.power_off();
    }
}
