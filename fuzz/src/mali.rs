// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The model of a Mali, with any accesses, tables and blocks of the firmware's interface, by any driver.

mod driver;

use std::mem::offset_of;
use std::sync::LazyLock;

use csf_fw::SHARED_START;
use csf_iface::group::{self, EndpointRequest};
use csf_iface::{Handshake, Version, global, stream};
use mali_regs::mmu::TransCfg;
use mali_regs::{doorbell, find};

use crate::Target;
use crate::bytes::Bytes;
use crate::device::{Step, address};
use driver::{Driver, MEMORY, container};

pub(crate) use driver::BASE;

/// The most steps on one device.
const MOST: usize = 128;

pub(crate) const TARGET: Target = Target {
    name: "mali",
    run,
    show: |bytes| {
        let (start, acts) = parse(bytes);
        std::iter::once(format!("{start:?}\n")).chain(acts.iter().map(|act| format!("{act:?}\n"))).collect()
    },
};

/// The offsets of registers, including each doorbell and each half of a wide register.
static PLACES: LazyLock<Vec<usize>> = LazyLock::new(|| {
    let blocks = (0..0x3000).step_by(4).filter(|offset| find(*offset).is_some());
    blocks.chain([doorbell::LATEST_FLUSH_ID.offset]).chain((0..8).map(|index| doorbell::DOORBELL.at(index))).collect()
});

/// The state of the device at the start.
#[derive(Clone, Copy, Debug)]
struct Start {
    /// Whether the model knows the firmware to be loaded.
    expects: bool,
    version: Version,
    boots: bool,
}

/// An act of a driver.
#[derive(Debug)]
enum Act {
    Step(Step),
    /// Writes a word of memory, repeatedly.
    Poke {
        at: u64,
        value: u64,
        times: usize,
    },
    /// Maps a page for the firmware.
    Map {
        va: u64,
        bits: u64,
    },
    /// Gives tables to an address space.
    SetUp {
        space: usize,
        table: Option<u64>,
        config: u64,
    },
    /// Loads and starts the firmware.
    Boot,
    /// Writes a word of the interface.
    Word {
        offset: u64,
        value: u32,
    },
    /// Makes bits of a request pending.
    Ask {
        request: u64,
        acknowledge: u64,
        bits: u32,
    },
    /// Fills in the fields that a group needs to run, and requests a state.
    Group {
        slot: u64,
        state: u32,
    },
    /// Fills in the fields that a stream needs to run, and requests a state.
    Stream {
        slot: u64,
        index: u64,
        state: u32,
    },
    Ring(usize),
}

/// Offsets in the shared section: blocks of the published firmware, and behind them buffers for groups and rings.
const INPUT: u64 = 0x2000;
const OUTPUT: u64 = 0x6000;
const SUSPEND: u64 = 0xc000;
const PROTM_SUSPEND: u64 = 0xe000;
const RING: u64 = 0xf000;

fn group_input(slot: u64) -> u64 {
    0x3000 + slot * 0x80
}

fn group_output(slot: u64) -> u64 {
    0x7000 + slot * 0x40
}

fn stream_input(slot: u64, index: u64) -> u64 {
    0x3400 + (slot * 8 + index) * 0x80
}

fn stream_output(slot: u64, index: u64) -> u64 {
    0x7200 + (slot * 8 + index) * 0x100
}

