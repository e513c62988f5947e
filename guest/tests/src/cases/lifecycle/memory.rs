// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The kernel's and the client's view of one object, made before registration or after (L16).
//!
//! Source: docs/reference/obligations.md for the obligations, whose numbers begin the names.

use rustix::io::Errno;
use sys::Mapping;
use uapi::{CLOEXEC, PAGE, RDWR};

use crate::harness::check::{Outcome, fail, lacks};
use crate::harness::failnth::{Fault, enomem};
use crate::subjects::device;
use crate::subjects::guest::Guest;
use crate::subjects::lifecycle::{DMA, EARLY, Kept, Test, VMAP, bind, unbind};
use crate::{refuses, same, works};

crate::cases::cases! {
    "lifecycle":
    l16_object_from_before_registration, l15_huge_page_mount_needs_a_fresh_device, large_objects_are_huge_pages,
    vmap_reads_and_writes, l21_import_is_mapped_by_its_second_handle, l15_failed_mount_is_not_tried_again,
}

/// Data that the driver wrote before registration is visible after it, by kernel mapping, by mmap and by DMA.
fn l16_object_from_before_registration(guest: &Guest) -> Outcome {
    const WRITTEN: u64 = 0x0ea2_17b1_2d00;
    let mut test = Test::new(guest)?;
    let client = test.open(0)?;
    let handle = works!(client.call(&EARLY, 0, 0, 0)).handle;
    same!(works!(client.device_of(handle)), 0);
    same!(works!(client.call(&VMAP, 0, handle, WRITTEN)).value, WRITTEN);
    let mapping = works!(client.0.map(handle, PAGE));
    same!(u64::from(mapping.read(0)) | u64::from(mapping.read(4)) << 32, WRITTEN);
    same!(works!(client.call(&DMA, 0, handle, 0)).value, PAGE as u64);
    let buffer = works!(client.0.export(handle, RDWR | CLOEXEC));
    works!(unbind(0));
    mapping.write(0, 1);
    same!(works!(Mapping::shared(&buffer, 0, PAGE)).read(0), 1);
    drop((client, mapping, buffer));
    test.trace.wait_for("0: data dropped")?;
    test.unload()
}

/// Only a fresh device can get the mount for huge pages. Later, a concurrent creation of an object could see half a
/// mount.
fn l15_huge_page_mount_needs_a_fresh_device(guest: &Guest) -> Outcome {
    let mut test = Test::new(guest)?;
    for number in 0..2 {
        let busy = -Errno::BUSY.raw_os_error();
        test.trace.wait_for(&format!("{number}: huge pages on a fresh device"))?;
        test.trace.wait_for(&format!("{number}: huge pages when shared: {busy}"))?;
    }
    test.unload()
}

/// Returns the kernel's count of huge pages of shared memory, in KiB.
fn huge_pages() -> Outcome<u64> {
    let text = std::fs::read_to_string("/proc/meminfo")?;
    let row = text.lines().find_map(|line| line.strip_prefix("ShmemHugePages:"));
    match row.and_then(|row| row.trim().strip_suffix(" kB")?.parse().ok()) {
        Some(count) => Ok(count),
        None => fail(format!("no `ShmemHugePages` in {text:?}")),
    }
}

/// An object of 2 MiB is one huge page, without any system setting. The page is freed with the object.
fn large_objects_are_huge_pages(guest: &Guest) -> Outcome {
    const LEN: usize = 2 << 20;
    let mut test = Test::new(guest)?;
    let client = test.open(0)?;
    let before = huge_pages()?;
    let handle = works!(client.object(LEN as u64));
    let mapping = works!(client.0.map(handle, LEN));
    mapping.write(LEN - 4, 7);
    same!(huge_pages()?, before + (LEN as u64 >> 10));
    same!((mapping.read(0), mapping.read(LEN - 4)), (0, 7));
    drop(mapping);
    works!(client.0.gem_close(handle));
    same!(huge_pages()?, before);
    drop(client);
    test.unload()
}

/// `vmap` reads and writes at any byte, but not beyond the end; the client sees the kernel's writes and the other way
/// round.
fn vmap_reads_and_writes(guest: &Guest) -> Outcome {
    let mut test = Test::new(guest)?;
    let client = test.open(0)?;
    let handle = works!(client.object(2 * PAGE as u64));
    let mapping = works!(client.0.map(handle, 2 * PAGE));
    let end = 2 * PAGE as u32;
    for at in [0, 8, PAGE as u32 - 4, end - 8] {
        mapping.write(at as usize, at + 1);
        same!(works!(client.call(&VMAP, at, handle, 0x55)).value as u32, at + 1);
        same!(mapping.read(at as usize), 0x55);
    }
    for at in [end - 7, end, u32::MAX] {
        refuses!(client.call(&VMAP, at, handle, 0), INVAL, " at byte {at}");
    }
    drop((client, mapping));
    test.unload()
}

/// C drops the dma-buf of an import with its last handle, and would warn when the import is mapped by another handle.
/// The attachment still has the dma-buf.
fn l21_import_is_mapped_by_its_second_handle(guest: &Guest) -> Outcome {
    let mut test = Test::new(guest)?;
    let client = test.open(0)?;
    let buffer = match device::heap_buffer(PAGE) {
        Err(Errno::NOENT) => return lacks("this kernel has no system heap"),
        buffer => works!(buffer),
    };
    let direct = works!(Mapping::shared(&buffer, 0, PAGE));
    // The import gets the offset of a freed buffer of its size between two others.
    let [_before, place, _after] = [works!(client.0.pages(1)), works!(client.0.pages(1)), works!(client.0.pages(1))];
    let offset = works!(client.0.map_offset(place));
    works!(client.0.gem_close(place));
    let handle = works!(client.0.import(&buffer));
    works!(client.keep_object(handle));
    works!(client.0.gem_close(handle));
    refuses!(Mapping::shared(&client.0, offset, PAGE), ACCESS);
    works!(client.kept(Kept::Handle, 0));
    let mapping = works!(Mapping::shared(&client.0, offset, PAGE));
    direct.write(8, 0x2ec0);
    same!(mapping.read(8), 0x2ec0);
    works!(client.let_go());
    drop((client, buffer));
    mapping.write(12, 0xd);
    same!(direct.read(12), 0xd);
    drop((mapping, direct));
    test.unload()
}

/// A device has one mount, which is unmounted with it once, or none: a failed mount is not retried.
fn l15_failed_mount_is_not_tried_again(guest: &Guest) -> Outcome {
    let mut test = Test::new(guest)?;
    works!(unbind(0));
    test.trace.wait_for("0: data dropped")?;
    let observer = test.open(1)?;
    test.trace.clear();
    for (fails, said) in [(true, "-12, then -16"), (false, "0, then -16")] {
        works!(observer.huge_twice());
        let fault =
            fails.then(|| Fault::nth(enomem("fc_mount_longterm"), 1, "drm_rust_mount_huge_pages")).transpose()?;
        works!(bind(0));
        drop(fault);
        test.trace.wait_for(&format!("0: huge pages: {said}"))?;
        // An object that was made after the failure, or in the mount, can be used.
        works!(test.open(0)?.call(&EARLY, 0, 0, 0));
        works!(unbind(0));
        test.trace.wait_for("0: data dropped")?;
        test.trace.clear();
    }
    drop(observer);
    test.unload()
}
