// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! The match table, the probe, and the data that lives while the function is bound.

use crate::hardware::{
    self,
    Bar, //
};
use drm::bus::Parent;
use kernel::{
    device::{
        Bound,
        Device, //
    },
    pci::{
        Class,
        ClassMask,
        DeviceId,
        Vendor, //
    },
    prelude::*,
    sync::atomic::{
        Atomic,
        Relaxed, //
    },
    types::CovariantForLt,
};
use nova_regs::{
    Gpu,
    Words, //
};

pub(crate) struct NovaCore;

/// The driver's data of a function: its registers, which no other driver may map.
pub(crate) struct Function<'bound> {
    device: &'bound Device<Bound>,
    bar: Bar<'bound>,
}

/// The number of the next child. Numbers are not reused, so no two devices ever have the same name.
static NEXT_ID: Atomic<u32> = Atomic::new(0);

// Matches GPUs of all generations; the registers identify them.
kernel::pci_device_table!(
    DEVICES,
    <NovaCore as drm::pci::Driver<Parent>>::IdInfo,
    [
        (
            DeviceId::from_class_and_vendor(
                Class::DISPLAY_VGA,
                ClassMask::ClassSubclass,
                Vendor::NVIDIA
            ),
            ()
        ),
        (
            DeviceId::from_class_and_vendor(
                Class::DISPLAY_3D,
                ClassMask::ClassSubclass,
                Vendor::NVIDIA
            ),
            ()
        ),
    ]
);

impl drm::pci::Driver<Parent> for NovaCore {
    type IdInfo = ();

    const ID_TABLE: drm::pci::IdTable<()> = drm::pci::IdTable::new(&DEVICES);

    fn probe<'bound>(
        cx: &drm::pci::Probe<'bound>,
        _id: Option<&'bound ()>,
    ) -> Result<Pin<KBox<Function<'bound>>>> {
        cx.enable_device_mem()?;
        let bar: Bar<'bound> = cx
            .device()
            .iomap_region_sized(nova_regs::pci::REGISTERS, c"nova-core/bar0")
            .inspect_err(|e| dev_err!(cx, "BAR0 cannot be mapped: {:?}\n", e))?;
        let (chip, revision) = hardware::identify(cx.parent(), &bar)?;
        hardware::wait_until_ready(cx.parent(), &bar)?;

        let gpu = Gpu {
            chip,
            revision,
            vram_bar_size: cx.resource_len(nova_regs::pci::VRAM)?,
        };
        cx.add_auxiliary::<crate::LocalModule, CovariantForLt!(Words)>(
            c"nova-drm",
            NEXT_ID.fetch_add(1, Relaxed),
            Ok(gpu.words()),
        )?;
        let device = cx.parent();
        Ok(KBox::pin(Function { device, bar }, GFP_KERNEL)?)
    }
}

#[vtable]
impl drm::parent::Driver for NovaCore {
    type Data<'bound> = Function<'bound>;

    const NAME: &'static CStr = c"nova-core";

    /// Waits for the GPU to boot. It has lost its state and boots again, as after power-on.
    fn resume(function: &Function<'_>) -> Result {
        hardware::wait_until_ready(function.device, &function.bar)
    }
}
