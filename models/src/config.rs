// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! PCI configuration space: its contents, and the bits that a write changes.
//!
//! Source: PCI Local Bus Specification 3.0, 6.1 (header), 6.2.5 (base addresses), 6.8 (MSI and MSI-X); Linux,
//! include/uapi/linux/pci_regs.h for the names.

use crate::gpu::{Bar, Function, Interrupts};

/// The size in bytes: that of a conventional function, without extended capabilities.
pub const SIZE: usize = 256;

/// The offset of the capability by which a test in the guest sends commands; see [`crate::command::Mailbox`].
pub const MAILBOX: usize = 0xe0;
/// The size of that capability in bytes.
pub const MAILBOX_SIZE: usize = 12;

const COMMAND: usize = 0x04;
const COMMAND_MASTER: u8 = 1 << 2;
/// The bits that a driver may change: memory, bus master, parity, SERR, and no INTx.
const COMMAND_BITS: u16 = 0x0546;
const STATUS: usize = 0x06;
const STATUS_CAPABILITIES: u8 = 1 << 4;
const BASE_ADDRESS: usize = 0x10;
const CAPABILITIES: usize = 0x34;
const INTERRUPT_LINE: usize = 0x3c;
const INTERRUPTS: usize = 0x40;

const ID_MSI: u8 = 0x05;
const ID_MSI_X: u8 = 0x11;
const ID_VENDOR: u8 = 0x09;

/// The offset of the pending bits of MSI-X in their BAR; the table is before them.
pub const MSI_X_PENDING: u64 = 0x800;

/// The configuration space of one function.
#[derive(Clone, Debug)]
pub struct Config {
    bytes: [u8; SIZE],
    /// The bits that a write changes.
    writable: [u8; SIZE],
    /// The contents after a reset.
    initial: [u8; SIZE],
}

impl Config {
    /// Creates the configuration space of `function`.
    ///
    /// # Panics
    /// If the function contradicts itself: BARs that overlap, sizes that are no power of two.
    #[must_use]
    pub fn new(function: &Function) -> Self {
        let mut config = Self { bytes: [0; SIZE], writable: [0; SIZE], initial: [0; SIZE] };
        config.header(function);
        function.bars.iter().for_each(|bar| config.base_address(bar));
        match function.interrupts {
            Interrupts::Msi { vectors } => config.msi(vectors),
            Interrupts::MsiX { vectors, bar } => config.msi_x(vectors, bar),
        }
        config.mailbox();
        config.initial = config.bytes;
        config
    }

    /// Restores the initial contents, as a reset of the function does.
    pub fn reset(&mut self) {
        self.bytes = self.initial;
    }

    /// Restores the state after the function was plugged in again at the same place: it is disabled, and its addresses
    /// are still those that the machine has assigned.
    pub fn plug_in(&mut self) {
        self.bytes[COMMAND] &= !COMMAND_MASTER;
        let control = INTERRUPTS + 2;
        self.bytes[control..control + 2].copy_from_slice(&self.initial[control..control + 2]);
    }

    /// Whether the function may access memory by itself.
    #[must_use]
    pub fn is_master(&self) -> bool {
        self.bytes[COMMAND] & COMMAND_MASTER != 0
    }

    /// Reads bytes. Bytes outside of the space are zero.
    pub fn read(&self, offset: u64, data: &mut [u8]) {
        let from = usize::try_from(offset).unwrap_or(SIZE).min(SIZE);
        let there = data.len().min(SIZE - from);
        data.fill(0);
        data[..there].copy_from_slice(&self.bytes[from..from + there]);
    }

    /// Writes the writable bits.
    pub fn write(&mut self, offset: u64, data: &[u8]) {
        let from = usize::try_from(offset).unwrap_or(SIZE).min(SIZE);
        for ((byte, writable), new) in self.bytes[from..].iter_mut().zip(&self.writable[from..]).zip(data) {
            *byte = *byte & !writable | new & writable;
        }
    }

