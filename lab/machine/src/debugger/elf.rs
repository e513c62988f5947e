// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Writes an ELF file that has names and unwinding rules for code elsewhere: sections without content, symbols, and
//! `.debug_frame`.
//!
//! Source: System V ABI, "Object Files"; AMD64 supplement.

use std::collections::BTreeMap;
use std::ops::Range;

/// A section of code in the guest's memory.
#[derive(Debug)]
pub(super) struct Code {
    pub(super) name: String,
    pub(super) range: Range<u64>,
}

/// A name for an address.
#[derive(Debug)]
pub(super) struct Symbol<'n> {
    pub(super) name: &'n str,
    pub(super) address: u64,
}

const HEADER: u64 = 64;
const SECTION_HEADER: u16 = 64;
const SYMBOL: u64 = 24;
const ET_EXEC: u16 = 2;
const EM_X86_64: u16 = 62;
const SHT_PROGBITS: u32 = 1;
const SHT_SYMTAB: u32 = 2;
const SHT_STRTAB: u32 = 3;
const SHT_NOBITS: u32 = 8;
const SHF_ALLOC_EXECINSTR: u64 = 2 | 4;
const SHN_ABS: u16 = 0xfff1;
/// Global symbols: a function, and a variable.
const FUNCTION: u8 = 1 << 4 | 2;
const OBJECT: u8 = 1 << 4 | 1;

