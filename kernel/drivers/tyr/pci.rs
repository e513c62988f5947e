// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! GPUs that are PCI functions: the emulated GPU.
//!
//! Source: `models/src/mali.rs`, the only such GPU.

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
    pci::{
        IrqType,
        IrqTypes, //
    },
    prelude::*, //
};
use mali_regs::doorbell::LATEST_FLUSH_ID;

kernel::pci_device_table!(
    DEVICES,
    <Tyr as drm::pci::Driver>::IdInfo,
    [(drm::pci::device_id(ARM, EMULATED_G610), ())]
);

const ARM: u16 = 0x13b5;
const EMULATED_G610: u16 = 0xe610;

/// The BAR of the registers.
const REGISTERS: u32 = 0;

/// The emulated GPU's clock: 1 GHz.
const HERTZ: u32 = 1_000_000_000;

impl drm::pci::Driver for Tyr {
    type IdInfo = ();

    const ID_TABLE: drm::pci::IdTable<()> = drm::pci::IdTable::new(&DEVICES);

    fn probe<'bound>(
        cx: &drm::pci::Probe<'bound>,
        _id: Option<&'bound ()>,
    ) -> Result<drm::Ready<'bound, Self>> {
        cx.enable_device_mem()?;
        let bar = cx
            .device()
            .iomap_region_sized(REGISTERS, c"tyr")
            .inspect_err(|e| dev_err!(cx, "BAR0 cannot be mapped: {:?}\n", e))?;
        cx.set_master()?;
        // Each interrupt has one vector, in this order.
        let interrupts = || {
            let types = IrqTypes::default().with(IrqType::MsiX);
            let vectors = cx
                .irq_vectors(3, 3, types)
                .inspect_err(|e| dev_err!(cx, "there are no three MSI-X vectors: {:?}\n", e))?;
            Ok(Interrupts {
                gpu: vectors.request(0)?,
                job: vectors.request(1)?,
                mmu: vectors.request(2)?,
                flags: Flags::TRIGGER_NONE,
            })
        };
        let flush_id = cx.register_page(REGISTERS, LATEST_FLUSH_ID.offset as u64)?;
        let power = Power::of_bus(HERTZ);
        hw::probe(cx, Registers::Pci(bar), flush_id, power, interrupts)
    }
}
