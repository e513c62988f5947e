// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Makes a file with the symbols and frames of a stock kernel and its modules, from what the guest and their files have.
//!
//! Source: kernel/kallsyms.c, `s_show`; kernel/module/main.c; arch/x86/kernel/vmlinux.lds.S.

use std::ops::Range;

use object::{Object, ObjectSection, ObjectSymbol, RelocationTarget, SectionFlags, elf};

use super::Loaded;
use super::elf::{Code, Symbol, write};
use super::orc::{self, Entry};
use super::script::is_kept;

/// The first address of the kernel's image and of modules. Lower symbols are offsets in each processor's own memory.
const IMAGE: u64 = 0xffff_ffff_8000_0000;

/// The sections of ORC: the addresses, and the rules for them.
const ADDRESSES: &str = ".orc_unwind_ip";
const RULES: &str = ".orc_unwind";

/// The beginning of the names of the kernel's entries for system calls.
const SYSTEM_CALL: &str = "entry_SYSCALL_64";

/// Code in the guest's memory, with the rules for its frames.
struct Part {
    name: String,
    range: Range<u64>,
    entries: Vec<Entry>,
}

/// Returns the file for the kernel `vmlinux` and its own modules, by name. `kallsyms` is the guest's list of symbols.
/// A file that cannot be read adds nothing.
pub(crate) fn symbol_file(vmlinux: &[u8], kallsyms: &str, modules: &[(String, Loaded)]) -> Vec<u8> {
    let names: Vec<_> = modules.iter().map(|(name, _)| name.as_str()).collect();
    let mut symbols: Vec<_> = kallsyms.lines().filter_map(|line| symbol(line, &names)).collect();
    symbols.sort_by_key(|symbol| symbol.address);
    let mut parts = kernel(vmlinux, &symbols).unwrap_or_default();
    parts.extend(modules.iter().flat_map(|(name, module)| parts_of(name, module).unwrap_or_default()));
    parts.sort_by_key(|part| part.range.start);
    let frames = orc::frames(&parts.iter().map(entries_of).collect::<Vec<_>>());
    let code: Vec<_> = parts.into_iter().map(|part| Code { name: part.name, range: part.range }).collect();
    write(&code, &symbols, &frames)
}

/// Returns the sorted rules of a part, up to its end.
fn entries_of(part: &Part) -> Vec<Entry> {
    let mut entries: Vec<_> =
        part.entries.iter().filter(|entry| part.range.contains(&entry.address)).copied().collect();
    entries.sort_by_key(|entry| entry.address);
    entries.push(Entry::end(part.range.end));
    entries
}

/// Parses `ADDRESS KIND NAME`, or `ADDRESS KIND NAME [MODULE]` for one of `modules`. Labels that the assembler made are left
/// out, and so are those in front of functions.
fn symbol<'k>(line: &'k str, modules: &[&str]) -> Option<Symbol<'k>> {
    let mut words = line.split_whitespace();
    let address = u64::from_str_radix(words.next()?, 16).ok()?;
    let name = words.nth(1)?;
    let is_wanted = match words.next() {
        None => true,
        Some(module) => modules.contains(&module.trim_matches(['[', ']'])),
    };
    let is_label = name.starts_with(".L") || name.starts_with("__pfx_");
    (is_wanted && !is_label && address >= IMAGE).then_some(Symbol { name, address })
}

