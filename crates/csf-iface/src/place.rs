// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The places of the blocks in the shared section.
//!
//! Source: `panthor_fw.c` (`iface_fw_to_cpu_addr`, `panthor_init_csg_iface`, `panthor_init_cs_iface`).

/// Offset of the first group's control block.
const GROUPS: u64 = 0x1000;

/// Offset in a group's control block of the first stream's.
const STREAMS: u64 = 0x40;

/// Returns the offset of the control block of a group slot. It saturates at the largest number if the firmware's values
/// overflow. `stride` is [`crate::global::Control::group_stride`].
#[must_use]
pub const fn group_control(group: u32, stride: u32) -> u64 {
    (group as u64 * stride as u64).saturating_add(GROUPS)
}

/// Returns the offset of the control block of a stream slot of the group at offset `group`. `stride` is
/// [`crate::group::Control::stream_stride`].
#[must_use]
pub const fn stream_control(group: u64, stream: u32, stride: u32) -> u64 {
    (stream as u64 * stride as u64).saturating_add(STREAMS).saturating_add(group)
}

/// The shared section, with its addresses for the firmware.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shared {
    /// The first address.
    pub start: u32,
    /// The section's size in bytes.
    pub size: u32,
}

impl Shared {
    /// Returns the offset of `length` bytes at the firmware's address `va`, if all of them are in the section and
    /// aligned as blocks are.
    #[must_use]
    pub const fn offset_of(self, va: u32, length: usize) -> Option<usize> {
        let Some(offset) = va.checked_sub(self.start) else { return None };
        self.check(offset as u64, length)
    }

    /// Checks the same for bytes at an offset, which may come from the firmware.
    #[must_use]
    pub const fn check(self, offset: u64, length: usize) -> Option<usize> {
        let Some(end) = offset.checked_add(length as u64) else { return None };
        if end <= self.size as u64 && offset % 4 == 0 { Some(offset as usize) } else { None }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SHARED: Shared = Shared { start: 0x0400_0000, size: 0xc000 };

    #[test]
    fn blocks_of_the_published_firmware() {
        // The control blocks are 0xa0 and 0xc bytes apart; the address of the second group's third stream's input is at
        // 0x10fc.
        assert_eq!(stream_control(group_control(1, 0xa0), 2, 0xc) + 4, 0x10fc);
        assert_eq!(SHARED.offset_of(0x0400_2000, 0x84), Some(0x2000));
    }

    #[test]
    fn address_outside_has_no_offset() {
        assert_eq!(SHARED.offset_of(0x03ff_fffc, 8), None);
        assert_eq!(SHARED.offset_of(0x0400_bffc, 8), None);
        assert_eq!(SHARED.offset_of(0x0400_bff8, 8), Some(0xbff8));
        assert_eq!(SHARED.offset_of(0x0400_0002, 4), None);
        assert_eq!(SHARED.check(u64::MAX, 2), None);
    }

    proptest! {
        #[test]
        fn address_inside_has_its_offset(va: u32, length in 0usize..0x1_0000, group: u32, stream: u32, stride: u32) {
            if let Some(offset) = SHARED.offset_of(va, length) {
                prop_assert!(offset + length <= SHARED.size as usize);
                prop_assert_eq!(u64::from(va), u64::from(SHARED.start) + offset as u64);
            }
            // Whatever the firmware's values, nothing overflows.
            prop_assert!(stream_control(group_control(group, stride), stream, stride) >= STREAMS);
        }
    }
}
