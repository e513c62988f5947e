// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! GPUs that are part of a SoC, described by the device tree.
//!
//! Source: Documentation/devicetree/bindings/gpu/arm,mali-valhall-csf.yaml

use crate::{
    driver::Tyr,
    hw::{
        self,
        power::Power,
        regs::Registers,
        Interrupts, //
    },
};
use kernel::{
    irq::Flags,
    of,
    prelude::*, //
};
use mali_regs::doorbell::LATEST_FLUSH_ID;

kernel::of_device_table!(
    DEVICES,
    <Tyr as drm::platform::Driver>::IdInfo,
    [
        (of::DeviceId::new(c"rockchip,rk3588-mali"), ()),
        (of::DeviceId::new(c"arm,mali-valhall-csf"), ()),
    ]
);

impl drm::platform::Driver for Tyr {
    type IdInfo = ();

    const OF_ID_TABLE: Option<drm::platform::OfIdTable<()>> =
        Some(drm::platform::OfIdTable::new(&DEVICES));

    fn probe<'bound>(
        cx: &drm::platform::Probe<'bound>,
        _id: Option<&'bound ()>,
    ) -> Result<drm::Ready<'bound, Self>> {
        let power = Power::of_soc(cx.parent())?;
        let device = cx.device();
        let memory = device
            .io_request_by_index(0)
            .ok_or(ENODEV)
            .and_then(|request| request.iomap_sized())
            .inspect_err(|e| dev_err!(cx, "the registers cannot be mapped: {:?}\n", e))?;
        let interrupts = || {
            Ok(Interrupts {
                gpu: device.irq_by_name(c"gpu")?,
                job: device.irq_by_name(c"job")?,
                mmu: device.irq_by_name(c"mmu")?,
                flags: Flags::SHARED,
            })
        };
        let flush_id = cx.register_page(0, LATEST_FLUSH_ID.offset as u64)?;
        hw::probe(cx, Registers::Soc(memory), flush_id, power, interrupts)
    }
}
