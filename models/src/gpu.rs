// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! What a model is: a PCI function, its registers, and what becomes due by itself.
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
/// All methods are called under one lock, so a model needs none of its own. None may block: what takes time is an instant
/// that [`Gpu::due`] names and a change that [`Gpu::tick`] makes.
pub trait Gpu: Send + 'static {
    /// Faults of this kind of GPU, beside those that every device has ([`crate::fault::Common`]): an enum that serde reads
    /// as a table with `kind`.
    type Fault: DeserializeOwned + Clone + Debug + Send + 'static;
    /// The words that `kind` may be in a [`Gpu::Fault`].
    const FAULTS: &'static [&'static str];

    /// What the PCI function says of itself. Asked once.
    fn function(&self) -> Function;

    /// What the manual calls a register; `None` for a place that is none.
    fn register(&self, bar: u8, offset: u64) -> Option<Cow<'static, str>>;

    /// A read, aligned to its width and inside its BAR. What the GPU does not have is reported with [`Bus::violation`] and
    /// answered as the hardware would.
    fn read(&mut self, bus: &mut Bus, access: Access) -> u64;

    /// A write, as [`Gpu::read`].
    fn write(&mut self, bus: &mut Bus, access: Access, value: u64);

    /// The function is reset. Faults stay.
    fn reset(&mut self, bus: &mut Bus);

    /// A fault of this kind of GPU begins.
    fn fault(&mut self, bus: &mut Bus, fault: &Self::Fault);

    /// All faults end; the GPU is as if it was just plugged in.
    fn repair(&mut self, bus: &mut Bus);

    /// When [`Gpu::tick`] has something to do next.
    fn due(&self) -> Option<Instant> {
        None
    }

    /// Does what is due at [`Bus::now`].
    fn tick(&mut self, _bus: &mut Bus) {}

    /// Answers a question that only a test asks, such as what the GPU sees at an address.
    fn query(&mut self, _bus: &mut Bus, _question: &Value) -> Result<Value, String> {
        Err("this model answers no questions".into())
    }
}

/// How a PCI function presents itself.
#[derive(Clone, Debug)]
pub struct Function {
    /// The maker.
    pub vendor: u16,
    /// The kind of device.
    pub device: u16,
    /// Its revision.
    pub revision: u8,
    /// Base class, subclass and programming interface, a byte each.
    pub class: u32,
    /// Maker and kind of the board.
    pub subsystem: (u16, u16),
    /// What can be reached by memory accesses.
    pub bars: Vec<Bar>,
    /// How it interrupts.
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
    /// Its number, 0 to 5. One of 64 bits takes the next number as well.
    pub index: u8,
    /// Its size in bytes, a power of two of at least 16.
    pub size: u64,
    /// Whether its address has 64 bits.
    pub wide: bool,
    /// Whether reads have no side effects.
    pub prefetchable: bool,
}

/// How a function interrupts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interrupts {
    /// By MSI, with 1, 2, 4, 8, 16 or 32 vectors.
    Msi {
        /// Their number.
        vectors: u8,
    },
    /// By MSI-X. Its table and pending bits are a BAR of their own, which the base serves.
    MsiX {
        /// Their number, at most 128.
        vectors: u16,
        /// The BAR's number; it must be among [`Function::bars`] with at least 4 KiB.
        bar: u8,
    },
}

impl Interrupts {
    /// The number of vectors.
    #[must_use]
    pub fn vectors(self) -> u32 {
        match self {
            Self::Msi { vectors } => vectors.into(),
            Self::MsiX { vectors, .. } => vectors.into(),
        }
    }
}

/// How many bytes an access has.
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
    /// The width of `bytes` bytes, if the bus has such accesses.
    #[must_use]
    pub fn of(bytes: usize) -> Option<Self> {
        [Self::One, Self::Two, Self::Four, Self::Eight].into_iter().find(|width| width.bytes() == bytes)
    }

    /// The number of bytes.
    #[must_use]
    pub fn bytes(self) -> usize {
        self as usize
    }

    /// What a read of this width gives when nobody answers.
    #[must_use]
    pub fn ones(self) -> u64 {
        u64::MAX >> (64 - 8 * self.bytes())
    }
}

/// Where and how wide a BAR is accessed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Access {
    /// The BAR.
    pub bar: u8,
    /// Bytes from its start.
    pub offset: u64,
    /// How many bytes.
    pub width: Width,
}
