// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The microcontroller: switched on and off here, spoken to through memory.
//!
//! Source: `panthor_fw_regs.h`, `tyr/regs.rs`.

registers! {
    /// Whether it shall run: [`Control`].
    MCU_CONTROL @ 0x700, W32, ReadWrite;
    /// Whether it runs: [`Status`].
    MCU_STATUS @ 0x704, W32, Read;
}

/// What can be written to `MCU_CONTROL`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Control {
    /// Stop.
    Disable,
    /// Run.
    Enable,
    /// Run, and again after each fast reset.
    Auto,
}

impl Control {
    /// The value to write.
    pub const fn bits(self) -> u32 {
        match self {
            Self::Disable => 0,
            Self::Enable => 1,
            Self::Auto => 2,
        }
    }

    /// What a value that was written asks for.
    pub const fn from_bits(bits: u32) -> Option<Self> {
        match bits {
            0 => Some(Self::Disable),
            1 => Some(Self::Enable),
            2 => Some(Self::Auto),
            _ => None,
        }
    }
}

/// What can be read from `MCU_STATUS`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// It does not run.
    Disabled,
    /// It runs.
    Enabled,
    /// It halted since it was asked to.
    Halted,
    /// It ended with an error that only a reset cures.
    Fatal,
}

impl Status {
    /// The register's value.
    pub const fn bits(self) -> u32 {
        match self {
            Self::Disabled => 0,
            Self::Enabled => 1,
            Self::Halted => 2,
            Self::Fatal => 3,
        }
    }

    /// What the register says.
    pub const fn from_bits(bits: u32) -> Self {
        match bits & 3 {
            0 => Self::Disabled,
            1 => Self::Enabled,
            2 => Self::Halted,
            _ => Self::Fatal,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_and_names_agree() {
        for control in [Control::Disable, Control::Enable, Control::Auto] {
            assert_eq!(Control::from_bits(control.bits()), Some(control));
        }
        assert_eq!(Control::from_bits(3), None);
        for status in [Status::Disabled, Status::Enabled, Status::Halted, Status::Fatal] {
            assert_eq!(Status::from_bits(status.bits()), status);
        }
    }
}