impl Act {
    fn from(bytes: &mut Bytes<'_>) -> Self {
        match bytes.u8() % 16 {
            0..=3 => Self::Step(Step::from(bytes, &PLACES)),
            4 => {
                let times = bytes.one_of(&[1, 1, 1, 512]);
                let index = if times == 1 { u64::from(bytes.u16() % 512) } else { 0 };
                Self::Poke { at: memory(bytes) + index * 8, value: entry(bytes), times }
            }
            5 => Self::Map { va: address(bytes), bits: bytes.one_of(&[0, 1 << 7, 3 << 53, 4, 0x1c]) },
            6 => Self::SetUp {
                space: usize::from(bytes.u8() % 9),
                table: bytes.bool().then(|| memory(bytes)),
                config: match bytes.u8() % 4 {
                    0 => TransCfg::aarch64_4k(25 + u32::from(bytes.u8() % 24), true).0,
                    1 => bytes.u64(),
                    2 => bytes.u8().into(),
                    _ => TransCfg::aarch64_4k(48, true).0,
                },
            },
            7 => Self::Boot,
            8 | 9 => Self::Word { offset: block(bytes) + u64::from(bytes.u8() % 54) * 4, value: value(bytes) },
            10 => Self::Ask { request: INPUT, acknowledge: OUTPUT, bits: bits(bytes) },
            11 => Self::Group { slot: slot(bytes), state: u32::from(bytes.u8() % 5) },
            12 => Self::Stream { slot: slot(bytes), index: slot(bytes), state: u32::from(bytes.u8() % 3) },
            13 => {
                let slot = slot(bytes);
                Self::Ask { request: group_input(slot), acknowledge: group_output(slot), bits: bits(bytes) }
            }
            14 => {
                let (slot, index) = (slot(bytes), slot(bytes));
                Self::Ask {
                    request: stream_input(slot, index),
                    acknowledge: stream_output(slot, index),
                    bits: bits(bytes),
                }
            }
            _ => Self::Ring(usize::from(bytes.u8() % 26)),
        }
    }

    fn carry_out(&self, driver: &mut Driver, file: &[u8]) {
        match *self {
            Self::Step(ref step) => driver.machine.take(step),
            Self::Poke { at, value, times } => driver.poke(at, &value.to_le_bytes().repeat(times)),
            Self::Map { va, bits } => driver.map(va, bits),
            Self::SetUp { space, table, config } => driver.set_up(space, table, TransCfg(config)),
            Self::Boot => driver.boot(file),
            Self::Word { offset, value } => driver.set_word(offset, value),
            Self::Ask { request, acknowledge, bits } => ask(driver, request, acknowledge, bits),
            Self::Group { slot, state } => start_group(driver, slot, state),
            Self::Stream { slot, index, state } => start_stream(driver, slot, index, state),
            Self::Ring(number) => driver.ring(number),
        }
    }
}

fn slot(bytes: &mut Bytes<'_>) -> u64 {
    u64::from(bytes.u8() % 8)
}

/// Takes the address of a page of the guest's memory.
fn memory(bytes: &mut Bytes<'_>) -> u64 {
    BASE + u64::from(bytes.u8()) % (MEMORY >> 12) * 4096
}

/// Takes a table's entry, or any bits.
fn entry(bytes: &mut Bytes<'_>) -> u64 {
    match bytes.u8() % 4 {
        0 => bytes.u64(),
        1 => memory(bytes) | 0x443 | u64::from(bytes.u8()) << 2,
        2 => (memory(bytes) & !0x1f_ffff) | 0x441,
        _ => memory(bytes) | 3,
    }
}

/// Takes the offset of a block of the interface.
fn block(bytes: &mut Bytes<'_>) -> u64 {
    let (slot, index) = (slot(bytes), slot(bytes));
    match bytes.u8() % 8 {
        0 => 0,
        1 => INPUT,
        2 => OUTPUT,
        3 => 0x1000 + slot * 0xa0,
        4 => group_input(slot),
        5 => stream_input(slot, index),
        6 => stream_output(slot, index),
        _ => RING - 0x20,
    }
}

fn value(bytes: &mut Bytes<'_>) -> u32 {
    match bytes.u8() % 4 {
        0 => bytes.u8().into(),
        1 => 1u32.rotate_left(bytes.u8().into()).wrapping_sub(bytes.bool().into()),
        2 => SHARED_START + u32::from(bytes.u16()),
        _ => bytes.u32(),
    }
}

fn bits(bytes: &mut Bytes<'_>) -> u32 {
    if bytes.bool() { bytes.u32() } else { 1 << (bytes.u8() % 32) }
}

