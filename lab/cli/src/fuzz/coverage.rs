// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Maps the places in modules that a run has reached to lines of source files, and counts the lines that can be
//! reached.
//!
//! The compiler calls `__sanitizer_cov_trace_pc` at the beginning of each block, and KCOV records the return address of
//! that call. So a module's relocations for that function are all its places. A place belongs to each line of ours in
//! its chain of inlined functions: to that of the layer, and to that of the driver that it was inlined into.
//!
//! Source: Documentation/dev-tools/kcov.rst (Linux 7.3), addr2line(1).

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{Seek, Write};
use std::path::Path;

use object::{Object, ObjectSection, ObjectSymbol, RelocationTarget, SectionFlags};
use rustix::fs::{MemfdFlags, memfd_create};
use serde::Serialize;

use drydock_base::error::{Context, Error, Kind, Result};
use drydock_base::process;
use drydock_machine::scenario::Stage;
use drydock_machine::symbols::shorten;
use drydock_toolchain::root::Binds;

/// The function that marks a place.
const MARK: &str = "__sanitizer_cov_trace_pc";

/// The length of the call's operand in bytes. The relocation is at the operand, and the place is behind it.
const OPERAND: u64 = 4;

/// The path of a module's directory for `addr2line`.
const MODULE_DIR: &str = "/out";

/// The directories of our sources.
const OURS: &[&str] = &["kernel/drm/", "kernel/drivers/", "crates/"];

/// Offsets by module and section.
pub(super) type Places = BTreeMap<String, BTreeMap<String, BTreeSet<u64>>>;

/// Lines by file.
#[derive(Debug, Default)]
pub(super) struct Coverage {
    files: BTreeMap<String, Lines>,
}

/// The lines of a file that have places.
#[derive(Debug, Default, PartialEq, Eq)]
struct Lines {
    all: BTreeSet<u32>,
    met: BTreeSet<u32>,
}

/// The counts of a file.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Row {
    pub(super) file: String,
    pub(super) lines: usize,
    pub(super) covered: usize,
    /// The lines that were not reached.
    pub(super) uncovered: Vec<u32>,
}

impl Serialize for Coverage {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.rows())
    }
}

impl Coverage {
    /// Adds the places in `modules` that a run has reached.
    pub(super) fn add(&mut self, stage: &Stage, modules: &[String], met: &Places) -> Result<()> {
        for module in modules {
            let Some(file) = stage.image().ours.get(module) else { continue };
            for (section, places) in places_of(file)? {
                let met = met_of(met, module, &section, &places)?;
                let lines = lines_of(stage, file, &section, &places)?;
                self.note(places.into_iter().zip(lines), met);
            }
        }
        Ok(())
    }

    fn note(&mut self, places: impl Iterator<Item = (u64, Vec<(String, u32)>)>, met: &BTreeSet<u64>) {
        for (place, lines) in places {
            for (file, line) in lines {
                let of_file = self.files.entry(file).or_default();
                of_file.all.insert(line);
                if met.contains(&place) {
                    of_file.met.insert(line);
                }
            }
        }
    }

    /// Returns for the files below `directory` how many lines were reached, and how many can be.
    pub(super) fn below(&self, directory: &str) -> (usize, usize) {
        let files = self.files.iter().filter(|(file, _)| file.starts_with(directory));
        files.fold((0, 0), |(met, all), (_, lines)| (met + lines.met.len(), all + lines.all.len()))
    }

    /// Returns the files that have places, by name.
    pub(super) fn rows(&self) -> Vec<Row> {
        let row = |(file, lines): (&String, &Lines)| Row {
            file: file.clone(),
            lines: lines.all.len(),
            covered: lines.met.len(),
            uncovered: lines.all.difference(&lines.met).copied().collect(),
        };
        self.files.iter().map(row).collect()
    }
}

/// Returns the places that a run has reached in a section. Each must be one of `places`.
fn met_of<'m>(met: &'m Places, module: &str, section: &str, places: &BTreeSet<u64>) -> Result<&'m BTreeSet<u64>> {
    static NOWHERE: BTreeSet<u64> = BTreeSet::new();
    let met = met.get(module).and_then(|sections| sections.get(section)).unwrap_or(&NOWHERE);
    match met.difference(places).next() {
        None => Ok(met),
        Some(stranger) => {
            let message = format!("KCOV reported {section}+{stranger:#x} in `{module}`, where no block begins");
            Err(Error::new(Kind::Machinery, message))
        }
    }
}

/// For `fuzz/`: checks the places that a guest claims to have reached, in a section with few places.
pub(super) fn parse_any(met: &Places) {
    let places = BTreeSet::from([5, 9, 14]);
    let Ok(met) = met_of(met, "drm_rust", ".text", &places) else { return };
    let lines = [40, 41, 40].map(|line| vec![("kernel/drm/device.rs".to_owned(), line)]);
    let mut coverage = Coverage::default();
    coverage.note(places.into_iter().zip(lines), met);
    for row in coverage.rows() {
        assert_eq!((row.lines, row.covered + row.uncovered.len()), (2, 2), "a line is met or it is not");
        assert!(row.covered <= met.len(), "a line is met by a place");
    }
}

