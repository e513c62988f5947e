// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The interface for a 32-bit program: the core's ioctls in their 32-bit layouts, and vgem's, which have one layout for
//! both.
//!
//! Source: `struct drm_version32` and its kin in `drivers/gpu/drm/drm_ioc32.c`, `drm_gem_mmap` (Linux 7.3).

use rustix::mm::ProtFlags;
use uapi::{DIR_READ, DIR_WRITE, DRM, FENCE_WRITE, PAGE, Plain, Request};

use crate::harness::check::Outcome;
use crate::harness::compat::{self, Pointed};
use crate::subjects::device::DrmFile;
use crate::subjects::guest::Guest;
use crate::{refuses, same, works};

super::cases! {
    "compat":
    version, version_cuts_a_long_name, unique_name, client, statistics, client_name_is_set, buffer_is_made_and_mapped,
    buffer_is_shared, fences, invalid_calls_fail_as_in_64_bit, calls_after_unplug_fail_with_enodev,
}

const RW: u32 = DIR_READ | DIR_WRITE;

/// `struct drm_version32`: nine words.
const VERSION: u32 = uapi::ioc(RW, DRM, 0x00, 36);
/// `struct drm_unique32`: a length and an address.
const GET_UNIQUE: u32 = uapi::ioc(RW, DRM, 0x01, 8);
/// `struct drm_client32`
const GET_CLIENT: u32 = uapi::ioc(RW, DRM, 0x05, 24);
/// `struct drm_stats32`: a count, and fifteen pairs.
const GET_STATS: u32 = uapi::ioc(DIR_READ, DRM, 0x06, 4 + 15 * 8);

const BOTH: ProtFlags = ProtFlags::READ.union(ProtFlags::WRITE);

/// Returns the bytes of a 32-bit structure, given its words.
fn bytes(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_ne_bytes()).collect()
}

fn words(bytes: &[u8]) -> Vec<u32> {
    bytes.chunks_exact(4).map(|word| u32::from_ne_bytes(word.try_into().expect("four bytes"))).collect()
}

/// Makes an ioctl whose structure has the same layout for 32-bit and 64-bit programs.
pub(crate) fn ioctl<T: Plain>(file: &DrmFile, request: &Request<T>, argument: T) -> sys::Answer<T> {
    let mut bytes = uapi::bytes_of(&argument).to_vec();
    compat::ioctl(file, request.number, &mut bytes, &mut [])?;
    Ok(uapi::of_bytes(&bytes))
}

/// `VERSION` returns the numbers, and a name and a description by 32-bit addresses.
fn version(guest: &Guest) -> Outcome {
    for file in [guest.open()?, guest.open_render()?] {
        let mut version = bytes(&[9, 9, 9, 16, 0, 0, 0, 32, 0]);
        let mut texts = [4, 8].map(|word| Pointed { holder: 0, at: 4 * word, bytes: vec![b'?'; 32] });
        works!(compat::ioctl(&file, VERSION, &mut version, &mut texts));
        let told = words(&version);
        same!(told[..4], [1, 0, 0, 4]);
        same!((told[5], told[7]), (1, "Virtual GEM provider".len() as u32));
        same!(&texts[0].bytes[..5], b"vgem?");
        same!(&texts[1].bytes[..21], b"Virtual GEM provider?");
    }
    Ok(())
}

/// `VERSION` copies no more of a name than there is room for, and returns its full length.
fn version_cuts_a_long_name(guest: &Guest) -> Outcome {
    let mut version = bytes(&[0, 0, 0, 2, 0, 0, 0, 0, 0]);
    let mut name = [Pointed { holder: 0, at: 16, bytes: b"????".to_vec() }];
    works!(compat::ioctl(guest.open()?, VERSION, &mut version, &mut name));
    same!(name[0].bytes.as_slice(), b"vg??");
    same!(words(&version)[3], 4);
    Ok(())
}

/// `GET_UNIQUE` returns the parent's name, once the interface's version is set.
fn unique_name(guest: &Guest) -> Outcome {
    let file = guest.open()?;
    let wanted = uapi::SetVersion { di_major: 1, di_minor: 4, dd_major: -1, dd_minor: -1 };
    let told = works!(ioctl(&file, &uapi::SET_VERSION, wanted));
    same!((told.dd_major, told.dd_minor), (1, 0));
    let mut unique = bytes(&[16, 0]);
    let mut name = [Pointed { holder: 0, at: 4, bytes: vec![b'?'; 16] }];
    works!(compat::ioctl(&file, GET_UNIQUE, &mut unique, &mut name));
    same!(words(&unique)[0], 4);
    same!(&name[0].bytes[..4], b"vgem");
    Ok(())
}

/// `GET_CLIENT` describes the caller in 32-bit words.
fn client(guest: &Guest) -> Outcome {
    let mut client = bytes(&[0, 9, 9, 9, 9, 9]);
    works!(compat::ioctl(guest.open()?, GET_CLIENT, &mut client, &mut []));
    same!(words(&client), [0, 1, std::process::id(), words(&client)[3], 0, 0]);
    Ok(())
}

/// `GET_STATS` overwrites the caller's memory with zeros.
fn statistics(guest: &Guest) -> Outcome {
    let mut stats = vec![0xee; 4 + 15 * 8];
    works!(compat::ioctl(guest.open()?, GET_STATS, &mut stats, &mut []));
    same!(stats, vec![0; 4 + 15 * 8]);
    Ok(())
}

