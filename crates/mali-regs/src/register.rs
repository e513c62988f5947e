// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The description of a register, and the lookup of a register by its offset.

use core::fmt;

/// The width of a register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Width {
    /// 32 bits.
    W32,
    /// 64 bits: two accesses of 32, low half at the lower offset.
    W64,
}

impl Width {
    /// Returns the width in bytes.
    pub const fn bytes(self) -> usize {
        match self {
            Self::W32 => 4,
            Self::W64 => 8,
        }
    }
}

/// The access rights of a driver to a register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Only reading: a write has no useful effect.
    Read,
    /// Only writing: the register has no value.
    Write,
    /// Reading and writing.
    ReadWrite,
}

/// A register, or an array of equal registers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Register {
    /// The name in Arm's documents and in the kernel's drivers.
    pub name: &'static str,
    /// The offset in the register block, for an array of its first register.
    pub offset: usize,
    /// The register's width.
    pub width: Width,
    /// The driver's access rights.
    pub access: Access,
    /// The number of registers.
    pub count: usize,
    /// Bytes from one register to the next.
    pub stride: usize,
}

impl Register {
    /// Returns the offset of register `index` of an array.
    ///
    /// An index outside the array gives an offset outside it, which the access must refuse.
    pub const fn at(&self, index: usize) -> usize {
        self.offset + index * self.stride
    }

    /// Returns the index in this array, and the byte of that register, at `offset`.
    const fn index_of(&self, offset: usize) -> Option<(usize, usize)> {
        let Some(from) = offset.checked_sub(self.offset) else { return None };
        let (Some(index), Some(byte)) = (from.checked_div(self.stride), from.checked_rem(self.stride)) else {
            return None;
        };
        if index < self.count && byte < self.width.bytes() { Some((index, byte)) } else { None }
    }
}

/// The register at an offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    /// The register or array.
    pub register: &'static Register,
    /// The index in the array; 0 for a single register.
    pub index: usize,
    /// Whether the offset is of the upper half of a 64-bit register.
    pub upper: bool,
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.register.name)?;
        if self.register.count > 1 {
            write!(f, "[{}]", self.index)?;
        }
        match (self.register.width, self.upper) {
            (Width::W32, _) => Ok(()),
            (Width::W64, false) => f.write_str("_LO"),
            (Width::W64, true) => f.write_str("_HI"),
        }
    }
}

/// The registers of every block, in the order of their offsets within each.
pub(crate) const BLOCKS: &[&[Register]] = &[
    crate::gpu::REGISTERS,
    crate::irq::REGISTERS,
    crate::power::REGISTERS,
    crate::mcu::REGISTERS,
    crate::mmu::REGISTERS,
    crate::doorbell::REGISTERS,
];

/// Returns the register that an aligned access of 32 bits at `offset` reaches, if there is one.
pub fn find(offset: usize) -> Option<Found> {
    if offset % 4 != 0 {
        return None;
    }
    let all = BLOCKS.iter().flat_map(|block| block.iter());
    all.filter_map(|register| {
        let (index, byte) = register.index_of(offset)?;
        Some(Found { register, index, upper: byte != 0 })
    })
    .next()
}

/// Declares registers as constants, and `REGISTERS` as the list of them: offset, width and access, and for an array the
/// number of registers and the bytes from one to the next.
macro_rules! registers {
    ($(
        $(#[$meta:meta])*
        $name:ident $([$count:expr; $stride:expr])? @ $offset:expr, $width:ident, $access:ident;
    )*) => {
        $(
            $(#[$meta])*
            pub const $name: $crate::Register = $crate::Register {
                name: stringify!($name),
                offset: $offset,
                width: $crate::Width::$width,
                access: $crate::Access::$access,
                count: registers!(@or 1 $(, $count)?),
                stride: registers!(@or $crate::Width::$width.bytes() $(, $stride)?),
            };
        )*

        /// The registers of this block.
        pub(crate) const REGISTERS: &[$crate::Register] = &[$($name),*];
    };
    (@or $default:expr) => { $default };
    (@or $default:expr, $given:expr) => { $given };
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn registers_lie_inside_the_block_and_beside_each_other() {
        let mut words = BTreeMap::new();
        for register in BLOCKS.iter().flat_map(|block| block.iter()) {
            for index in 0..register.count {
                for word in (register.at(index)..register.at(index) + register.width.bytes()).step_by(4) {
                    assert_eq!(word % 4, 0, "{}", register.name);
                    assert!(word + 4 <= crate::SIZE, "{}", register.name);
                    let other = words.insert(word, register.name);
                    assert_eq!(other, None, "{} lies on another register", register.name);
                }
            }
        }
        // Every word that belongs to a register is found by its offset, and no other word is.
        for offset in (0..crate::SIZE).step_by(4) {
            assert_eq!(find(offset).map(|found| found.register.name), words.get(&offset).copied(), "{offset:#x}");
        }
    }

    #[test]
    fn an_offset_has_a_name() {
        let name = |offset| find(offset).map(|found| found.to_string());
        assert_eq!(name(0x0).as_deref(), Some("GPU_ID"));
        assert_eq!(name(0x104).as_deref(), Some("SHADER_PRESENT_HI"));
        assert_eq!(name(0x2400 + 3 * 0x40 + 0x34).as_deref(), Some("AS_TRANSCFG[3]_HI"));
        assert_eq!(name(0x9_0000).as_deref(), Some("DOORBELL[1]"));
        assert_eq!(name(0x9_0004), None);
        assert_eq!(name(0x2), None);
        assert_eq!(name(usize::MAX), None);
    }
}
