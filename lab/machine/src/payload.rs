// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Extracts the kernel proper from its compressed image.
//!
//! A boot image unpacks itself in the guest, which takes three seconds where every instruction is translated. The
//! kernel inside is an ELF file that QEMU can load and enter directly (its PVH entry point), so the host extracts it
//! once. It is the same kernel, byte for byte.
//!
//! Source: Documentation/arch/x86/boot.rst (`setup_sects`, `payload_offset`, `payload_length`) and
//! <https://xenbits.xen.org/docs/unstable/misc/pvh.html> for the entry point.

use std::io::Read;

use object::read::elf::{ElfFile64, FileHeader, ProgramHeader};
use object::{Endianness, elf::PT_NOTE};

/// The largest accepted kernel, unpacked. No real kernel is larger.
const LARGEST: u64 = 512 << 20;

/// Returns the kernel inside `image`, if we know the kinds of its compression and entry point.
pub fn extract(image: &[u8]) -> Option<Vec<u8>> {
    let payload = find(image)?;
    let mut kernel = Vec::new();
    let unpacked = ruzstd::decoding::StreamingDecoder::new(payload).ok()?;
    unpacked.take(LARGEST + 1).read_to_end(&mut kernel).ok()?;
    (kernel.len() as u64 <= LARGEST && has_pvh_entry(&kernel)).then_some(kernel)
}

/// Returns the compressed part of a boot image.
fn find(image: &[u8]) -> Option<&[u8]> {
    if image.get(0x202..0x206)? != b"HdrS" {
        return None;
    }
    // 0 means 4, for compatibility with old boot loaders.
    let setup = match image.get(0x1f1)? {
        0 => 4,
        sectors => usize::from(*sectors),
    };
    let start = (setup + 1) * 512 + number(image, 0x248)?;
    image.get(start..start.checked_add(number(image, 0x24c)?)?)
}

fn number(image: &[u8], at: usize) -> Option<usize> {
    let bytes = image.get(at..at + 4)?.try_into().ok()?;
    usize::try_from(u32::from_le_bytes(bytes)).ok()
}

/// The type of the note that holds the entry point.
const XEN_ELFNOTE_PHYS32_ENTRY: u32 = 18;

fn has_pvh_entry(kernel: &[u8]) -> bool {
    let Ok(elf) = ElfFile64::<Endianness>::parse(kernel) else { return false };
    let endian = elf.endian();
    let headers = elf.elf_program_headers().iter();
    let mut notes = headers.filter(|header| header.p_type(endian) == PT_NOTE);
    notes.any(|header| has_entry_note(header, endian, kernel).unwrap_or(false))
}

fn has_entry_note<P>(header: &P, endian: P::Endian, kernel: &[u8]) -> Result<bool, object::Error>
where
    P: ProgramHeader<Elf: FileHeader>,
{
    let Some(mut notes) = header.notes(endian, kernel)? else { return Ok(false) };
    while let Some(note) = notes.next()? {
        if note.name() == b"Xen" && note.n_type(endian) == XEN_ELFNOTE_PHYS32_ENTRY {
            return Ok(true);
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_payload_lies_where_the_header_says() {
        let mut image = vec![0; 4096];
        image[0x202..0x206].copy_from_slice(b"HdrS");
        image[0x1f1] = 1;
        image[0x248..0x24c].copy_from_slice(&16u32.to_le_bytes());
        image[0x24c..0x250].copy_from_slice(&3u32.to_le_bytes());
        image[2 * 512 + 16..2 * 512 + 19].copy_from_slice(b"abc");
        assert_eq!(find(&image), Some(b"abc".as_slice()));
        image.truncate(1040);
        assert_eq!(find(&image), None, "a truncated image has no payload");
    }

    #[test]
    fn what_is_no_boot_image_has_no_kernel() {
        assert_eq!(extract(b"MZ"), None);
        assert_eq!(extract(&[0; 4096]), None);
    }
}
