// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Turns `SYMBOL+0x1c/0x50 [module]` into a readable name and a line in a file.
//!
//! Names of Rust functions are demangled here. Lines come from the module's debug information through binutils'
//! `addr2line` inside the toolchain root, which can relocate an unlinked object. It runs only when there is something
//! to report.
//!
//! Source: arch/x86/kernel/dumpstack.c for the form of a frame; addr2line(1), `--section`.

use std::{collections::HashMap, fs, path::PathBuf};

use object::{Object, ObjectSection, ObjectSymbol};

/// One frame of a call trace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// The symbol as printed.
    pub symbol: String,
    /// The distance from the symbol's start.
    pub offset: u64,
    /// The module that contains it; `None` for the kernel itself.
    pub module: Option<String>,
}

impl Frame {
    /// Parses `SYMBOL+0xOFFSET/0xSIZE`, perhaps with ` [MODULE]`. Returns `None` for a frame that the kernel marks as
    /// doubtful (`? `).
    pub fn parse(text: &str) -> Option<Self> {
        let mut words = text.split_whitespace();
        let (symbol, rest) = words.next()?.rsplit_once("+0x")?;
        let (offset, _) = rest.split_once("/0x")?;
        let module = words.find_map(|word| word.strip_prefix('[')).map(|word| word.trim_end_matches(']'));
        Some(Self {
            symbol: symbol.to_owned(),
            offset: u64::from_str_radix(offset, 16).ok()?,
            module: module.map(str::to_owned),
        })
    }

    /// Returns the symbol as a person would write it, without the compiler's hashes.
    pub fn readable(&self) -> String {
        format!("{:#}", rustc_demangle::demangle(&self.symbol))
    }
}

/// A frame's location in a module's file.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Address {
    /// The module's file, on the host.
    pub file: PathBuf,
    /// The section's name.
    pub section: String,
    /// The offset in the section.
    pub address: u64,
}

/// A function that runs `addr2line` and returns its output, or `None` if it cannot run.
pub type Addr2Line<'a> = dyn Fn(&Address) -> Option<String> + 'a;

/// Finds names and lines for frames of modules with known files.
pub struct Symbols<'a> {
    files: HashMap<String, PathBuf>,
    addr2line: &'a Addr2Line<'a>,
}

impl<'a> Symbols<'a> {
    /// Returns a lookup for these modules, by name, that gets lines from `addr2line`.
    pub fn new(files: HashMap<String, PathBuf>, addr2line: &'a Addr2Line<'a>) -> Self {
        Self { files, addr2line }
    }

    /// Returns a frame as one line of text: `name+0x1c [module] at file:line`. A caller's frame points behind its call,
    /// so its line is looked up one byte before.
    pub fn describe(&self, frame: &Frame, is_caller: bool) -> String {
        let mut text = format!("{}+{:#x}", frame.readable(), frame.offset);
        if let Some(module) = &frame.module {
            text.push_str(&format!(" [{module}]"));
        }
        if let Some(line) = self.line(frame, is_caller) {
            text.push_str(&format!(" at {line}"));
        }
        text
    }

    fn line(&self, frame: &Frame, is_caller: bool) -> Option<String> {
        let file = self.files.get(frame.module.as_deref()?)?;
        let offset = frame.offset.saturating_sub(u64::from(is_caller));
        let (section, address) = locate(&fs::read(file).ok()?, &frame.symbol, offset)?;
        let address = Address { file: file.to_owned(), section, address };
        let said = (self.addr2line)(&address)?;
        let line = said.lines().next()?.trim();
        // addr2line prints question marks for an unknown name or line.
        (!line.starts_with('?') && !line.is_empty()).then(|| shorten(line))
    }
}

/// Returns the location of `symbol` + `offset` in an object: a section's name and the offset in it.
pub fn locate(object: &[u8], symbol: &str, offset: u64) -> Option<(String, u64)> {
    let object = object::File::parse(object).ok()?;
    let found = object.symbols().find(|found| found.is_definition() && found.name() == Ok(symbol))?;
    let section = object.section_by_index(found.section_index()?).ok()?;
    Some((section.name().ok()?.to_owned(), found.address().checked_add(offset)?))
}

/// Shortens a path to the one in the checkout. Sources are built under a path of the toolchain root.
pub fn shorten(line: &str) -> String {
    let line = line.split(" (discriminator").next().unwrap_or(line).trim_end_matches(":?");
    line.replace("/kernel-src/", "kernel/").replace("/kernel/tree/", "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_of_a_module_and_one_of_the_kernel() {
        let frame = Frame::parse("provoke_warning+0x11/0x20 [oops_c]").unwrap();
        assert_eq!((frame.symbol.as_str(), frame.offset), ("provoke_warning", 0x11));
        assert_eq!(frame.module.as_deref(), Some("oops_c"));
        assert_eq!(Frame::parse("do_one_initcall+0x57/0x310").unwrap().module, None);
    }

    #[test]
    fn doubtful_frames_and_other_lines_are_none() {
        assert_eq!(Frame::parse("? __pfx_init_module+0x10/0x10 [oops_c]"), None);
        assert_eq!(Frame::parse("RSP: 0018:ffffc9000042b9e0 EFLAGS: 00010246"), None);
    }

    #[test]
    fn a_rust_name_is_read_without_hashes() {
        let text = "_RNvMNtCshpEh3euheCE_9oops_rust5innerINtB2_6BuffermE11read_beyondB4_+0x0/0x10 [oops_rust]";
        assert_eq!(Frame::parse(text).unwrap().readable(), "<oops_rust::inner::Buffer<u32>>::read_beyond");
    }

    #[test]
    fn paths_begin_where_they_mean_something_and_unknown_lines_are_left_out() {
        assert_eq!(shorten("/kernel-src/drivers/vgem/file.rs:12 (discriminator 2)"), "kernel/drivers/vgem/file.rs:12");
        let symbols = Symbols::new(HashMap::new(), &|_| Some("??:0".into()));
        let frame = Frame::parse("enter+0x26/0xff0 [oops_c]").unwrap();
        assert_eq!(symbols.describe(&frame, true), "enter+0x26 [oops_c]");
    }
}
