// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! The firmware: loading it into buffers, booting it, and communicating with it.
//!
//! All of this happens in the probe, with a device that was never registered. The firmware's
//! sections are buffers like those of clients, mapped into the microcontroller's address space.
//!
//! Source: `crates/csf-fw`, `crates/csf-iface`; drivers/gpu/drm/panthor/panthor_fw.c for the order
//! of requests to the firmware.

mod interface;
mod mcu;
mod section;

pub(crate) use interface::Interface;
pub(crate) use mcu::IrqHandler;

use crate::{
    driver::Tyr,
    hw::{
        gpu::Gpu,
        mmu::{
            AddressSpaces,
            Table, //
        },
    },
};
use csf_iface::Shared;
use kernel::{
    firmware,
    prelude::*,
    str::CString,
    sync::{
        atomic::Relaxed,
        Arc, //
    },
};
use section::Section;

/// The firmware of a GPU, with all its parts.
pub(crate) struct Firmware<'bound> {
    gpu: Arc<Gpu<'bound>>,
    mmu: Arc<AddressSpaces<'bound>>,
    /// The firmware file. Sections are loaded from it again after the GPU has slept.
    file: firmware::Firmware,
    sections: KVec<Section>,
    table: Arc<Table>,
    _running: mcu::Stop<'bound>,
    /// The interface that the firmware has reported since its first boot.
    interface: Interface,
    /// The frequency of the GPU's clock, in hertz.
    hertz: u32,
}

impl<'bound> Firmware<'bound> {
    /// Loads the firmware, boots it, and reads its capabilities. The level 2 cache must be on, and
    /// interrupts must work.
    ///
    /// # Errors
    ///
    /// Fails with `ENOENT` if there is no file for this GPU. Fails with `EINVAL` if the file is not
    /// firmware, or if the firmware reports impossible values. Fails with `ENOMEM`. Fails with
    /// `ETIMEDOUT` if the firmware does not boot or answer, and with `ENODEV` if the GPU does not
    /// respond. A line in the log says what failed.
    ///
    /// Context: process context, sleeps.
    pub(crate) fn boot(
        dev: &drm::UnregisteredDevice<'_, Tyr>,
        gpu: Arc<Gpu<'bound>>,
        mmu: Arc<AddressSpaces<'bound>>,
        hertz: u32,
    ) -> Result<Self> {
        let file = request(&gpu)?;
        let parsed = parse(&gpu, &file)?;
        let table = mmu.create()?;
        let mut sections = KVec::new();
        for section in parsed.sections() {
            let section = Section::load(dev, &gpu, &mmu, &table, &section)?;
            sections.push(section, GFP_KERNEL)?;
        }
        mmu.activate_mcu(&table)?;
        // Declared after the sections, so that it is dropped before them if something fails from
        // here on.
        let running = mcu::Stop(gpu.clone());
        mcu::start(&gpu)?;

        let shared = shared(&sections)?;
        let interface = Interface::read(&gpu, shared)?;
        dev_info!(
            gpu.dev,
            "CSF FW using interface v{}.{}.{}, Features {:#x} Instrumentation features {:#x}, git {}\n",
            interface.version.major(),
            interface.version.minor(),
            interface.version.patch(),
            interface.features,
            interface.instr_features,
            parsed.git_sha().unwrap_or("unknown")
        );
        let firmware = Self {
            gpu,
            mmu,
            file,
            sections,
            table,
            _running: running,
            interface,
            hertz,
        };
        firmware.configure()?;
        Ok(firmware)
    }

    /// Returns the interface that the firmware has reported.
    pub(crate) fn interface(&self) -> &Interface {
        &self.interface
    }

    /// Configures the firmware, and checks that it is alive.
    fn configure(&self) -> Result {
        let shared = shared(&self.sections)?;
        self.interface.configure(&self.gpu, shared, self.hertz)?;
        self.interface.ping(&self.gpu, shared)
    }

    /// Halts the firmware and stops the microcontroller. Failures are only logged.
    ///
    /// Context: process context, sleeps.
    pub(crate) fn stop(&self) {
        // The microcontroller does not run if the GPU did not wake up.
        if self.gpu.mcu_running.load(Relaxed) {
            if let Ok(shared) = shared(&self.sections) {
                self.interface.halt(&self.gpu, shared);
            }
        }
        mcu::stop(&self.gpu);
    }

    /// Boots the firmware again after the GPU has lost its state. Memory that the firmware has
    /// written is restored from the file first.
    ///
    /// # Errors
    ///
    /// Fails with the errors of [`boot`](Self::boot), and with `EIO` if the firmware reports
    /// another interface than before.
    pub(crate) fn reboot(&self) -> Result {
        let parsed = parse(&self.gpu, &self.file)?;
        for (section, source) in self.sections.iter().zip(parsed.sections()) {
            section.reload(&source)?;
        }
        // This is also needed after a fault of the firmware's own, which has freed the slot.
        self.mmu.activate_mcu(&self.table)?;
        mcu::start(&self.gpu)?;
        let now = Interface::read(&self.gpu, shared(&self.sections)?)?;
        if !now.is_same(&self.interface) {
            dev_err!(
                self.gpu.dev,
                "the firmware's interface is not what it was\n"
            );
            return Err(EIO);
        }
        self.configure()
    }
}

impl Drop for Firmware<'_> {
    fn drop(&mut self) {
        mcu::stop(&self.gpu);
        self.mmu.destroy(&self.table);
    }
}

fn request(gpu: &Gpu<'_>) -> Result<firmware::Firmware> {
    let path = gpu.info.id.firmware_path();
    let name = CString::try_from_fmt(fmt!("{}", format_args!("{path}")))?;
    firmware::Firmware::request(&name, gpu.dev).inspect_err(|error| {
        dev_err!(
            gpu.dev,
            "the firmware `{}` cannot be loaded: {:?}\n",
            &*name,
            error
        );
    })
}

fn parse<'a>(gpu: &Gpu<'_>, file: &'a firmware::Firmware) -> Result<csf_fw::Firmware<'a>> {
    csf_fw::Firmware::parse(file.data()).map_err(|error| {
        dev_err!(
            gpu.dev,
            "the firmware's file is not one: {}\n",
            format_args!("{error}")
        );
        EINVAL
    })
}

/// Returns the section through which driver and firmware communicate.
fn shared(sections: &[Section]) -> Result<interface::Memory<'_>> {
    let section = sections.iter().find(|section| section.is_shared());
    let section = section.ok_or(EINVAL)?;
    Ok(interface::Memory {
        map: section.map(),
        place: Shared {
            start: csf_fw::SHARED_START,
            size: section.size(),
        },
    })
}
