// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The rows of the benchmark: one function each.

use std::fs::File;
use std::io::Result;
use std::os::fd::{FromRawFd, OwnedFd};
use std::path::Path;
use std::ptr::null_mut;

use rustix::mm::{MapFlags, ProtFlags};
use uapi::*;

use crate::measure::{Repeat, median, median_prepared, report};
use crate::node::{find, ioctl, open};

/// Measures and reports the rows of `driver`.
pub(crate) fn all(driver: &str) -> Result<()> {
    let node = find(driver)?;
    let card = open(&node)?;
    let rows: &[(&str, Row)] = match driver {
        "vgem" => &VGEM,
        _ => &NOOP,
    };
    for (name, row) in rows {
        report(name, driver, row(&card, &node)?)?;
    }
    Ok(())
}

/// A function that measures a row: it gets an open node and its path, and returns instructions.
type Row = fn(&File, &Path) -> Result<f64>;

const NOOP: [(&str, Row); 2] = [
    ("driver ioctl, no-op", |card, _| median(Repeat::LIGHT, || ioctl(card, &NOOP_UNGUARDED, &mut Noop::default()))),
    ("driver ioctl, no-op, guarded", |card, _| {
        median(Repeat::LIGHT, || ioctl(card, &NOOP_GUARDED, &mut Noop::default()))
    }),
];

const VGEM: [(&str, Row); 8] = [
    ("GET_CAP", |card, _| median(Repeat::LIGHT, || ioctl(card, &GET_CAP, &mut Cap { capability: 5, value: 0 }))),
    ("dumb create + destroy", dumb),
    ("GEM open + close", gem_open),
    ("handle to fd + close", handle_to_fd),
    ("fd to handle + close", fd_to_handle),
    ("first-touch fault, per page", fault),
    ("fence attach + signal", fence),
    ("open + close of the node", |_, node| median(Repeat::HEAVY, || open(node).map(drop))),
];

/// Creates a dumb buffer of `pages` pages.
fn create(card: &File, pages: u32) -> Result<u32> {
    let mut dumb = CreateDumb { height: pages, width: 1024, bpp: 32, ..CreateDumb::default() };
    ioctl(card, &MODE_CREATE_DUMB, &mut dumb)?;
    Ok(dumb.handle)
}

fn destroy(card: &File, handle: u32) -> Result<()> {
    ioctl(card, &MODE_DESTROY_DUMB, &mut DestroyDumb { handle })
}

fn dumb(card: &File, _: &Path) -> Result<f64> {
    median(Repeat::HEAVY, || destroy(card, create(card, 1)?))
}

fn gem_open(card: &File, _: &Path) -> Result<f64> {
    let mut flink = GemFlink { handle: create(card, 1)?, name: 0 };
    ioctl(card, &GEM_FLINK, &mut flink)?;

    let cost = median(Repeat::LIGHT, || {
        let mut named = GemOpen { name: flink.name, ..GemOpen::default() };
        ioctl(card, &GEM_OPEN, &mut named)?;
        ioctl(card, &GEM_CLOSE, &mut GemClose { handle: named.handle, pad: 0 })
    })?;
    destroy(card, flink.handle)?;
    Ok(cost)
}

fn export(card: &File, handle: u32) -> Result<OwnedFd> {
    let mut prime = Prime { handle, ..Prime::default() };
    ioctl(card, &PRIME_HANDLE_TO_FD, &mut prime)?;
    // SAFETY: the ioctl returned a descriptor that nothing else owns.
    Ok(unsafe { OwnedFd::from_raw_fd(prime.fd) })
}

fn handle_to_fd(card: &File, _: &Path) -> Result<f64> {
    let handle = create(card, 1)?;
    let cost = median(Repeat::LIGHT, || export(card, handle).map(drop))?;
    destroy(card, handle)?;
    Ok(cost)
}

/// Imports a buffer into a second file of the device, as another client would.
fn fd_to_handle(card: &File, node: &Path) -> Result<f64> {
    let handle = create(card, 1)?;
    let exported = export(card, handle)?;
    let other = open(node)?;

    let cost = median(Repeat::LIGHT, || {
        let fd = std::os::fd::AsRawFd::as_raw_fd(&exported);
        let mut prime = Prime { fd, ..Prime::default() };
        ioctl(&other, &PRIME_FD_TO_HANDLE, &mut prime)?;
        ioctl(&other, &GEM_CLOSE, &mut GemClose { handle: prime.handle, pad: 0 })
    })?;
    destroy(card, handle)?;
    Ok(cost)
}

/// A mapping of a buffer through the node.
struct Mapping {
    address: *mut u8,
    bytes: usize,
}

impl Mapping {
    fn new(card: &File, handle: u32, bytes: usize) -> Result<Self> {
        let mut map = MapDumb { handle, ..MapDumb::default() };
        ioctl(card, &MODE_MAP_DUMB, &mut map)?;
        // SAFETY: a new mapping at an address of the kernel's choice disturbs nothing.
        let address = unsafe {
            rustix::mm::mmap(null_mut(), bytes, ProtFlags::READ | ProtFlags::WRITE, MapFlags::SHARED, card, map.offset)?
        };
        Ok(Self { address: address.cast(), bytes })
    }

    /// Writes a byte to every page.
    fn touch(&mut self) {
        for page in (0..self.bytes).step_by(4096) {
            // SAFETY: the page lies in the mapping.
            unsafe { self.address.add(page).write_volatile(1) };
        }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: our own mapping, not used any more.
        let _ = unsafe { rustix::mm::munmap(self.address.cast(), self.bytes) };
    }
}

fn fault(card: &File, _: &Path) -> Result<f64> {
    const PAGES: usize = 256;
    let handle = create(card, PAGES as u32)?;
    let cost = median_prepared(PAGES, || Mapping::new(card, handle, PAGES * 4096), Mapping::touch)?;
    destroy(card, handle)?;
    Ok(cost)
}

fn fence(card: &File, _: &Path) -> Result<f64> {
    let handle = create(card, 1)?;
    let cost = median(Repeat::LIGHT, || {
        let mut attach = FenceAttach { handle, ..FenceAttach::default() };
        ioctl(card, &VGEM_FENCE_ATTACH, &mut attach)?;
        ioctl(card, &VGEM_FENCE_SIGNAL, &mut FenceSignal { fence: attach.out_fence, flags: 0 })
    })?;
    destroy(card, handle)?;
    Ok(cost)
}