/// Returns the file. `code` is sorted and does not overlap. A symbol outside of it becomes an absolute variable.
pub(super) fn write(code: &[Code], symbols: &[Symbol<'_>], frames: &[u8]) -> Vec<u8> {
    let (mut names, mut section_names) = (Strings::new(), Strings::new());
    let table = symbol_table(code, symbols, &mut names);
    let mut file = vec![0; HEADER as usize];
    let mut headers = vec![SectionHeader::default()];
    for Code { name, range } in code {
        let name = section_names.add(name);
        let (address, size) = (range.start, range.end - range.start);
        headers.push(SectionHeader {
            name,
            kind: SHT_NOBITS,
            flags: SHF_ALLOC_EXECINSTR,
            address,
            offset: HEADER,
            size,
            ..SectionHeader::default()
        });
    }
    let mut put = |name: &str, kind, bytes: &[u8]| {
        let header =
            SectionHeader { name: section_names.add(name), kind, offset: file.len() as u64, ..Default::default() };
        file.extend_from_slice(bytes);
        file.resize(file.len().next_multiple_of(8), 0);
        headers.push(SectionHeader { size: bytes.len() as u64, ..header });
    };
    put(".debug_frame", SHT_PROGBITS, frames);
    put(".symtab", SHT_SYMTAB, &table);
    put(".strtab", SHT_STRTAB, &names.bytes);
    let count = headers.len();
    let table = &mut headers[count - 2];
    // The names' section follows, and only the first symbol, which is empty, is local.
    (table.link, table.info, table.entry) = (count as u32 - 1, 1, SYMBOL);
    let name = section_names.add(".shstrtab");
    let offset = file.len() as u64;
    headers.push(SectionHeader {
        name,
        kind: SHT_STRTAB,
        offset,
        size: section_names.bytes.len() as u64,
        ..SectionHeader::default()
    });
    file.extend_from_slice(&section_names.bytes);
    file.resize(file.len().next_multiple_of(8), 0);
    let header = file_header(file.len() as u64, headers.len() as u16);
    file[..HEADER as usize].copy_from_slice(&header);
    headers.iter().for_each(|header| header.write(&mut file));
    file
}

fn symbol_table(code: &[Code], symbols: &[Symbol<'_>], names: &mut Strings) -> Vec<u8> {
    let mut table = vec![0; SYMBOL as usize];
    for Symbol { name, address } in symbols {
        let before = code.partition_point(|code| code.range.start <= *address);
        let section = before.checked_sub(1).filter(|index| code[*index].range.contains(address));
        // The first section is the empty one.
        let (kind, section) = match section {
            Some(index) => (FUNCTION, index as u16 + 1),
            None => (OBJECT, SHN_ABS),
        };
        table.extend(names.add(name).to_le_bytes());
        table.extend([kind, 0]);
        table.extend(section.to_le_bytes());
        table.extend(address.to_le_bytes());
        table.extend(0u64.to_le_bytes());
    }
    table
}

fn file_header(section_headers: u64, count: u16) -> Vec<u8> {
    // 64 bits, little endian, version 1.
    let mut header = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0".to_vec();
    header.extend(ET_EXEC.to_le_bytes());
    header.extend(EM_X86_64.to_le_bytes());
    header.extend(1u32.to_le_bytes());
    // There is neither an entry point nor a program header.
    header.extend([0; 16]);
    header.extend(section_headers.to_le_bytes());
    header.extend([0; 4]);
    header.extend((HEADER as u16).to_le_bytes());
    header.extend([0; 4]);
    header.extend(SECTION_HEADER.to_le_bytes());
    header.extend(count.to_le_bytes());
    header.extend((count - 1).to_le_bytes());
    header
}

#[derive(Default)]
struct SectionHeader {
    name: u32,
    kind: u32,
    flags: u64,
    address: u64,
    offset: u64,
    size: u64,
    link: u32,
    info: u32,
    entry: u64,
}

impl SectionHeader {
    fn write(&self, file: &mut Vec<u8>) {
        file.extend(self.name.to_le_bytes());
        file.extend(self.kind.to_le_bytes());
        for value in [self.flags, self.address, self.offset, self.size] {
            file.extend(value.to_le_bytes());
        }
        file.extend(self.link.to_le_bytes());
        file.extend(self.info.to_le_bytes());
        file.extend(1u64.to_le_bytes());
        file.extend(self.entry.to_le_bytes());
    }
}

/// A table of strings, each once.
struct Strings {
    bytes: Vec<u8>,
    known: BTreeMap<String, u32>,
}

impl Strings {
    fn new() -> Self {
        Self { bytes: vec![0], known: BTreeMap::new() }
    }

    fn add(&mut self, text: &str) -> u32 {
        if let Some(at) = self.known.get(text) {
            return *at;
        }
        let at = self.bytes.len() as u32;
        self.bytes.extend(text.as_bytes());
        self.bytes.push(0);
        self.known.insert(text.to_owned(), at);
        at
    }
}

#[cfg(test)]
mod tests {
    use object::{Object, ObjectSection, ObjectSymbol, SymbolKind};

    use super::*;

    #[test]
    fn file_can_be_read_as_it_was_written() {
        let code = |name: &str, range| Code { name: name.to_owned(), range };
        let code = [code(".text", 0x1000..0x2000), code("drm.text", 0x5000..0x5010)];
        let symbol = |name, address| Symbol { name, address };
        let symbols = [symbol("first", 0x1000), symbol("variable", 0x2000), symbol("ioctl", 0x500f)];
        let bytes = write(&code, &symbols, b"frames");
        let file = object::File::parse(&*bytes).unwrap();
        assert_eq!(file.section_by_name("drm.text").unwrap().address(), 0x5000);
        assert_eq!(file.section_by_name(".debug_frame").unwrap().data().unwrap(), b"frames");
        let found: Vec<_> =
            file.symbols().map(|symbol| (symbol.name().unwrap().to_owned(), symbol.address(), symbol.kind())).collect();
        assert_eq!(
            found,
            [
                ("first".to_owned(), 0x1000, SymbolKind::Text),
                ("variable".to_owned(), 0x2000, SymbolKind::Data),
                ("ioctl".to_owned(), 0x500f, SymbolKind::Text)
            ]
        );
        let ioctl = file.symbols().last().unwrap().section_index().unwrap();
        assert_eq!(file.section_by_index(ioctl).unwrap().name(), Ok("drm.text"));
    }
}