/// Returns the kernel's sections of code. `symbols` are sorted by address.
fn kernel(vmlinux: &[u8], symbols: &[Symbol<'_>]) -> Option<Vec<Part>> {
    let file = object::File::parse(vmlinux).ok()?;
    let addresses = file.section_by_name(ADDRESSES)?;
    let offsets = addresses.data().ok()?.chunks_exact(4).zip((addresses.address()..).step_by(4));
    // Each address is relative to its own place.
    let addresses = offsets.map(|(offset, place)| {
        place.wrapping_add_signed(i32::from_le_bytes([offset[0], offset[1], offset[2], offset[3]]).into())
    });
    let mut entries = entries(addresses, file.section_by_name(RULES)?.data().ok()?);
    let system_calls: Vec<_> = system_calls(symbols).collect();
    for entry in &mut entries {
        if system_calls.iter().any(|range| range.contains(&entry.address)) {
            *entry = Entry::end(entry.address);
        }
    }
    let part = |section: object::Section<'_, '_>| {
        let range = section.address()..section.address() + section.size();
        let name = section.name().ok().filter(|_| is_code(&section) && !range.is_empty())?.to_owned();
        Some(Part { name, range, entries: entries.clone() })
    };
    Some(file.sections().filter_map(part).collect())
}

/// Returns where user programs enter the kernel by system calls. A stack ends there: gdb knows nothing of the program.
fn system_calls<'s>(symbols: &'s [Symbol<'_>]) -> impl Iterator<Item = Range<u64>> + 's {
    let ranges = symbols.iter().enumerate().filter(|(_, symbol)| symbol.name.starts_with(SYSTEM_CALL));
    ranges.map(|(number, symbol)| {
        let next = symbols[number..].iter().find(|next| next.address > symbol.address);
        symbol.address..next.map_or(symbol.address, |next| next.address)
    })
}

/// Returns whether a section has code that is not changed.
fn is_code(section: &object::Section<'_, '_>) -> bool {
    let SectionFlags::Elf { sh_flags } = section.flags() else { return false };
    sh_flags & u64::from(elf::SHF_EXECINSTR | elf::SHF_WRITE) == u64::from(elf::SHF_EXECINSTR)
}

/// Returns the sections of a module that have code and stay in memory.
fn parts_of(name: &str, module: &Loaded) -> Option<Vec<Part>> {
    let file = object::File::parse(&*module.bytes).ok()?;
    let place = |section: &str| module.sections.iter().find(|(name, _)| name == section).map(|(_, address)| *address);
    let entries = module_entries(&file, place).unwrap_or_default();
    let part = |section: object::Section<'_, '_>| {
        let section_name = section.name().ok().filter(|name| is_kept(name))?;
        let address = place(section_name).filter(|_| is_code(&section) && section.size() > 0)?;
        // The guest may say anything.
        let range = address..address.checked_add(section.size())?;
        Some(Part { name: format!("{name}{section_name}"), range, entries: entries.clone() })
    };
    Some(file.sections().filter_map(part).collect())
}

/// Returns the rules of a module. Their addresses are relocations: a symbol's place and a distance from it.
fn module_entries(file: &object::File<'_>, place: impl Fn(&str) -> Option<u64>) -> Option<Vec<Entry>> {
    let address = |target: RelocationTarget, addend: i64| {
        let RelocationTarget::Symbol(index) = target else { return None };
        let symbol = file.symbol_by_index(index).ok()?;
        let section = file.section_by_index(symbol.section_index()?).ok()?;
        Some(place(section.name().ok()?)?.wrapping_add(symbol.address()).wrapping_add_signed(addend))
    };
    let mut relocations: Vec<_> = file.section_by_name(ADDRESSES)?.relocations().collect();
    relocations.sort_by_key(|(offset, _)| *offset);
    // Code that is not in memory any more has no address, and gets one outside of each section.
    let addresses = relocations.iter().map(|(_, to)| address(to.target(), to.addend()).unwrap_or_default());
    Some(entries(addresses, file.section_by_name(RULES)?.data().ok()?))
}

fn entries(addresses: impl Iterator<Item = u64>, rules: &[u8]) -> Vec<Entry> {
    let rules = rules.chunks_exact(orc::SIZE).filter_map(|rule| rule.try_into().ok());
    addresses.zip(rules).map(|(address, rule)| Entry::new(address, rule)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn symbols_are_the_kernels_and_its_modules() {
        let found = |line| symbol(line, &["drm"]).map(|symbol| (symbol.name, symbol.address));
        assert_eq!(found("ffffffff81000080 T entry_SYSCALL_64"), Some(("entry_SYSCALL_64", 0xffff_ffff_8100_0080)));
        assert_eq!(found("ffffffffc0400000 t drm_ioctl\t[drm]"), Some(("drm_ioctl", 0xffff_ffff_c040_0000)));
        assert_eq!(found("ffffffffc0500000 t next\t[counter]"), None);
        assert_eq!(found("0000000000000000 A __per_cpu_start"), None);
        assert_eq!(found("ffffffffc0400000 t __pfx_drm_ioctl\t[drm]"), None);
        assert_eq!(found("broken"), None);
    }

    #[test]
    fn files_that_cannot_be_read_leave_names_only() {
        let module = Loaded { bytes: b"text".to_vec(), sections: vec![(".text".to_owned(), 1)] };
        let file = symbol_file(b"", "ffffffff81000000 T _text\n", &[("drm".to_owned(), module)]);
        let file = object::File::parse(&*file).unwrap();
        assert_eq!(file.symbols().next().unwrap().name(), Ok("_text"));
    }
}
