// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Queries of a test: for the GPU's view of an address, for its tables, and to make an access.
//!
//! | question | answer |
//! |---|---|
//! | `{"load": {"space", "va", "length"}}` | `bytes`, or `fault` and `va`; not reported to the driver |
//! | `{"words": {"space", "va": [...]}}` | the 64 bits at each address, or `null` where an access would fault |
//! | `{"sync": {"space", "va", "wide"}}` | `value` and `status` of a sync object, or `fault` and `va` |
//! | `{"walk": {"space", "va"}}` | `pa`, `length`, `level`, `read_only`, `no_execute`, `memory`, or `fault`; from the current tables |
//! | `{"mappings": {"space", "from", "to"}}` | the mappings of the tables there: a list of ranges, each `va`, `size`, `pa`, and as for `walk` |
//! | `{"runs": {"space", "va", "length"}}` | the pages that the GPU can read there, as lists of six numbers: address, number of pages, the first one's first word, rights (1 write, 2 execute, 4 cached), level, and the difference between the words of two pages, 1 or 0 |
//! | `{"tables": {"space"}}` | `tables`: the number on each level; `pages`, `blocks` |
//! | `"spaces"` | the address spaces that are set up: `table`, `config`, `attributes`, `locked`, `stuck`, `remembered` |
//! | `{"access": {"space", "va", "access", "length", "bytes"}}` | an access as by a shader core: `bytes` for a read; `fault` and `va`, which is reported to the driver; `stalled` while the driver must do something first |
//! | `"mcu"` | its status, and the firmware's state of its groups and streams |

mod runs;

use mali_mmu::{Access, Attributes, SurveyError, survey, walk};
use mali_regs::exception;
use serde::Deserialize;
use serde_json::{Value, json};

use super::mmu::{Mmu, Stop};
use super::space::{self, Fault, InForce};
use super::sync;
use crate::bus::Bus;

/// The most bytes in a query.
const MOST_BYTES: usize = 1 << 20;
/// The most tables that are visited.
const MOST_TABLES: usize = 1 << 12;
/// The most ranges in an answer.
const MOST_RANGES: usize = 4096;

pub(super) use runs::runs;

/// A query of a test.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) enum Question {
    /// The bytes at an address.
    Load { space: usize, va: u64, length: usize },
    /// The words at many addresses.
    Words { space: usize, va: Vec<u64> },
    /// A sync object.
    Sync { space: usize, va: u64, wide: bool },
    /// The translation of an address by the tables.
    Walk { space: usize, va: u64 },
    /// The mappings of a range by the tables.
    Mappings {
        space: usize,
        #[serde(default)]
        from: u64,
        #[serde(default = "everywhere")]
        to: u64,
    },
    /// The GPU's view of a range, page by page.
    Runs { space: usize, va: u64, length: u64 },
    /// The number of tables.
    Tables { space: usize },
    /// The address spaces that are set up.
    Spaces,
    /// Makes an access.
    Access {
        space: usize,
        va: u64,
        access: Kind,
        #[serde(default)]
        length: Option<usize>,
        #[serde(default)]
        bytes: Option<Vec<u8>>,
    },
    /// The state of the microcontroller.
    Mcu,
}

fn everywhere() -> u64 {
    u64::MAX
}

/// The kind of an access.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Kind {
    Read,
    Write,
    Execute,
}

/// Returns the GPU's bytes at an address, without effects on the GPU.
pub(super) fn load(mmu: &mut Mmu, bus: &mut Bus, space: usize, va: u64, length: usize) -> Result<Value, String> {
    let length = bounded(va, length)?;
    let space = mmu.space_mut(space).ok_or(NO_SPACE)?;
    let mut data = vec![0; length];
    Ok(match space.load(bus, va, &mut data) {
        Ok(()) => json!({ "bytes": data }),
        Err(fault) => faulted(fault),
    })
}

/// Returns the eight bytes at each address, where there are any.
pub(super) fn words(mmu: &mut Mmu, bus: &mut Bus, space: usize, va: &[u64]) -> Result<Value, String> {
    let space = mmu.space_mut(space).ok_or(NO_SPACE)?;
    let words = va.iter().map(|va| {
        let mut bytes = [0; 8];
        space.load(bus, *va, &mut bytes).ok().map(|()| u64::from_le_bytes(bytes))
    });
    Ok(json!(words.collect::<Vec<_>>()))
}

/// Returns a sync object.
pub(super) fn sync(mmu: &mut Mmu, bus: &mut Bus, space: usize, va: u64, wide: bool) -> Result<Value, String> {
    mmu.space(space).ok_or(NO_SPACE)?;
    match sync::read(mmu, bus, space, va, wide) {
        Ok((value, status)) => Ok(json!({ "value": value, "status": status })),
        Err(sync::Wrong::Fault(fault)) => Ok(faulted(fault)),
        Err(sync::Wrong::Unaligned) => Err("a sync object is aligned to its size".into()),
    }
}

/// Returns the translation by the tables, whatever the MMU has cached.
pub(super) fn tables_at(mmu: &Mmu, bus: &mut Bus, space: usize, va: u64) -> Result<Value, String> {
    let set = set_up(mmu, space)?;
    let geometry = set.geometry.ok_or("the address space has no tables")?;
    let walked = walk(geometry, set.table, va, Access::Read, |at| space::entry(bus, at));
    Ok(match walked {
        Ok(to) => {
            let mut answer = mapping(to.attributes);
            answer["pa"] = to.address.into();
            answer["length"] = to.length.into();
            answer["level"] = to.level.into();
            answer
        }
        Err(error) => json!({ "fault": exception::name(space::exception_of(&error)), "va": va }),
    })
}