    fn header(&mut self, function: &Function) {
        self.put(0x00, &function.vendor.to_le_bytes());
        self.put(0x02, &function.device.to_le_bytes());
        self.writable[COMMAND..COMMAND + 2].copy_from_slice(&COMMAND_BITS.to_le_bytes());
        self.put(STATUS, &[STATUS_CAPABILITIES]);
        self.put(0x08, &[function.revision]);
        self.put(0x09, &function.class.to_le_bytes()[..3]);
        self.put(0x2c, &function.subsystem.0.to_le_bytes());
        self.put(0x2e, &function.subsystem.1.to_le_bytes());
        self.put(CAPABILITIES, &[INTERRUPTS as u8]);
        self.writable[INTERRUPT_LINE] = 0xff;
    }

    /// Adds a BAR: its low bits describe its kind, and the bits below its size cannot be written.
    fn base_address(&mut self, bar: &Bar) {
        assert!(bar.size.is_power_of_two() && bar.size >= 16, "a base address has a size that is a power of two");
        assert!(bar.wide || bar.size <= 1 << 31, "a base address of 32 bits has no room for its size");
        let at = BASE_ADDRESS + 4 * usize::from(bar.index);
        let length = if bar.wide { 8 } else { 4 };
        assert!(bar.index < if bar.wide { 5 } else { 6 }, "a function has six base addresses");
        assert!(self.writable[at..at + length].iter().all(|byte| *byte == 0), "base addresses do not overlap");
        self.put(at, &[if bar.wide { 0b100 } else { 0 } | if bar.prefetchable { 0b1000 } else { 0 }]);
        let address = !(bar.size - 1);
        self.writable[at..at + length].copy_from_slice(&address.to_le_bytes()[..length]);
    }

    /// Adds MSI with an address of 64 bits and no mask bits.
    fn msi(&mut self, vectors: u8) {
        assert!(vectors.is_power_of_two() && vectors <= 32, "MSI has 1, 2, 4, 8, 16 or 32 vectors");
        let capable = (vectors.trailing_zeros() as u8) << 1;
        self.put(INTERRUPTS, &[ID_MSI, MAILBOX as u8, 0x80 | capable]);
        // These are enable and the number of vectors; address; data.
        self.writable[INTERRUPTS + 2] = 0x71;
        self.writable[INTERRUPTS + 4] = 0xfc;
        self.writable[INTERRUPTS + 5..INTERRUPTS + 14].fill(0xff);
    }

    fn msi_x(&mut self, vectors: u16, bar: u8) {
        assert!((1..=128).contains(&vectors) && bar < 6, "the table fits before the pending bits");
        let [low, high] = (vectors - 1).to_le_bytes();
        self.put(INTERRUPTS, &[ID_MSI_X, MAILBOX as u8, low, high, bar]);
        self.put(INTERRUPTS + 8, &(MSI_X_PENDING as u32 | u32::from(bar)).to_le_bytes());
        // These are enable, and the mask of the whole function.
        self.writable[INTERRUPTS + 3] = 0xc0;
    }

    fn mailbox(&mut self) {
        self.put(MAILBOX, &[ID_VENDOR, 0, MAILBOX_SIZE as u8, b'D']);
    }

