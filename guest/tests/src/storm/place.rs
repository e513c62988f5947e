// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The place of a call's arguments: the window, and the numbers that the process's files know.
//!
//! Source: none.

use fastrand::Rng;
use random::layout;
use random::program::Address;
use random::spec::Class;
use sys::BadAddress;
use sys::display::Objects;
use uapi::PAGE;

use super::client::File;
use super::window::{LONGEST, Window};

/// The place of one call's arguments.
pub(super) struct Place<'c> {
    pub(super) random: &'c mut Rng,
    pub(super) window: &'c mut Window,
    pub(super) files: &'c [File],
    /// The file that the call is made on.
    pub(super) of: &'c File,
    /// The objects of a display, once they are known.
    pub(super) display: Option<&'c Objects>,
}

impl layout::Place for Place<'_> {
    /// Returns any object of the class: a storm's calls have no order.
    fn object(&mut self, class: Class, _: u8) -> u64 {
        if class.is_file() { self.descriptor(class) } else { self.id(class) }
    }

    fn property(&mut self, name: &str) -> u32 {
        self.display.map_or(0, |display| display.property(name))
    }

    fn put(&mut self, at: Address, bytes: &[u8]) -> usize {
        match at {
            Address::Good => self.window.put(bytes),
            Address::Edge => self.window.edge(),
            Address::ReadOnly => self.window.read_only(),
            Address::Mapped => self.mapped(),
            Address::Null => BadAddress::Null.get(),
            Address::Unmapped => BadAddress::Unmapped.get(),
            Address::Kernel => BadAddress::Kernel.get(),
            Address::NonCanonical => BadAddress::NonCanonical.get(),
        }
    }
}

/// Returns the display's own objects of a class.
fn own(display: &Objects, class: Class) -> &[u32] {
    match class {
        Class::Crtc => &display.crtcs,
        Class::Plane => &display.planes,
        Class::Connector => &display.connectors,
        Class::Encoder => &display.encoders,
        Class::Blob => &display.blobs,
        _ => &[],
    }
}

// A write to a structure in a mapping of the device ends in the gap behind the mapping.
const _: () = assert!(LONGEST > PAGE);

impl Place<'_> {
    fn id(&mut self, class: Class) -> u64 {
        let own = self.display.map_or(&[][..], |display| own(display, class));
        match (self.of.ids(class), own) {
            // Other files' numbers count from one as well.
            ([], []) => self.random.u64(1..8),
            ([], own) => own[self.random.usize(..own.len())].into(),
            (known, _) => known[self.random.usize(..known.len())],
        }
    }

    fn descriptor(&mut self, class: Class) -> u64 {
        let fitting: Vec<_> = self.files.iter().filter(|file| file.class == Some(class)).collect();
        let all: Vec<_> = if fitting.is_empty() { self.files.iter().collect() } else { fitting };
        self.random.choice(all).map_or(class.nothing(), |file| file.number() as u64)
    }

    /// Returns an address in a mapping of the device, or where there is none.
    fn mapped(&mut self) -> usize {
        let slots: Vec<_> = self.window.full().collect();
        match self.random.choice(slots) {
            Some(slot) => self.window.address(slot, self.random.usize(..8) * 8),
            None => self.window.gap_address(),
        }
    }
}