fn ask(driver: &mut Driver, request: u64, acknowledge: u64, bits: u32) {
    let words = Handshake { request: driver.word(request), acknowledge: driver.word(acknowledge) };
    driver.set_word(request, words.toggle(bits));
}

/// Sets fields of a block: offset, value, bytes.
fn fill(driver: &mut Driver, block: u64, fields: &[(usize, u64)]) {
    for (offset, value) in fields {
        driver.set_word(block + *offset as u64, *value as u32);
    }
}

fn state(driver: &mut Driver, (request, acknowledge): (u64, u64), state: u32, more: u32) {
    let words = Handshake { request: driver.word(request), acknowledge: driver.word(acknowledge) };
    let asked = Handshake { request: words.set(state, group::req::STATE), ..words };
    driver.set_word(request, asked.toggle(more));
}

fn start_group(driver: &mut Driver, slot: u64, wanted: u32) {
    let shared = u64::from(SHARED_START);
    let endpoints = EndpointRequest { compute: 4, fragment: 4, tiler: 1, priority: 3, ..EndpointRequest::default() };
    let fields = [
        (offset_of!(group::Input, ack_irq_mask), u64::MAX),
        (offset_of!(group::Input, allow_compute), 0x50005),
        (offset_of!(group::Input, allow_fragment), 0x50005),
        (offset_of!(group::Input, allow_other), 1),
        (offset_of!(group::Input, endpoint_req), endpoints.bits().into()),
        (offset_of!(group::Input, endpoint_req2), endpoints.bits().into()),
        (offset_of!(group::Input, suspend_buf), shared + SUSPEND),
        (offset_of!(group::Input, protm_suspend_buf), shared + PROTM_SUSPEND),
        (offset_of!(group::Input, config), 0),
    ];
    fill(driver, group_input(slot), &fields);
    state(driver, (group_input(slot), group_output(slot)), wanted, group::req::ENDPOINT_CONFIG);
    let rung = offset_of!(global::Input, doorbell_req) as u64;
    let heard = offset_of!(global::Output, doorbell_ack) as u64;
    ask(driver, INPUT + rung, OUTPUT + heard, 1 << slot);
    driver.ring(doorbell::GLOBAL);
}

fn start_stream(driver: &mut Driver, slot: u64, index: u64, wanted: u32) {
    let ring = u64::from(SHARED_START) + RING;
    let fields = [
        (offset_of!(stream::Input, config), (index + 1) << 8),
        (offset_of!(stream::Input, ack_irq_mask), u64::MAX),
        (offset_of!(stream::Input, ringbuf_base), ring),
        (offset_of!(stream::Input, ringbuf_size), 0x1000),
        (offset_of!(stream::Input, ringbuf_input), ring - 0x20),
        (offset_of!(stream::Input, ringbuf_output), ring - 0x10),
    ];
    fill(driver, stream_input(slot, index), &fields);
    state(driver, (stream_input(slot, index), stream_output(slot, index)), wanted, 0);
    let rung = offset_of!(group::Input, doorbell_req) as u64;
    let heard = offset_of!(group::Output, doorbell_ack) as u64;
    ask(driver, group_input(slot) + rung, group_output(slot) + heard, 1 << index);
}

fn parse(bytes: &[u8]) -> (Start, Vec<Act>) {
    let mut bytes = Bytes::new(bytes);
    let bits = bytes.u8();
    let version = if bits & 2 == 0 { Version::new(1, 5, 0) } else { Version::GLOBAL_STATE };
    let start = Start { expects: bits & 0x39 == 0x38, version, boots: bits & 4 == 0 };
    (start, bytes.all(MOST, Act::from))
}

fn run(bytes: &[u8]) {
    let (start, acts) = parse(bytes);
    let file = container(start.version);
    let mut driver = Driver::new(start.expects.then_some(&*file));
    if start.boots {
        driver.boot(&file);
    }
    acts.iter().for_each(|act| act.carry_out(&mut driver, &file));
    driver.machine.end();
}
