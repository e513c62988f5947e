// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The protocol by which a request is made and acknowledged.
//!
//! Source: `panthor_fw.h` (`panthor_fw_toggle_reqs`, `panthor_fw_update_reqs`), `panthor_fw.c`
//! (`panthor_fw_wait_acks`).

/// A request word of one side and the acknowledge word of the other. A bit that differs is a pending request. The other
/// side acknowledges it by making the bit equal. So neither side ever writes the other's word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Handshake {
    /// The word of the requesting side.
    pub request: u32,
    /// The word of the acknowledging side.
    pub acknowledge: u32,
}

impl Handshake {
    /// Returns the request word that makes the bits of `mask` pending, and leaves the others unchanged.
    #[must_use]
    pub const fn toggle(self, mask: u32) -> u32 {
        (self.request & !mask) | (!self.acknowledge & mask)
    }

    /// Returns the acknowledge word by which the acknowledging side reports the events of `mask`. They are pending
    /// until the requesting side makes these bits equal in its word.
    #[must_use]
    pub const fn notify(self, mask: u32) -> u32 {
        (self.acknowledge & !mask) | (!self.request & mask)
    }

    /// Returns the request word with the bits of `mask` taken from `value`, for bits that are a state and not an event.
    #[must_use]
    pub const fn set(self, value: u32, mask: u32) -> u32 {
        (self.request & !mask) | (value & mask)
    }

    /// Returns the bits of `mask` that are pending.
    #[must_use]
    pub const fn pending(self, mask: u32) -> u32 {
        (self.request ^ self.acknowledge) & mask
    }

    /// Returns the acknowledge word that makes the bits of `mask` no longer pending, and leaves the others unchanged.
    #[must_use]
    pub const fn ack(self, mask: u32) -> u32 {
        (self.acknowledge & !mask) | (self.request & mask)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn request_is_pending_until_acknowledged(request: u32, acknowledge: u32, mask: u32, other: u32) {
            let before = Handshake { request, acknowledge };
            let requested = Handshake { request: before.toggle(mask), ..before };
            prop_assert_eq!(requested.pending(mask), mask);
            prop_assert_eq!(requested.pending(!mask), before.pending(!mask));
            let acked = Handshake { acknowledge: requested.ack(mask), ..requested };
            prop_assert_eq!(acked.pending(mask), 0);
            prop_assert_eq!(acked.pending(!mask), before.pending(!mask));
            let notified = Handshake { acknowledge: before.notify(mask), ..before };
            prop_assert_eq!((notified.pending(mask), notified.pending(!mask)), (mask, before.pending(!mask)));
            prop_assert_eq!(before.set(other, mask) & mask, other & mask);
            prop_assert_eq!(before.set(other, mask) & !mask, request & !mask);
        }
    }
}
