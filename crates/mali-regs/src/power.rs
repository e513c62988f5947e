// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Power: which cores there are, which are on, and how they are asked to change. A bit stands for a core.
//!
//! Source: `panthor_gpu_regs.h`, `panthor_gpu.c`.

use crate::Register;

registers! {
    /// Shader cores that there are.
    SHADER_PRESENT @ 0x100, W64, Read;
    /// Tilers that there are.
    TILER_PRESENT @ 0x110, W64, Read;
    /// Level 2 caches that there are.
    L2_PRESENT @ 0x120, W64, Read;
    /// Shader cores that are on.
    SHADER_READY @ 0x140, W64, Read;
    /// Tilers that are on.
    TILER_READY @ 0x150, W64, Read;
    /// Level 2 caches that are on.
    L2_READY @ 0x160, W64, Read;
    /// Written ones power shader cores on.
    SHADER_PWRON @ 0x180, W64, Write;
    /// Written ones power tilers on.
    TILER_PWRON @ 0x190, W64, Write;
    /// Written ones power level 2 caches on.
    L2_PWRON @ 0x1a0, W64, Write;
    /// Written ones power shader cores off.
    SHADER_PWROFF @ 0x1c0, W64, Write;
    /// Written ones power tilers off.
    TILER_PWROFF @ 0x1d0, W64, Write;
    /// Written ones power level 2 caches off.
    L2_PWROFF @ 0x1e0, W64, Write;
    /// Shader cores that are changing.
    SHADER_PWRTRANS @ 0x200, W64, Read;
    /// Tilers that are changing.
    TILER_PWRTRANS @ 0x210, W64, Read;
    /// Level 2 caches that are changing.
    L2_PWRTRANS @ 0x220, W64, Read;
    /// Shader cores that are at work.
    SHADER_PWRACTIVE @ 0x240, W64, Read;
    /// Tilers that are at work.
    TILER_PWRACTIVE @ 0x250, W64, Read;
    /// Level 2 caches that are at work.
    L2_PWRACTIVE @ 0x260, W64, Read;
}

/// What is powered together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Domain {
    /// The level 2 caches; the driver powers them.
    L2,
    /// The tilers; the firmware powers them.
    Tiler,
    /// The shader cores; the firmware powers them.
    Shader,
}

/// The registers of a domain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Block {
    /// The cores that there are.
    pub present: Register,
    /// Those that are on.
    pub ready: Register,
    /// Written ones power on.
    pub power_on: Register,
    /// Written ones power off.
    pub power_off: Register,
    /// Those that are changing.
    pub changing: Register,
    /// Those that are at work.
    pub active: Register,
}

impl Domain {
    /// All domains, each after those that it needs to be on.
    pub const ALL: [Self; 3] = [Self::L2, Self::Tiler, Self::Shader];

    /// Its name, as it stands in messages.
    pub const fn name(self) -> &'static str {
        match self {
            Self::L2 => "L2",
            Self::Tiler => "tiler",
            Self::Shader => "shader",
        }
    }

    /// Its registers.
    pub const fn block(self) -> Block {
        match self {
            Self::L2 => Block {
                present: L2_PRESENT,
                ready: L2_READY,
                power_on: L2_PWRON,
                power_off: L2_PWROFF,
                changing: L2_PWRTRANS,
                active: L2_PWRACTIVE,
            },
            Self::Tiler => Block {
                present: TILER_PRESENT,
                ready: TILER_READY,
                power_on: TILER_PWRON,
                power_off: TILER_PWROFF,
                changing: TILER_PWRTRANS,
                active: TILER_PWRACTIVE,
            },
            Self::Shader => Block {
                present: SHADER_PRESENT,
                ready: SHADER_READY,
                power_on: SHADER_PWRON,
                power_off: SHADER_PWROFF,
                changing: SHADER_PWRTRANS,
                active: SHADER_PWRACTIVE,
            },
        }
    }
}
