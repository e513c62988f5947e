// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Summarizes a timeline for a reader: many similar events in a row become one line.

use std::collections::{BTreeMap, BTreeSet};

use drydock_models::What;
use drydock_models::event::Register;

use drydock_machine::timeline::{Entry, Told};

/// The number of accesses in a row that are still listed one by one.
const FEW: usize = 5;

/// The number of registers that a line names.
const NAMED: usize = 10;

/// Returns the entries as lines, in order.
pub(crate) fn lines(entries: &[Entry]) -> Vec<String> {
    let mut out = Vec::new();
    for run in entries.chunk_by(|one, other| is_traffic(one) && is_traffic(other)) {
        match run.len() > FEW {
            true => out.extend(row(run)),
            false => out.extend(run.iter().map(ToString::to_string)),
        }
    }
    out
}

/// Lists the registers that were used, and how often: one line for each block, as `block` names them.
pub(crate) fn registers(entries: &[Entry], block: fn(&Register) -> &'static str) -> Vec<String> {
    let mut blocks: BTreeMap<&str, Used> = BTreeMap::new();
    for (register, write) in entries.iter().filter_map(access) {
        let used = blocks.entry(block(register)).or_default();
        *(if write { &mut used.writes } else { &mut used.reads }) += 1;
        used.names.insert(plain(register));
    }
    let line = |(block, used): (&str, Used)| {
        let count = used.names.len();
        let names: Vec<String> = used.names.into_iter().collect();
        let names = names.join(", ");
        format!("{block}: {} reads and {} writes of {count} registers: {names}", used.reads, used.writes)
    };
    blocks.into_iter().map(line).collect()
}

/// The use of a block of registers.
#[derive(Default)]
struct Used {
    reads: usize,
    writes: usize,
    names: BTreeSet<String>,
}

/// Returns a run of accesses as lines with the time of the first access: registers written, with the value of a single
/// write, and registers read.
fn row(run: &[Entry]) -> Vec<String> {
    let accesses = || run.iter().filter_map(access);
    let time = run.first().map(|entry| entry.time).unwrap_or_default();
    let told = |verb: &str, write: bool| {
        let mut names: Vec<(String, Vec<u64>)> = Vec::new();
        for (register, _) in accesses().filter(|(_, wrote)| *wrote == write) {
            let name = plain(register);
            match names.iter_mut().find(|(there, _)| *there == name) {
                Some((_, values)) => values.push(register.value),
                None => names.push((name, vec![register.value])),
            }
        }
        let name = |(name, values): &(String, Vec<u64>)| match values.as_slice() {
            [value] if write => format!("{name} = {value:#x}"),
            [_] => name.clone(),
            many => format!("{name} ({} times)", many.len()),
        };
        let names: Vec<String> = names.iter().map(name).collect();
        (!names.is_empty()).then(|| format!("[{time:>12.6}] gpu: {verb} {}", join(names)))
    };
    let mut vectors: BTreeMap<u32, usize> = BTreeMap::new();
    run.iter().filter_map(interrupt).for_each(|vector| *vectors.entry(vector).or_default() += 1);
    let vector = |(vector, count): (u32, usize)| {
        if count > 1 { format!("{vector} ({count} times)") } else { vector.to_string() }
    };
    let vectors: Vec<String> = vectors.into_iter().map(vector).collect();
    let interrupts = (!vectors.is_empty()).then(|| format!("[{time:>12.6}] gpu: interrupt {}", vectors.join(", ")));
    [interrupts, told("reads of", false), told("writes of", true)].into_iter().flatten().collect()
}

/// Returns whether the entry is of a frequent kind.
fn is_traffic(entry: &Entry) -> bool {
    access(entry).is_some() || interrupt(entry).is_some()
}

/// Returns the vector of an interrupt that arrived.
fn interrupt(entry: &Entry) -> Option<u32> {
    match entry.told {
        Told::Gpu(What::Interrupt { vector, delivered: true }) => Some(vector),
        _ => None,
    }
}

/// Returns the access of an entry, and whether it is a write.
fn access(entry: &Entry) -> Option<(&Register, bool)> {
    match &entry.told {
        Told::Gpu(What::Read(register)) => Some((register, false)),
        Told::Gpu(What::Write(register)) => Some((register, true)),
        _ => None,
    }
}

/// Returns a register's name without its index and without which half of it.
fn plain(register: &Register) -> String {
    let name = register.to_string();
    let whole = name.split('[').next().unwrap_or(&name);
    let half = ["_LO", "_HI"].iter().find_map(|half| whole.strip_suffix(half));
    half.unwrap_or(whole).to_owned()
}

fn join(mut names: Vec<String>) -> String {
    let more = names.len().saturating_sub(NAMED);
    names.truncate(NAMED);
    let names = names.join(", ");
    if more > 0 { format!("{names} and {more} more") } else { names }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn register(name: &str, value: u64) -> Register {
        Register { bar: 0, offset: 0, width: 4, value, name: Some(name.into()) }
    }

    fn entry(time: f64, told: Told) -> Entry {
        Entry { time, told }
    }

    fn boot() -> Vec<Entry> {
        let read = |name: &str| Told::Gpu(What::Read(register(name, 7)));
        let write = |name: &str, value| Told::Gpu(What::Write(register(name, value)));
        let accesses = [
            read("GPU_ID"),
            read("TEXTURE_FEATURES[0]"),
            read("TEXTURE_FEATURES[1]"),
            write("GPU_COMMAND", 0x101),
            read("SHADER_PRESENT_HI"),
            read("SHADER_PRESENT"),
        ];
        let mut entries = vec![entry(1.0, Told::Kernel("tyr: probing".into()))];
        entries.extend(accesses.into_iter().map(|told| entry(1.5, told)));
        entries.push(entry(2.0, Told::Gpu(What::Interrupt { vector: 1, delivered: true })));
        entries.push(entry(2.5, write("MCU_CONTROL", 1)));
        entries
    }

    #[test]
    fn many_accesses_in_a_row_are_a_few_lines_and_few_are_themselves() {
        let mut entries = boot();
        entries.push(entry(3.0, Told::Kernel("tyr: it runs".into())));
        entries.extend_from_slice(&boot()[7..]);
        insta::assert_snapshot!(lines(&entries).join("\n"), @r"
        [    1.000000] tyr: probing
        [    1.500000] gpu: interrupt 1
        [    1.500000] gpu: reads of GPU_ID, TEXTURE_FEATURES (2 times), SHADER_PRESENT (2 times)
        [    1.500000] gpu: writes of GPU_COMMAND = 0x101, MCU_CONTROL = 0x1
        [    3.000000] tyr: it runs
        [    2.000000] gpu: interrupt 1
        [    2.500000] gpu: write MCU_CONTROL: 0x00000001
        ");
    }

    #[test]
    fn registers_are_counted_by_their_block() {
        let block = |register: &Register| match register.to_string().starts_with("MCU") {
            true => "firmware",
            false => "control",
        };
        insta::assert_snapshot!(registers(&boot(), block).join("\n"), @r"
        control: 5 reads and 1 writes of 4 registers: GPU_COMMAND, GPU_ID, SHADER_PRESENT, TEXTURE_FEATURES
        firmware: 0 reads and 1 writes of 1 registers: MCU_CONTROL
        ");
    }

    #[test]
    fn a_line_names_so_many_registers() {
        let names: Vec<String> = (0..20).map(|number| format!("R{number}")).collect();
        assert!(join(names).ends_with("R9 and 10 more"));
    }
}
