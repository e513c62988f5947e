// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Power: the existing cores, their power state, and the requests to change it. A bit is a core.
//!
//! Source: `panthor_gpu_regs.h`, `panthor_gpu.c`.

use crate::Register;

registers! {
    /// Existing shader cores.
    SHADER_PRESENT @ 0x100, W64, Read;
    /// Existing tilers.
    TILER_PRESENT @ 0x110, W64, Read;
    /// Existing level 2 caches.
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
    /// Shader cores that are changing their state.
    SHADER_PWRTRANS @ 0x200, W64, Read;
    /// Tilers that are changing their state.
    TILER_PWRTRANS @ 0x210, W64, Read;
    /// Level 2 caches that are changing their state.
    L2_PWRTRANS @ 0x220, W64, Read;
    /// Shader cores that are active.
    SHADER_PWRACTIVE @ 0x240, W64, Read;
    /// Tilers that are active.
    TILER_PWRACTIVE @ 0x250, W64, Read;
    /// Level 2 caches that are active.
    L2_PWRACTIVE @ 0x260, W64, Read;
}

/// Cores that are powered together.
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
    /// Existing cores.
    pub present: Register,
    /// Cores that are on.
    pub ready: Register,
    /// Writing ones powers cores on.
    pub power_on: Register,
    /// Writing ones powers cores off.
    pub power_off: Register,
    /// Cores that are changing their state.
    pub changing: Register,
    /// Cores that are active.
    pub active: Register,
}

impl Domain {
    /// All domains, each after the domains that it needs.
    pub const ALL: [Self; 3] = [Self::L2, Self::Tiler, Self::Shader];

    /// Returns the name for messages.
    pub const fn name(self) -> &'static str {
        match self {
            Self::L2 => "L2",
            Self::Tiler => "tiler",
            Self::Shader => "shader",
        }
    }

    /// Returns the domain's registers.
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
