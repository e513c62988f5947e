// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Checks that the driver has loaded the firmware: each section at its addresses, with its rights and its bytes.
//!
//! Source: `drivers/gpu/drm/panthor/panthor_fw.c` of Linux 7.3 (how flags become mappings).

use std::collections::BTreeSet;

use csf_fw::{Entry, Error, Firmware, PAGE_SIZE, Section};
use csf_iface::Version;
use mali_mmu::Access;

use crate::mali::chip::{Chip, SPACE};
use crate::mali::mmu::Stop;

/// The most words that enable a trace buffer's events: far more than any buffer has.
const MOST_WORDS: u32 = 256;

/// The file that the driver should have loaded.
#[derive(Clone, Debug)]
pub(super) struct Container {
    file: Vec<u8>,
    /// Words that the driver may write before the firmware starts: settings and the places of trace buffers.
    open: BTreeSet<u32>,
}

/// The reason why the loaded bytes do not run.
#[derive(Debug)]
pub(super) enum Wrong {
    /// An access faults, or waits.
    Stop(Stop),
    /// The bytes are not the firmware.
    Bytes,
}

impl From<Stop> for Wrong {
    fn from(stop: Stop) -> Self {
        Self::Stop(stop)
    }
}

/// A byte that the microcontroller reads wrongly, because of a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Flipped {
    /// The index among the loaded sections, from 0.
    pub(super) section: usize,
    /// The offset of the byte in the section.
    pub(super) offset: u32,
}

impl Container {
    pub(super) fn new(file: Vec<u8>) -> Result<Self, Error> {
        let firmware = Firmware::parse(&file)?;
        let open = firmware.entries().flat_map(|entry| match entry {
            Entry::Config(config) => vec![config.address],
            Entry::TraceBuffer(buffer) => {
                let words = buffer.enable_count.div_ceil(32).min(MOST_WORDS);
                let enable = (0..words).map(|word| buffer.enable_address.wrapping_add(word * 4));
                [buffer.size_address, buffer.insert_address, buffer.extract_address, buffer.data_address]
                    .into_iter()
                    .chain(enable)
                    .collect()
            }
            _ => Vec::new(),
        });
        let open = open.collect();
        Ok(Self { file, open })
    }

    fn firmware(&self) -> Firmware<'_> {
        Firmware::parse(&self.file).expect("it was parsed before")
    }

    /// Returns the version of the interface.
    pub(super) fn version(&self) -> Version {
        Version(self.firmware().version_hash())
    }

    /// Returns the size of the section that driver and firmware share.
    pub(super) fn shared_size(&self) -> u32 {
        self.firmware().sections().find(Section::is_shared_interface).map_or(0, |section| section.size())
    }

    /// Checks all loaded sections, as the microcontroller sees them. After a halt (`warm`), memory that the firmware
    /// may write has the firmware's content.
    pub(super) fn check(&self, chip: &mut Chip<'_>, warm: bool, flipped: Option<Flipped>) -> Result<(), Wrong> {
        let firmware = self.firmware();
        let has =
            |flipped: &Flipped| firmware.sections().nth(flipped.section).is_some_and(|s| flipped.offset < s.size());
        if flipped.is_some_and(|flipped| !has(&flipped)) {
            chip.bus.state("the firmware has no such byte that could be corrupted");
        }
        let mut same = true;
        for (number, section) in firmware.sections().enumerate() {
            rights(chip, &section)?;
            let addresses = section.addresses();
            let what = if warm && section.flags().has(csf_fw::Flags::WRITE) {
                "kept from before".to_owned()
            } else {
                let flipped = flipped.filter(|flipped| flipped.section == number).map(|flipped| flipped.offset);
                let found = self.compare(chip, &section, flipped)?;
                same &= found;
                let is = if found { "as in" } else { "not as in" };
                format!("{} bytes {is} the file", section.data().len())
            };
            let text = format!("section {number} {:#x}..{:#x} {}", addresses.start, addresses.end, letters(&section));
            chip.bus.state(format!("{text}: {what}"));
        }
        if same { Ok(()) } else { Err(Wrong::Bytes) }
    }

    /// Whether the section's bytes are those of the file. The first difference is reported.
    fn compare(&self, chip: &mut Chip<'_>, section: &Section<'_>, flipped: Option<u32>) -> Result<bool, Wrong> {
        let mut page = [0; PAGE_SIZE as usize];
        let zero = section.flags().has(csf_fw::Flags::ZERO);
        for start in section.addresses().step_by(PAGE_SIZE as usize) {
            chip.read(start.into(), &mut page)?;
            let from = start - section.addresses().start;
            if let Some(offset) = flipped.filter(|offset| (from..from + PAGE_SIZE).contains(offset)) {
                chip.bus.state(format!("the byte at {:#x} is corrupted", section.addresses().start + offset));
                return Ok(false);
            }
            let data = section.data().get(from as usize..).unwrap_or_default();
            let wanted = |at: usize| data.get(at).copied().or(zero.then_some(0));
            let wrong = (0..page.len()).find(|at| {
                let differs = wanted(*at).is_some_and(|wanted| wanted != page[*at]);
                differs && !self.open.contains(&(start + *at as u32 & !3))
            });
            if let Some(at) = wrong {
                let (is, be) = (page[at], wanted(at).unwrap_or_default());
                let (va, section) = (start + at as u32, section.addresses().start);
                chip.bus.violation(format!(
                    "firmware section at {section:#x}: {va:#x} has {is:#04x}, and the file has {be:#04x}"
                ));
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// Checks that the section is mapped with the rights that it needs: an access without its right faults. With more
/// rights the firmware would run, but nothing would stop it from overwriting itself.
fn rights(chip: &mut Chip<'_>, section: &Section<'_>) -> Result<(), Stop> {
    let flags = section.flags();
    let needs = |flag| flags.has(flag);
    let accesses = [
        (csf_fw::Flags::READ, Access::Read),
        (csf_fw::Flags::WRITE, Access::Write),
        (csf_fw::Flags::EXECUTE, Access::Execute),
    ];
    let (mut writable, mut executable) = (false, false);
    for va in section.addresses().step_by(PAGE_SIZE as usize) {
        for (_, access) in accesses.into_iter().filter(|(flag, _)| needs(*flag)) {
            let attributes = chip.mmu.translate(chip.bus, SPACE, va.into(), access)?.attributes;
            writable |= !attributes.read_only && !needs(csf_fw::Flags::WRITE);
            executable |= !attributes.no_execute && !needs(csf_fw::Flags::EXECUTE);
        }
    }
    let start = section.addresses().start;
    for (more, what) in [(writable, "writable"), (executable, "executable")] {
        if more {
            chip.bus.violation(format!("firmware section at {start:#x} is mapped {what}, which its flags do not say"));
        }
    }
    Ok(())
}

/// Returns a section's rights in the form of `ls`.
fn letters(section: &Section<'_>) -> String {
    let letters = [(csf_fw::Flags::READ, 'r'), (csf_fw::Flags::WRITE, 'w'), (csf_fw::Flags::EXECUTE, 'x')];
    let letter = |(flag, letter)| if section.flags().has(flag) { letter } else { '-' };
    letters.map(letter).into_iter().collect()
}
