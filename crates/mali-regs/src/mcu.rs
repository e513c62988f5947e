// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The microcontroller: enabled and disabled here, while communication goes through memory.
//!
//! Source: `panthor_fw_regs.h`, `tyr/regs.rs`.

registers! {
    /// Whether the microcontroller should run: [`Control`].
    MCU_CONTROL @ 0x700, W32, ReadWrite;
    /// Whether the microcontroller runs: [`Status`].
    MCU_STATUS @ 0x704, W32, Read;
}

/// The values for `MCU_CONTROL`.
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
    /// Returns the value to write.
    pub const fn bits(self) -> u32 {
        match self {
            Self::Disable => 0,
            Self::Enable => 1,
            Self::Auto => 2,
        }
    }

    /// Returns the meaning of a written value.
    pub const fn from_bits(bits: u32) -> Option<Self> {
        match bits {
            0 => Some(Self::Disable),
            1 => Some(Self::Enable),
            2 => Some(Self::Auto),
            _ => None,
        }
    }
}

/// The values of `MCU_STATUS`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// The microcontroller does not run.
    Disabled,
    /// The microcontroller runs.
    Enabled,
    /// The microcontroller halted on request.
    Halted,
    /// The microcontroller ended with an error that needs a reset.
    Fatal,
}

impl Status {
    /// Returns the register's value.
    pub const fn bits(self) -> u32 {
        match self {
            Self::Disabled => 0,
            Self::Enabled => 1,
            Self::Halted => 2,
            Self::Fatal => 3,
        }
    }

    /// Returns the meaning of the register's value.
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