    fn put(&mut self, at: usize, bytes: &[u8]) {
        self.bytes[at..at + bytes.len()].copy_from_slice(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn function(interrupts: Interrupts) -> Function {
        Function {
            vendor: 0x10de,
            device: 0x2204,
            revision: 0xa1,
            class: 0x03_00_00,
            subsystem: (0x10de, 0x1454),
            bars: vec![
                Bar { index: 0, size: 16 << 20, wide: false, prefetchable: false },
                Bar { index: 1, size: 8 << 30, wide: true, prefetchable: true },
                Bar { index: 3, size: 4096, wide: false, prefetchable: false },
            ],
            interrupts,
            client_page: None,
        }
    }

    fn word(config: &Config, at: u64) -> u32 {
        let mut bytes = [0; 4];
        config.read(at, &mut bytes);
        u32::from_le_bytes(bytes)
    }

    #[test]
    fn header_has_vendor_and_device() {
        let config = Config::new(&function(Interrupts::Msi { vectors: 1 }));
        assert_eq!(word(&config, 0x00), 0x2204_10de);
        assert_eq!(word(&config, 0x08), 0x0300_00a1);
        assert_eq!(word(&config, 0x2c), 0x1454_10de);
    }

    #[test]
    fn bar_reports_its_size() {
        let mut config = Config::new(&function(Interrupts::Msi { vectors: 1 }));
        for at in [0x10, 0x14, 0x18, 0x1c, 0x20] {
            config.write(at, &[0xff; 4]);
        }
        assert_eq!(word(&config, 0x10), 0xff00_0000);
        assert_eq!((word(&config, 0x14), word(&config, 0x18)), (0x0000_000c, 0xffff_fffe));
        assert_eq!(word(&config, 0x1c), 0xffff_f000);
        assert_eq!(word(&config, 0x20), 0, "the function has no such BAR");
    }

    #[test]
    fn replugged_device_keeps_its_addresses_and_is_disabled() {
        for interrupts in [Interrupts::Msi { vectors: 1 }, Interrupts::MsiX { vectors: 3, bar: 3 }] {
            let mut config = Config::new(&function(interrupts));
            let control = word(&config, 0x40);
            config.write(0x10, &0xfe00_0000_u32.to_le_bytes());
            config.write(0x04, &0x0006_u16.to_le_bytes());
            config.write(0x40, &[0xff; 4]);
            assert!(config.is_master() && word(&config, 0x40) != control);
            config.plug_in();
            assert_eq!((config.is_master(), word(&config, 0x40)), (false, control));
            assert_eq!((word(&config, 0x10), word(&config, 0x04) & 0xffff), (0xfe00_0000, 0x0002));
        }
    }

    #[test]
    fn the_list_of_capabilities_ends() {
        for (interrupts, id) in
            [(Interrupts::Msi { vectors: 4 }, 0x05), (Interrupts::MsiX { vectors: 3, bar: 3 }, 0x11)]
        {
            let config = Config::new(&function(interrupts));
            let mut at = word(&config, 0x34) & 0xff;
            let mut ids = Vec::new();
            while at != 0 {
                ids.push(word(&config, at.into()) & 0xff);
                at = word(&config, at.into()) >> 8 & 0xff;
            }
            assert_eq!(ids, [id, 0x09]);
        }
    }

    #[test]
    fn vectors_are_at_the_offset_in_the_capability() {
        let config = Config::new(&function(Interrupts::MsiX { vectors: 3, bar: 3 }));
        assert_eq!(word(&config, 0x40) >> 16, 2, "the number less one");
        assert_eq!((word(&config, 0x44), word(&config, 0x48)), (3, 0x803));
        let config = Config::new(&function(Interrupts::Msi { vectors: 4 }));
        assert_eq!(word(&config, 0x40) >> 16, 0x84, "64 bits, four vectors");
    }

    #[test]
    fn mastering_the_bus_is_allowed_until_reset() {
        let mut config = Config::new(&function(Interrupts::Msi { vectors: 1 }));
        config.write(4, &[0x06, 0]);
        assert!(config.is_master());
        config.reset();
        assert!(!config.is_master());
    }

    proptest! {
        #[test]
        fn only_what_is_writable_changes(offset: u64, data in prop::collection::vec(any::<u8>(), 0..300)) {
            let mut config = Config::new(&function(Interrupts::Msi { vectors: 1 }));
            let offset = if offset % 2 == 0 { offset % 256 } else { offset };
            config.write(offset, &data);
            for at in 0..SIZE {
                prop_assert_eq!(config.bytes[at] & !config.writable[at], config.initial[at] & !config.writable[at]);
            }
            config.read(offset, &mut vec![0; data.len()]);
        }
    }
}
