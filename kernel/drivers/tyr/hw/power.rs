// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! The power supply of the GPU: clocks and regulators, where its bus has them.
//!
//! Source: Documentation/devicetree/bindings/gpu/arm,mali-valhall-csf.yaml

use kernel::{
    clk::{
        Clk,
        OptionalClk, //
    },
    device::{
        Bound,
        Device, //
    },
    prelude::*,
    regulator::{
        Enabled,
        Regulator, //
    },
    sync::atomic::{
        Atomic,
        Relaxed, //
    },
};

/// The power supply of a GPU. It is on until [`off`](Self::off) is called or it is dropped.
pub(crate) struct Power {
    /// `None` on a bus that powers its devices itself.
    soc: Option<Soc>,
    on: Atomic<bool>,
    hertz: u32,
}

struct Soc {
    core: Clk,
    stacks: OptionalClk,
    coregroup: OptionalClk,
    // The regulators are on as long as these fields exist.
    _mali: Regulator<Enabled>,
    _sram: Regulator<Enabled>,
}

impl Power {
    /// Creates the supply of a GPU that its bus powers, with a clock of `hertz`.
    pub(crate) fn of_bus(hertz: u32) -> Self {
        Self {
            soc: None,
            on: Atomic::new(true),
            hertz,
        }
    }

    /// Creates the supply of a GPU in a SoC, as the device tree describes it, and switches it on.
    ///
    /// # Errors
    ///
    /// Fails with `EPROBE_DEFER` if a resource is not available yet, and with any error from
    /// switching it on. A line in the log says so.
    ///
    /// Context: process context, may sleep.
    pub(crate) fn of_soc(dev: &Device<Bound>) -> Result<Self> {
        let log_error = |what, error: &Error| {
            dev_err!(dev, "the {} is not to be had: {:?}\n", what, error);
        };
        let soc = Soc {
            _mali: Regulator::<Enabled>::get(dev, c"mali")
                .inspect_err(|e| log_error("regulator `mali`", e))?,
            _sram: Regulator::<Enabled>::get(dev, c"sram")
                .inspect_err(|e| log_error("regulator `sram`", e))?,
            core: Clk::get(dev, Some(c"core")).inspect_err(|e| log_error("clock `core`", e))?,
            stacks: OptionalClk::get(dev, Some(c"stacks"))
                .inspect_err(|e| log_error("clock `stacks`", e))?,
            coregroup: OptionalClk::get(dev, Some(c"coregroup"))
                .inspect_err(|e| log_error("clock `coregroup`", e))?,
        };
        let mut power = Self {
            soc: Some(soc),
            on: Atomic::new(false),
            hertz: 0,
        };
        power.on()?;
        if let Some(soc) = &power.soc {
            power.hertz = soc.core.rate().as_hz().try_into().unwrap_or(u32::MAX);
        }
        Ok(power)
    }

    /// Returns the frequency of the GPU's clock, in hertz.
    pub(crate) fn hertz(&self) -> u32 {
        self.hertz
    }

    /// Switches the clocks on, unless they are on.
    ///
    /// # Errors
    ///
    /// Fails with any error from the clocks. All clocks are off then. Context: process context, may
    /// sleep.
    pub(crate) fn on(&self) -> Result {
        if let (Some(soc), false) = (&self.soc, self.on.load(Relaxed)) {
            soc.core.prepare_enable()?;
            soc.stacks
                .prepare_enable()
                .inspect_err(|_| soc.core.disable_unprepare())?;
            soc.coregroup.prepare_enable().inspect_err(|_| {
                soc.stacks.disable_unprepare();
                soc.core.disable_unprepare();
            })?;
        }
        self.on.store(true, Relaxed);
        Ok(())
    }

    /// Switches the clocks off, unless they are off. Context: process context, may sleep.
    pub(crate) fn off(&self) {
        if let (Some(soc), true) = (&self.soc, self.on.load(Relaxed)) {
            soc.coregroup.disable_unprepare();
            soc.stacks.disable_unprepare();
            soc.core.disable_unprepare();
        }
        self.on.store(false, Relaxed);
    }
}

impl Drop for Power {
    fn drop(&mut self) {
        self.off();
    }
}
