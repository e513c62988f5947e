// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! A model without its sockets, and every action on it: accesses, commands, and the passing of time. The input decides.

use std::fs::File;
use std::time::{Duration, Instant};

use drydock_models::command::{Answer, MAILBOX_DATA, MAILBOX_DOORBELL};
use drydock_models::config::MAILBOX;
use drydock_models::device::CONFIG_REGION;
use drydock_models::fault::Plan;
use drydock_models::mali::{self, Mali};
use drydock_models::memory::Rights;
use drydock_models::nova::{self, Nova};
use drydock_models::{Device, Gpu};
use rustix::fs::MemfdFlags;

use crate::bytes::Bytes;

/// The most events that are due at one moment.
const MOST_AT_ONCE: usize = 64;

/// A device and the time.
pub(crate) struct Machine<G: Gpu> {
    pub(crate) device: Device<G>,
    now: Instant,
}

impl Machine<Mali> {
    pub(crate) fn mali(plan: Plan<mali::Fault>) -> Self {
        Self::new(Mali::new(Instant::now()), plan)
    }
}

impl Machine<Nova> {
    pub(crate) fn nova(plan: Plan<nova::Fault>) -> Self {
        Self::new(Nova::new(nova::DEFAULT_VRAM, Instant::now()).expect("the default is a size"), plan)
    }
}

/// An action on a device.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    /// Reads a region, with any length.
    Read {
        region: u32,
        offset: u64,
        length: usize,
    },
    Write {
        region: u32,
        offset: u64,
        data: Vec<u8>,
    },
    /// The function is reset.
    Reset,
    /// Waits until nothing more becomes due within a second.
    Wait,
    /// Lets this number of milliseconds pass.
    Sleep(u64),
    /// A line on the control socket.
    Command(String),
    /// A line for the mailbox, from within the guest.
    Mailbox(String),
}

impl Step {
    pub(crate) fn read(region: u32, offset: u64, length: usize) -> Self {
        Self::Read { region, offset, length }
    }

    pub(crate) fn write(region: u32, offset: u64, value: u32) -> Self {
        Self::Write { region, offset, data: value.to_le_bytes().to_vec() }
    }

    /// Takes a step on a device whose interesting registers are at `places` of BAR0.
    pub(crate) fn from(bytes: &mut Bytes<'_>, places: &[usize]) -> Self {
        match bytes.u8() % 11 {
            0 => Self::read(0, bytes.one_of(places) as u64, 4),
            1 => Self::write(0, bytes.one_of(places) as u64, bytes.u32()),
            2 => Self::Read { region: place(bytes), offset: offset(bytes), length: length(bytes) },
            3 => {
                let (region, offset, length) = (place(bytes), offset(bytes), length(bytes));
                let mut data = bytes.take(length).to_vec();
                data.resize(length, 0);
                Self::Write { region, offset, data }
            }
            4 => Self::read(CONFIG_REGION, u64::from(bytes.u8()), length(bytes)),
            5 => Self::write(CONFIG_REGION, u64::from(bytes.u8()), bytes.u32()),
            6 => Self::Reset,
            7 => Self::Wait,
            8 => Self::Sleep(u64::from(bytes.u16())),
            9 => Self::Command(command(bytes)),
            _ => Self::Mailbox(command(bytes)),
        }
    }
}

fn place(bytes: &mut Bytes<'_>) -> u32 {
    u32::from(bytes.u8() % 10)
}

fn offset(bytes: &mut Bytes<'_>) -> u64 {
    match bytes.u8() % 4 {
        0 => bytes.u16().into(),
        1 => bytes.u32().into(),
        2 => u64::MAX - u64::from(bytes.u8()),
        _ => bytes.u64(),
    }
}

fn length(bytes: &mut Bytes<'_>) -> usize {
    bytes.one_of(&[4, 4, 4, 1, 2, 8, 0, 3, 5, 16, 255, 4096])
}

/// Takes a meaningful address, or any.
pub(crate) fn address(bytes: &mut Bytes<'_>) -> u64 {
    let near = u64::from(bytes.u16());
    match bytes.u8() % 8 {
        0 => near << 12,
        1 => crate::mali::BASE + (near << 2),
        2 | 3 => u64::from(::csf_fw::SHARED_START) + near,
        4 => (1 << 48) - near,
        5 => u64::MAX - near,
        6 => near,
        _ => bytes.u64(),
    }
}