/// `SET_CLIENT_NAME` has a 64-bit address, into which a 32-bit one fits.
fn client_name_is_set(guest: &Guest) -> Outcome {
    let file = guest.open_render()?;
    let mut text = bytes(&[5, 0, 0, 0]);
    let mut name = [Pointed { holder: 0, at: 8, bytes: b"small".to_vec() }];
    works!(compat::ioctl(&file, uapi::SET_CLIENT_NAME.number, &mut text, &mut name));
    name[0].bytes = b"not so".to_vec();
    text = bytes(&[6, 0, 0, 0]);
    refuses!(compat::ioctl(&file, uapi::SET_CLIENT_NAME.number, &mut text, &mut name), INVAL);
    Ok(())
}

/// A buffer's offset can be expressed in pages, so mmap2(2) reaches it.
fn buffer_is_made_and_mapped(guest: &Guest) -> Outcome {
    let file = guest.open()?;
    let wanted = uapi::CreateDumb { width: 32, height: 64, bpp: 32, ..Default::default() };
    let made = works!(ioctl(&file, &uapi::MODE_CREATE_DUMB, wanted));
    same!((made.handle, made.pitch, made.size), (1, 128, 2 * PAGE as u64));
    let map_dumb = uapi::MapDumb { handle: made.handle, ..Default::default() };
    let offset = works!(ioctl(&file, &uapi::MODE_MAP_DUMB, map_dumb)).offset;
    same!(works!(file.map_offset(made.handle)), offset);
    let mapping = works!(compat::map(&file, offset, 2 * PAGE, BOTH));
    mapping.write(PAGE + 4, 0x3232);
    same!(works!(file.map(made.handle, 2 * PAGE)).read(PAGE + 4), 0x3232);
    refuses!(compat::map(&file, offset, 3 * PAGE, BOTH), INVAL);
    works!(ioctl(&file, &uapi::GEM_CLOSE, uapi::GemClose { handle: made.handle, pad: 0 }));
    refuses!(ioctl(&file, &uapi::GEM_CLOSE, uapi::GemClose { handle: made.handle, pad: 0 }), INVAL);
    Ok(())
}

/// A 32-bit program can share a buffer by PRIME, in both directions, and by global names.
fn buffer_is_shared(guest: &Guest) -> Outcome {
    let (file, render, other) = (guest.open()?, guest.open_render()?, guest.open()?);
    let handle = works!(file.pages(3));
    let wanted = uapi::Prime { handle, flags: uapi::CLOEXEC | uapi::RDWR, fd: -1 };
    let number = works!(ioctl(&file, &uapi::PRIME_HANDLE_TO_FD, wanted)).fd;
    let theirs = works!(ioctl(&render, &uapi::PRIME_FD_TO_HANDLE, uapi::Prime { handle: 0, flags: 0, fd: number }));
    works!(render.gem_close(theirs.handle));
    let name = works!(ioctl(&file, &uapi::GEM_FLINK, uapi::GemFlink { handle, name: 0 })).name;
    let opened = works!(ioctl(&other, &uapi::GEM_OPEN, uapi::GemOpen { name, ..Default::default() }));
    same!((opened.handle, opened.size), (1, 3 * PAGE as u64));
    Ok(())
}

/// The driver's two ioctls work.
fn fences(guest: &Guest) -> Outcome {
    let file = guest.open_render()?;
    let card = guest.open()?;
    let handle = works!(file.import(&works!(card.export(works!(card.pages(1)), 0))));
    let wanted = uapi::FenceAttach { handle, flags: FENCE_WRITE, ..Default::default() };
    let fence = works!(ioctl(&file, &uapi::VGEM_FENCE_ATTACH, wanted)).out_fence;
    refuses!(ioctl(&file, &uapi::VGEM_FENCE_ATTACH, wanted), BUSY);
    works!(ioctl(&file, &uapi::VGEM_FENCE_SIGNAL, uapi::FenceSignal { fence, flags: 0 }));
    refuses!(file.signal(fence), NOENT);
    Ok(())
}

/// Wrong addresses, numbers, kinds and permissions are refused as for a 64-bit program.
fn invalid_calls_fail_as_in_64_bit(guest: &Guest) -> Outcome {
    let file = guest.open_render()?;
    for number in [VERSION, uapi::GET_CAP.number, uapi::VGEM_FENCE_ATTACH.number] {
        refuses!(compat::ioctl_bad(&file, number), FAULT, " of {number:#x}");
    }
    for nr in [0x40, 0x43, 0x9f, 0xff] {
        refuses!(compat::ioctl(&file, uapi::ioc(RW, DRM, nr, 16), &mut [0; 16], &mut []), INVAL, " of {nr:#x}");
    }
    refuses!(compat::ioctl(&file, uapi::ioc(RW, b'T', 0x41, 16), &mut [0; 16], &mut []), NOTTY);
    refuses!(compat::ioctl(&file, GET_UNIQUE, &mut [0; 8], &mut []), ACCESS);
    let cap = works!(ioctl(&file, &uapi::GET_CAP, uapi::Cap { capability: 5, value: 0 }));
    same!(cap.value, 3);
    Ok(())
}

/// After an unplug the core's calls and the driver's fail with `ENODEV`; a mapping keeps its contents.
fn calls_after_unplug_fail_with_enodev(guest: &Guest) -> Outcome {
    let file = guest.open()?;
    let offset = works!(file.map_offset(works!(file.pages(1))));
    let mapping = works!(compat::map(&file, offset, PAGE, BOTH));
    mapping.write(0, 0x32);
    works!(guest.driver.unbind());
    refuses!(compat::ioctl(&file, VERSION, &mut [0; 36], &mut []), NODEV);
    refuses!(ioctl(&file, &uapi::VGEM_FENCE_ATTACH, uapi::FenceAttach::default()), NODEV);
    refuses!(compat::map(&file, offset, PAGE, BOTH), NODEV);
    same!(mapping.read(0), 0x32);
    Ok(())
}