/// Returns all places of a module, by section. Leaves out code that runs only during loading, when nothing is counted.
fn places_of(file: &Path) -> Result<BTreeMap<String, BTreeSet<u64>>> {
    let bytes = std::fs::read(file).with_context(|| format!("failed to read `{}`", file.display()))?;
    let no_module = |error: object::Error| Error::new(Kind::Machinery, format!("`{}`: {error}", file.display()));
    let object = object::File::parse(&*bytes).map_err(no_module)?;
    let mut found = BTreeMap::new();
    for section in object.sections() {
        let name = section.name().map_err(no_module)?;
        let SectionFlags::Elf { sh_flags } = section.flags() else { continue };
        if sh_flags & u64::from(object::elf::SHF_EXECINSTR) == 0 || name.starts_with(".init") {
            continue;
        }
        let marks = section.relocations().filter(|(_, relocation)| match relocation.target() {
            RelocationTarget::Symbol(symbol) => {
                object.symbol_by_index(symbol).is_ok_and(|symbol| symbol.name() == Ok(MARK))
            }
            _ => false,
        });
        let places: BTreeSet<u64> = marks.map(|(offset, _)| offset + OPERAND).collect();
        if !places.is_empty() {
            found.insert(name.to_owned(), places);
        }
    }
    Ok(found)
}

/// Returns the lines of ours that each place belongs to.
fn lines_of(stage: &Stage, file: &Path, section: &str, places: &BTreeSet<u64>) -> Result<Vec<Vec<(String, u32)>>> {
    let directory = file.parent().expect("a module lies in a directory");
    let name = file.file_name().expect("a module has a name").to_string_lossy();
    let binds = Binds::none().read(directory, MODULE_DIR);
    let mut command = stage.toolchain().command("addr2line", &binds);
    command.args(["-a", "-i", "-e", &format!("{MODULE_DIR}/{name}"), "-j", section]);
    let lines = parse(&process::fed(&mut command, questions(places).context("failed to write addresses")?)?);
    match lines.len() == places.len() {
        true => Ok(lines),
        false => {
            let message = format!("`addr2line` answered {} of {} queries about `{name}`", lines.len(), places.len());
            Err(Error::new(Kind::Machinery, message))
        }
    }
}

/// Writes the addresses to a file for `addr2line`: those of the calls themselves, not of the code behind them.
fn questions(places: &BTreeSet<u64>) -> std::io::Result<File> {
    let mut file = File::from(memfd_create("drydock-places", MemfdFlags::CLOEXEC)?);
    let text: String = places.iter().map(|place| format!("{:#x}\n", place - 1)).collect();
    file.write_all(text.as_bytes())?;
    file.rewind()?;
    Ok(file)
}

/// Returns for each address the lines of ours in its chain.
fn parse(said: &str) -> Vec<Vec<(String, u32)>> {
    let mut found: Vec<Vec<(String, u32)>> = Vec::new();
    for line in said.lines() {
        if line.starts_with("0x") {
            found.push(Vec::new());
        } else if let (Some(place), Some(chain)) = (place_of(line), found.last_mut()) {
            chain.push(place);
        }
    }
    found
}

/// Returns file and line, if they are ours.
fn place_of(line: &str) -> Option<(String, u32)> {
    let short = shorten(line.trim());
    let (file, number) = short.rsplit_once(':')?;
    let file = file.trim_start_matches('/');
    let number = number.parse().ok().filter(|number| *number > 0)?;
    // Code that the compiler generates without a source, such as drop glue, has a name in place of a file.
    let is_source = [".rs", ".c", ".h"].iter().any(|end| file.ends_with(end));
    (is_source && OURS.iter().any(|ours| file.starts_with(ours))).then(|| (file.to_owned(), number))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAID: &str = "0x0000000000000014\n/kernel/tree/rust/kernel/sync.rs:12\n/kernel-src/drm/device.rs:40\n\
                        /kernel-src/drivers/vgem/client.rs:7 (discriminator 2)\n\
                        0x0000000000000028\n??:?\n/kernel-src/drm/drm.rs/@/drm.33da-cgu.0:5\n\
                        0x0000000000000030\n/crates/mali-mmu/src/table.rs:9\n/kernel/tree/kernel/kcov.c:1\n";

    #[test]
    fn a_place_belongs_to_each_line_of_ours_in_its_chain() {
        let lines = parse(SAID);
        assert_eq!(lines.len(), 3);
        assert_eq!(lines[0], [("kernel/drm/device.rs".into(), 40), ("kernel/drivers/vgem/client.rs".into(), 7)]);
        assert_eq!(lines[1], []);
        assert_eq!(lines[2], [("crates/mali-mmu/src/table.rs".into(), 9)]);
    }

    #[test]
    fn what_is_met_is_among_all_places() {
        let places = BTreeSet::from([5, 9]);
        let met = |told: &[u64]| {
            Places::from([("m".into(), BTreeMap::from([(".text".into(), told.iter().copied().collect())]))])
        };
        assert_eq!(met_of(&met(&[9]), "m", ".text", &places).unwrap(), &BTreeSet::from([9]));
        assert_eq!(met_of(&met(&[9]), "other", ".text", &places).unwrap(), &BTreeSet::new());
        let error = met_of(&met(&[9, u64::MAX]), "m", ".text", &places).unwrap_err();
        assert!(error.to_string().contains(".text+0xffffffffffffffff in `m`"), "{error}");
    }

    #[test]
    fn a_line_is_met_if_one_of_its_places_is() {
        let mut coverage = Coverage::default();
        coverage.note([1, 2, 3].into_iter().zip(parse(SAID)), &BTreeSet::from([1]));
        coverage.note([1, 2, 3].into_iter().zip(parse(SAID)), &BTreeSet::new());
        let counts: Vec<_> = coverage.rows().into_iter().map(|row| (row.file, row.lines, row.covered)).collect();
        assert_eq!(counts[0], ("crates/mali-mmu/src/table.rs".to_owned(), 1, 0));
        assert_eq!(counts[2], ("kernel/drm/device.rs".to_owned(), 1, 1));
        assert_eq!((coverage.below("kernel/"), coverage.below("crates/")), ((2, 2), (0, 1)));
    }
}