/// Takes a line for the control socket.
fn command(bytes: &mut Bytes<'_>) -> String {
    const KINDS: [&str; 14] = [
        "removal",
        "lost-interrupt",
        "spurious-interrupt",
        "slow",
        "dma-refusal",
        "stuck-boot",
        "slow-boot",
        "unknown-chip",
        "other-chip",
        "stuck-reset",
        "stuck-power",
        "silent-boot",
        "silent-mcu",
        "corrupt-firmware",
    ];
    match bytes.u8() % 8 {
        0 => r#""status""#.into(),
        1 => r#""repair""#.into(),
        2 => {
            let kind = bytes.one_of(&KINDS);
            let key = bytes.one_of(&[
                "",
                r#", "count": #"#,
                r#", "vector": #"#,
                r#", "factor": #"#,
                r#", "progress": #"#,
                r#", "seconds": #"#,
                r#", "section": #"#,
                r#", "section": 1, "offset": #"#,
                r#", "name": "TU102""#,
            ]);
            let after = bytes.one_of(&[
                "",
                r#", "after": {"accesses": #}"#,
                r#", "after": {"seconds": #}"#,
                r#", "after": {"register": "MCU_CONTROL"}"#,
                r#", "after": {"register": "NV_PMC_BOOT_0", "accesses": 2}"#,
            ]);
            filled(&format!(r#"{{"fault": {{"kind": "{kind}"{key}{after}}}}}"#), bytes)
        }
        3..=6 => {
            let question = bytes.one_of(&[
                r#"{"load": {"space": #, "va": @, "length": #}}"#,
                r#"{"words": {"space": #, "va": [@, @]}}"#,
                r#"{"sync": {"space": #, "va": @, "wide": true}}"#,
                r#"{"sync": {"space": #, "va": @, "wide": false}}"#,
                r#"{"walk": {"space": #, "va": @}}"#,
                r#"{"mappings": {"space": #, "from": @, "to": @}}"#,
                r#"{"mappings": {"space": #}}"#,
                r#"{"runs": {"space": #, "va": @, "length": @}}"#,
                r#"{"tables": {"space": #}}"#,
                r#""spaces""#,
                r#""mcu""#,
                r#"{"access": {"space": #, "va": @, "access": "read", "length": #}}"#,
                r#"{"access": {"space": #, "va": @, "access": "execute"}}"#,
                r#"{"access": {"space": #, "va": @, "access": "write", "bytes": [#, 2, 3]}}"#,
            ]);
            format!(r#"{{"query": {}}}"#, filled(question, bytes))
        }
        _ => {
            let length = bytes.u8().into();
            String::from_utf8_lossy(bytes.take(length)).into_owned()
        }
    }
}

/// Replaces each `#` by a number, each `@` by an address.
fn filled(text: &str, bytes: &mut Bytes<'_>) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            '#' => out.push_str(&number(bytes)),
            '@' => out.push_str(&address(bytes).to_string()),
            c => out.push(c),
        }
    }
    out
}

fn number(bytes: &mut Bytes<'_>) -> String {
    match bytes.u8() {
        small @ 0..=0xef => (small % 24).to_string(),
        0xf0..=0xf3 => bytes.u32().to_string(),
        0xf4..=0xf7 => bytes.u64().to_string(),
        0xf8..=0xfb => format!("{:?}", f64::from_bits(bytes.u64())),
        _ => format!("-{}", bytes.u8()),
    }
}

impl<G: Gpu> Machine<G> {
    /// Creates a device with memory and bus mastering enabled, whose events are read.
    pub(crate) fn new(gpu: G, plan: Plan<G::Fault>) -> Self {
        let now = Instant::now();
        let mut device = Device::new(gpu, plan, now);
        device.write(CONFIG_REGION, 4, &6u16.to_le_bytes(), now);
        device.bus().listen(Box::new(|event| {
            serde_json::to_writer(std::io::sink(), event)?;
            drop(event.what.to_string());
            Ok(())
        }));
        Self { device, now }
    }

    /// Gives the device `size` bytes of memory at `at`.
    pub(crate) fn map(&mut self, at: u64, size: u64) {
        let file = rustix::fs::memfd_create("guest", MemfdFlags::CLOEXEC).expect("memory can be had");
        rustix::fs::ftruncate(&file, size).expect("memory can be had");
        let rights = Rights { read: true, write: true };
        self.device.bus().memory().map(File::from(file), 0, at, size, rights).expect("nothing is mapped there");
    }

    pub(crate) fn take(&mut self, step: &Step) {
        let now = self.now;
        match step {
            Step::Read { region, offset, length } => {
                self.device.read(*region, *offset, &mut vec![0; *length], now);
            }
            Step::Write { region, offset, data } => self.device.write(*region, *offset, data, now),
            Step::Reset => self.device.reset(now),
            Step::Wait => return self.wait(),
            Step::Sleep(millis) => self.now += Duration::from_millis(*millis),
            Step::Command(line) => answered(&self.device.command(line.as_bytes(), now)),
            Step::Mailbox(line) => self.mailbox(line),
        }
        self.tick();
    }

    /// Makes due events happen. Nothing may be due afterwards, or the clock's thread would never sleep.
    fn tick(&mut self) {
        for _ in 0..MOST_AT_ONCE {
            match self.device.due() {
                Some(due) if due <= self.now => self.device.tick(self.now),
                _ => return,
            }
        }
        panic!("something is always due");
    }

    fn wait(&mut self) {
        let end = self.now + Duration::from_secs(1);
        for _ in 0..MOST_AT_ONCE {
            let Some(due) = self.device.due().filter(|due| *due < end) else { break };
            self.now = self.now.max(due);
            self.tick();
        }
    }

    fn mailbox(&mut self, line: &str) {
        let (data, doorbell) = ((MAILBOX + MAILBOX_DATA) as u64, (MAILBOX + MAILBOX_DOORBELL) as u64);
        for part in line.as_bytes().chunks(4) {
            let mut word = [0; 4];
            word[..part.len()].copy_from_slice(part);
            self.device.write(CONFIG_REGION, data, &word, self.now);
        }
        self.device.write(CONFIG_REGION, doorbell, &[0; 4], self.now);
        let mut word = [0; 4];
        self.device.read(CONFIG_REGION, doorbell, &mut word, self.now);
        let mut answer = Vec::new();
        for _ in 0..u32::from_le_bytes(word).div_ceil(4) {
            self.device.read(CONFIG_REGION, data, &mut word, self.now);
            answer.extend(word);
        }
        answer.truncate(answer.iter().position(|byte| *byte == 0).unwrap_or(answer.len()));
        answered(&answer);
    }

    /// Disconnects the client.
    pub(crate) fn end(mut self) {
        self.device.finish();
    }
}

/// Checks that the answer to any command is a valid answer.
fn answered(answer: &[u8]) {
    serde_json::from_slice::<Answer>(answer).expect("an answer is a line of JSON");
}