/// Returns the ranges that the tables map from `from` to before `to`. Neighbours that map to neighbours are one range.
pub(super) fn mappings(mmu: &Mmu, bus: &mut Bus, space: usize, from: u64, to: u64) -> Result<Value, String> {
    let mut ranges: Vec<(u64, u64, u64, Attributes)> = Vec::new();
    let mut many = false;
    surveyed(mmu, bus, space, |va, leaf| {
        let start = va.max(from);
        let end = (va + leaf.length).min(to);
        if start >= end {
            return;
        }
        let pa = leaf.address + (start - va);
        let joins = ranges.last().is_some_and(|(first, size, at, attributes)| {
            first + size == start && at + size == pa && *attributes == leaf.attributes
        });
        many |= ranges.len() == MOST_RANGES && !joins;
        match ranges.last_mut() {
            Some((_, size, ..)) if joins => *size += end - start,
            _ if many => {}
            _ => ranges.push((start, end - start, pa, leaf.attributes)),
        }
    })?;
    if many {
        return Err(format!("more than {MOST_RANGES} ranges are mapped"));
    }
    let ranges = ranges.into_iter().map(|(va, size, pa, attributes)| {
        let mut range = mapping(attributes);
        (range["va"], range["size"], range["pa"]) = (va.into(), size.into(), pa.into());
        range
    });
    Ok(ranges.collect())
}

/// Returns the number of tables, and of their mappings.
pub(super) fn tables(mmu: &Mmu, bus: &mut Bus, space: usize) -> Result<Value, String> {
    let (mut pages, mut blocks) = (0u64, 0u64);
    let tables = surveyed(mmu, bus, space, |_, leaf| match leaf.level {
        3 => pages += 1,
        _ => blocks += 1,
    })?;
    Ok(json!({ "tables": tables, "pages": pages, "blocks": blocks }))
}

fn surveyed(
    mmu: &Mmu,
    bus: &mut Bus,
    space: usize,
    visit: impl FnMut(u64, mali_mmu::Translation),
) -> Result<[u64; 4], String> {
    let set = set_up(mmu, space)?;
    let geometry = set.geometry.ok_or("the address space has no tables")?;
    survey(geometry, set.table, MOST_TABLES, |at| space::entry(bus, at), visit).map_err(|error| match error {
        SurveyError::Read { at, error } => format!("the entry at {at:#x} cannot be read: {error}"),
        SurveyError::TooMany => format!("there are more than {MOST_TABLES} tables"),
    })
}

/// Returns the address spaces that are set up.
pub(super) fn spaces(mmu: &Mmu) -> Value {
    let all = (0..).map_while(|index| Some((index, mmu.space(index)?)));
    let used = all.filter_map(|(index, space)| Some((index, space, space.in_force()?)));
    let entries = used.map(|(index, space, set): (usize, _, InForce)| {
        json!({
            "space": index,
            "table": set.table,
            "config": set.config.0,
            "attributes": set.attributes,
            "locked": space.locked().map(|region| [region.start(), region.last()]),
            "stuck": space.is_stuck(),
            "remembered": space.remembered(),
        })
    });
    entries.collect()
}

/// Makes an access as a shader core would.
pub(super) fn access(
    mmu: &mut Mmu,
    bus: &mut Bus,
    space: usize,
    va: u64,
    kind: Kind,
    length: Option<usize>,
    bytes: Option<Vec<u8>>,
) -> Result<Value, String> {
    mmu.space(space).ok_or(NO_SPACE)?;
    let done = match (kind, length, bytes) {
        (Kind::Read, length, None) => {
            let mut data = vec![0; bounded(va, length.unwrap_or(1))?];
            mmu.read(bus, space, va, &mut data).map(|()| json!({ "bytes": data }))
        }
        (Kind::Execute, length, None) => {
            let length = bounded(va, length.unwrap_or(1))?;
            mmu.probe(bus, space, va, length, Access::Execute).map(|()| json!({}))
        }
        (Kind::Write, None, Some(bytes)) => {
            bounded(va, bytes.len())?;
            mmu.write(bus, space, va, &bytes).map(|()| json!({}))
        }
        (Kind::Write, _, _) => return Err("a write needs `bytes`, and no `length`".into()),
        (_, _, Some(_)) => return Err("only a write has `bytes`".into()),
    };
    Ok(done.unwrap_or_else(|stop| match stop {
        Stop::Fault(fault) => faulted(fault),
        Stop::Stalled(stall) => json!({ "stalled": stall.text() }),
    }))
}

const NO_SPACE: &str = "there is no such address space";

fn bounded(va: u64, length: usize) -> Result<usize, String> {
    let length = Some(length).filter(|length| *length <= MOST_BYTES).ok_or("too many bytes are asked for")?;
    va.checked_add(length as u64).map(|_| length).ok_or_else(|| "the range wraps around".into())
}

fn set_up(mmu: &Mmu, space: usize) -> Result<InForce, String> {
    let space = mmu.space(space).ok_or(NO_SPACE)?;
    space.in_force().ok_or_else(|| "the address space is not set up".into())
}

fn faulted(fault: Fault) -> Value {
    json!({ "fault": exception::name(fault.exception), "va": fault.address })
}

fn mapping(attributes: Attributes) -> Value {
    let Attributes { read_only, no_execute, memory } = attributes;
    json!({ "read_only": read_only, "no_execute": no_execute, "memory": memory })
}
