// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The interface of a model: a PCI function, its registers, and the changes that become due by themselves.
//!
//! Source: PCI Local Bus Specification 3.0, 6.1 (identity) and 6.2.5 (base addresses).

use std::borrow::Cow;
use std::fmt::Debug;
use std::time::Instant;

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::bus::Bus;

/// An emulated GPU.
///
/// All methods are called under one lock, so a model needs none of its own. None may block: an operation that takes
/// time is an instant that [`Gpu::due`] returns and a change that [`Gpu::tick`] makes.
pub trait Gpu: Send + 'static {
    /// The faults of this kind of GPU, in addition to those of every device ([`crate::fault::Common`]): an enum that
    /// serde reads as a table with `kind`.
    type Fault: DeserializeOwned + Clone + Debug + Send + 'static;
    /// The values of `kind` in a [`Gpu::Fault`].
    const FAULTS: &'static [&'static str];

    /// Returns the description of the PCI function. Called once.
    fn function(&self) -> Function;

    /// Returns the name of a register in the manual, or `None` if there is no register.
    fn register(&self, bar: u8, offset: u64) -> Option<Cow<'static, str>>;

    /// Reads a register. The access is aligned to its width and inside its BAR. An access to something that the GPU
    /// does not have is reported with [`Bus::violation`] and answered as the hardware would.
    fn read(&mut self, bus: &mut Bus, access: Access) -> u64;

    /// Writes a register, under the conditions of [`Gpu::read`].
    fn write(&mut self, bus: &mut Bus, access: Access, value: u64);

    /// Resets the function. Faults stay.
    fn reset(&mut self, bus: &mut Bus);

    /// Begins a fault of this kind of GPU.
    fn fault(&mut self, bus: &mut Bus, fault: &Self::Fault);

    /// Ends all faults. The GPU is as if it was just plugged in.
    fn repair(&mut self, bus: &mut Bus);

    /// Returns when [`Gpu::tick`] must be called next.
    fn due(&self) -> Option<Instant> {
        None
    }

    /// Makes the changes that are due at [`Bus::now`].
    fn tick(&mut self, _bus: &mut Bus) {}

    /// Answers a query that only a test makes, such as for the GPU's view of an address.
    fn query(&mut self, _bus: &mut Bus, _question: &Value) -> Result<Value, String> {
        Err("this model answers no questions".into())
    }
}

/// The description of a PCI function.
#[derive(Clone, Debug)]
pub struct Function {
    /// The vendor's number.
    pub vendor: u16,
    /// The device's number.
    pub device: u16,
    /// The device's revision.
    pub revision: u8,
    /// Base class, subclass and programming interface, a byte each.
    pub class: u32,
    /// The vendor's and the device's number of the board.
    pub subsystem: (u16, u16),
    /// The memory ranges of the function.
    pub bars: Vec<Bar>,
    /// The kind of interrupts.
    pub interrupts: Interrupts,
    /// The page of registers that drivers let clients map and read.
    pub client_page: Option<Page>,
}

/// A page of a BAR.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page {
    /// The BAR's number.
    pub bar: u8,
    /// Bytes from the BAR's start to the page's.
    pub offset: u64,
}

/// A range of memory of a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bar {
    /// The BAR's number, 0 to 5. A BAR of 64 bits takes the next number as well.
    pub index: u8,
    /// The BAR's size in bytes, a power of two of at least 16.
    pub size: u64,
    /// Whether its address has 64 bits.
    pub wide: bool,
    /// Whether reads have no side effects.
    pub prefetchable: bool,
}

/// The kind of a function's interrupts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interrupts {
    /// MSI, with 1, 2, 4, 8, 16 or 32 vectors.
    Msi {
        /// The number of vectors.
        vectors: u8,
    },
    /// MSI-X. Its table and pending bits are a BAR of their own, which the base handles.
    MsiX {
        /// The number of vectors, at most 128.
        vectors: u16,
        /// The BAR's number; it must be among [`Function::bars`] with at least 4 KiB.
        bar: u8,
    },
}

impl Interrupts {
    /// Returns the number of vectors.
    #[must_use]
    pub fn vectors(self) -> u32 {
        match self {
            Self::Msi { vectors } => vectors.into(),
            Self::MsiX { vectors, .. } => vectors.into(),
        }
    }
}

/// The width of an access.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Width {
    /// 8 bits.
    One = 1,
    /// 16 bits.
    Two = 2,
    /// 32 bits.
    Four = 4,
    /// 64 bits.
    Eight = 8,
}

impl Width {
    /// Returns the width of `bytes` bytes, if the bus has such accesses.
    #[must_use]
    pub fn of(bytes: usize) -> Option<Self> {
        [Self::One, Self::Two, Self::Four, Self::Eight].into_iter().find(|width| width.bytes() == bytes)
    }

    /// Returns the number of bytes.
    #[must_use]
    pub fn bytes(self) -> usize {
        self as usize
    }

    /// Returns the value of a read of this width that is not answered.
    #[must_use]
    pub fn ones(self) -> u64 {
        u64::MAX >> (64 - 8 * self.bytes())
    }
}

/// The place and width of an access to a BAR.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Access {
    /// The BAR.
    pub bar: u8,
    /// Bytes from the BAR's start.
    pub offset: u64,
    /// The number of bytes.
    pub width: Width,
}
