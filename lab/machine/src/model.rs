// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The emulated GPUs by name, as chosen by a user. `gpu.rs` starts one as a process of its own.
//!
//! Source: the crate `drydock-models`.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use drydock_models::fault::Plan;
use drydock_models::mali::Mali;
use drydock_models::nova::{self, Nova};
use drydock_models::{Device, Gpu};

use drydock_base::error::{Error, Kind, Result};

/// Choices about an emulated GPU.
#[derive(Clone, Debug, Default)]
pub struct Choices {
    /// Its faults, in a TOML file.
    pub fault: Option<PathBuf>,
    /// The file for its events, one line of JSON each.
    pub trace: Option<PathBuf>,
    /// The size of its BAR for VRAM in MiB.
    pub vram: Option<u32>,
}

impl Choices {
    /// Returns whether anything is chosen.
    pub fn any(&self) -> bool {
        let Self { fault, trace, vram } = self;
        fault.is_some() || trace.is_some() || vram.is_some()
    }
}

/// A GPU that can be emulated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Name {
    /// An NVIDIA GA102.
    Nova,
    /// An Arm Mali-G610.
    Mali,
}

impl Name {
    /// All GPUs.
    pub const ALL: [Self; 2] = [Self::Nova, Self::Mali];

    /// Returns the GPU whose name on the command line is `word`.
    pub fn named(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|name| name.word() == word)
    }

    /// Returns its name on the command line.
    pub fn word(self) -> &'static str {
        match self {
            Self::Nova => "nova",
            Self::Mali => "mali",
        }
    }

    /// Returns the hardware that it emulates.
    pub fn about(self) -> &'static str {
        match self {
            Self::Nova => "An NVIDIA GA102",
            Self::Mali => "An Arm Mali-G610",
        }
    }

    /// Refuses options that the model would refuse, before anything else happens.
    pub fn check(self, choices: &Choices) -> Result<()> {
        match self {
            Self::Nova => nova(choices).map(drop),
            Self::Mali => mali(choices, None).map(drop),
        }
    }
}

/// Makes an NVIDIA GPU.
pub fn nova(choices: &Choices) -> Result<Device<Nova>> {
    let now = Instant::now();
    let gpu = Nova::new(choices.vram.unwrap_or(nova::DEFAULT_VRAM), now);
    let gpu = gpu.map_err(|why| Error::new(Kind::Usage, why).hint("choose another `--vram`"))?;
    Ok(Device::new(gpu, plan::<Nova>(choices.fault.as_deref())?, now))
}

/// Makes a Mali, which compares the firmware that its driver loads with `firmware`.
pub fn mali(choices: &Choices, firmware: Option<&Path>) -> Result<Device<Mali>> {
    if choices.vram.is_some() {
        return Err(Error::new(Kind::Usage, "a Mali has no VRAM of its own, so `--vram` has no effect"));
    }
    let now = Instant::now();
    let mut gpu = Mali::new(now);
    if let Some(path) = firmware {
        let refused = |why: String| Error::new(Kind::Usage, format!("`{}`: {why}", path.display()));
        let file = fs::read(path).map_err(|error| refused(error.to_string()))?;
        gpu = gpu.expect_firmware(file).map_err(|error| refused(error.to_string()))?;
    }
    Ok(Device::new(gpu, plan::<Mali>(choices.fault.as_deref())?, now))
}

fn plan<G: Gpu>(path: Option<&Path>) -> Result<Plan<G::Fault>> {
    let Some(path) = path else { return Ok(Plan::default()) };
    let refused = |why: String| Error::new(Kind::Usage, format!("`{}`: {why}", path.display()));
    let text = fs::read_to_string(path).map_err(|error| refused(error.to_string()))?;
    Plan::parse::<G>(&text).map_err(|error| refused(error.to_string().trim_end().to_owned()))
}
