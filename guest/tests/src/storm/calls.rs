// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The calls of a storm that are not ioctls of the table: opening, mapping and faulting, waiting, reading files about
//! the device, and ioctls of any number.
//!
//! Source: open(2), mmap(2), pidfd_getfd(2), `drm_ioctl` in `drivers/gpu/drm/drm_ioctl.c` (Linux 7.3).

use std::fs;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};

use random::spec::Class;
use rustix::event::{EventfdFlags, PollFlags, eventfd};
use rustix::fs::OFlags;
use rustix::io::Errno;
use rustix::mm::{Advice, MapFlags, MprotectFlags, ProtFlags};
use rustix::process::{Pid, PidfdFlags, PidfdGetfdFlags, pidfd_getfd, pidfd_open};
use sys::{Answer, Mapping};
use uapi::tyr::{MMIO_OFFSET_32, MMIO_OFFSET_64};
use uapi::{DRM, PAGE, ioc, ioc_size};

use crate::subjects::device;

use super::board::{Block, Order};
use super::client::Client;
use super::table;
use super::window::{LONGEST, SLOTS};

/// Returns a random one of the values.
fn pick<T: Copy>(client: &mut Client<'_>, values: &[T]) -> Option<T> {
    (!values.is_empty()).then(|| values[client.random.usize(..values.len())])
}

/// Returns the entries of a folder in a reproducible order.
fn entries(folder: &Path) -> Vec<PathBuf> {
    let mut entries: Vec<_> = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    entries.sort();
    entries
}

/// Opens one of the device's nodes, if the device exists at this moment.
pub(super) fn open(client: &mut Client<'_>) -> Answer {
    let (turns, generation) = (client.board.turns(), client.board.generation());
    let opened = open_any(client);
    // A process that retried without a pause would count the same answer many thousand times, and take the processor
    // from the one that brings the device back.
    let is_away = matches!(opened, Err(Errno::NOENT | Errno::NODEV));
    if is_away && client.random.u8(..4) > 0 && client.board.order() == Order::Storm {
        client.board.wait_turn(turns);
    }
    let fd = opened?;
    client.look_at_display(&fd);
    client.keep(fd, Some(generation));
    Ok(())
}

fn open_any(client: &mut Client<'_>) -> Answer<OwnedFd> {
    let nodes = entries(Path::new("/dev/dri"));
    let node = pick(client, &nodes.iter().collect::<Vec<_>>()).ok_or(Errno::NOENT)?;
    let flags = if client.random.u8(..8) == 0 { OFlags::RDWR } else { OFlags::RDWR | OFlags::NONBLOCK };
    sys::open(node, flags)
}

pub(super) fn close(client: &mut Client<'_>) -> Answer {
    if client.files.is_empty() {
        return Err(Errno::BADF);
    }
    let chosen = client.random.usize(..client.files.len());
    client.files.swap_remove(chosen).close()
}

pub(super) fn dup(client: &mut Client<'_>) -> Answer {
    if client.files.is_empty() {
        return Err(Errno::BADF);
    }
    let chosen = client.random.usize(..client.files.len());
    let fd = rustix::io::fcntl_dupfd_cloexec(&client.files[chosen], 0)?;
    client.keep(fd, None);
    Ok(())
}

pub(super) fn fork(client: &mut Client<'_>) -> Answer {
    client.start_copy()
}

/// Duplicates a file that another process has open.
pub(super) fn steal(client: &mut Client<'_>) -> Answer {
    let other = Block::of(client.random.usize(..client.processes));
    let pid = Pid::from_raw(client.board.pid(other) as i32).ok_or(Errno::SRCH)?;
    let process = pidfd_open(pid, PidfdFlags::empty())?;
    let fd = pidfd_getfd(process, client.random.i32(4..32), PidfdGetfdFlags::empty())?;
    client.keep(fd, None);
    Ok(())
}

/// Maps a part of a file into a slot.
pub(super) fn map(client: &mut Client<'_>) -> Answer {
    let kind = if client.random.u8(..4) == 0 { Class::DmaBuf } else { Class::File };
    let Some(chosen) = client.any_with(kind, &[Class::Offset]) else { return Err(Errno::BADF) };
    let hostile = [0, PAGE as u64, 1 << 40, !(PAGE as u64 - 1)];
    let known = client.files[chosen].ids(Class::Offset).to_vec();
    let offset = match (kind, pick(client, &known)) {
        (Class::File, Some(offset)) if client.random.u8(..16) > 0 => offset,
        (Class::DmaBuf, _) if client.random.u8(..8) > 0 => 0,
        _ => hostile[client.random.usize(..hostile.len())],
    };
    let pages = [1, 1, 1, 2, 4, 16, 64, LONGEST / PAGE];
    let len = PAGE * pages[client.random.usize(..pages.len())];
    let both = ProtFlags::READ | ProtFlags::WRITE;
    let rights = [both, both, both, ProtFlags::READ, ProtFlags::READ | ProtFlags::EXEC, ProtFlags::empty()];
    let rights = rights[client.random.usize(..rights.len())];
    let flags = match client.random.u8(..16) {
        0 => MapFlags::PRIVATE,
        1 => MapFlags::SHARED | MapFlags::POPULATE,
        _ => MapFlags::SHARED,
    };
    let slot = client.random.usize(1..SLOTS);
    client.window.map(slot, client.files[chosen].as_fd(), offset, len, rights, flags)
}

/// Maps the page of registers that a client may have, or reads a page that it has mapped. The read is not made by the
/// kernel, which copies by bytes, as no register should be read. A read must not cause a signal, whatever state the GPU
/// is in.
pub(super) fn registers(client: &mut Client<'_>) -> Answer {
    if client.random.bool() {
        let known = client.registers.len();
        let mapping = client.registers.get(client.random.usize(..known.max(1))).ok_or(Errno::NOMEM)?;
        mapping.read(0);
        return Ok(());
    }
    let Some(chosen) = client.any(Class::File) else { return Err(Errno::BADF) };
    let offset = if client.random.bool() { MMIO_OFFSET_64 } else { MMIO_OFFSET_32 };
    let mapping = Mapping::new(&client.files[chosen], offset, PAGE, ProtFlags::READ, MapFlags::SHARED)?;
    client.registers.truncate(3);
    client.registers.insert(0, mapping);
    Ok(())
}

/// Returns a slot with a mapping; if there is none, maps something first.
fn full(client: &mut Client<'_>) -> Answer<usize> {
    if client.window.full().next().is_none() {
        map(client)?;
    }
    let full: Vec<_> = client.window.full().collect();
    pick(client, &full).ok_or(Errno::NOMEM)
}

/// Returns the start and the length of whole pages of a slot.
fn part(client: &mut Client<'_>, slot: usize) -> (usize, usize) {
    let pages = client.window.len(slot) / PAGE;
    let first = client.random.usize(..pages);
    (first * PAGE, client.random.usize(1..=pages - first) * PAGE)
}

pub(super) fn unmap(client: &mut Client<'_>) -> Answer {
    let slot = full(client)?;
    let (at, len) = if client.random.bool() { (0, client.window.len(slot)) } else { part(client, slot) };
    client.window.unmap(slot, at, len)
}

pub(super) fn remap(client: &mut Client<'_>) -> Answer {
    let from = full(client)?;
    let to = 1 + (from + client.random.usize(..SLOTS - 2)) % (SLOTS - 1);
    let len = client.window.len(from);
    let lengths = [len, len, (len / 2).max(PAGE), (len + PAGE).min(LONGEST)];
    let len = lengths[client.random.usize(..lengths.len())].next_multiple_of(PAGE);
    client.window.remap(from, to, len)
}

pub(super) fn protect(client: &mut Client<'_>) -> Answer {
    let slot = full(client)?;
    let both = MprotectFlags::READ | MprotectFlags::WRITE;
    let rights = [both, both, MprotectFlags::READ, MprotectFlags::empty(), MprotectFlags::READ | MprotectFlags::EXEC];
    client.window.protect(slot, rights[client.random.usize(..rights.len())])
}

pub(super) fn advise(client: &mut Client<'_>) -> Answer {
    let slot = full(client)?;
    let advices = [
        Advice::LinuxDontNeed,
        Advice::WillNeed,
        Advice::LinuxPopulateRead,
        Advice::LinuxPopulateWrite,
        Advice::LinuxDontFork,
        Advice::LinuxDoFork,
        Advice::LinuxRemove,
        Advice::LinuxHugepage,
        Advice::LinuxCold,
        Advice::LinuxPageOut,
    ];
    client.window.advise(slot, advices[client.random.usize(..advices.len())])
}

pub(super) fn sync(client: &mut Client<'_>) -> Answer {
    let slot = full(client)?;
    client.window.sync(slot)
}

/// Returns bytes of a slot that the kernel shall access: a part of a page, or many pages.
fn bytes(client: &mut Client<'_>) -> Answer<(usize, usize, usize)> {
    let slot = full(client)?;
    let (at, len) = part(client, slot);
    Ok((slot, at, if client.random.bool() { 8 } else { len }))
}

pub(super) fn fault_to_read(client: &mut Client<'_>) -> Answer {
    let (slot, at, len) = bytes(client)?;
    client.window.read(slot, at, len)
}

pub(super) fn fault_to_write(client: &mut Client<'_>) -> Answer {
    let (slot, at, len) = bytes(client)?;
    client.window.write(slot, at, len)
}

/// Waits a short time on any file that can be polled.
pub(super) fn poll(client: &mut Client<'_>) -> Answer {
    if client.files.is_empty() {
        return Err(Errno::BADF);
    }
    let chosen = client.random.usize(..client.files.len());
    let events = [PollFlags::IN, PollFlags::OUT, PollFlags::IN | PollFlags::OUT];
    let events = events[client.random.usize(..events.len())];
    sys::poll(&client.files[chosen], events, client.random.u64(0..4)).map(drop)
}

/// Reads events of a DRM file. A read that waits is interrupted by the storm's signals.
pub(super) fn read(client: &mut Client<'_>) -> Answer {
    let Some(chosen) = client.any(Class::File) else { return Err(Errno::BADF) };
    let length = client.random.usize(..64);
    rustix::io::read(&client.files[chosen], &mut vec![0; length]).map(drop)
}

fn read_some(path: impl rustix::path::Arg) -> Answer {
    let file = sys::open(path, OFlags::RDONLY | OFlags::NONBLOCK)?;
    rustix::io::read(file, &mut [0; 4096]).map(drop)
}

pub(super) fn fdinfo(client: &mut Client<'_>) -> Answer {
    if client.files.is_empty() {
        return Err(Errno::BADF);
    }
    let chosen = client.random.usize(..client.files.len());
    read_some(format!("/proc/self/fdinfo/{}", client.files[chosen].as_fd().as_raw_fd()))
}

/// Files that must not be read: registers and memory, and the mailbox that plans the emulated GPU's faults.
const NO_READING: [&str; 3] = ["config", "rom", "resource"];

/// Reads a random file below a folder.
fn walk(client: &mut Client<'_>, folder: &str) -> Answer {
    let mut at = PathBuf::from(folder);
    for _ in 0..5 {
        let inside = entries(&at);
        let next = pick(client, &inside.iter().collect::<Vec<_>>()).cloned().ok_or(Errno::NOENT)?;
        let name = next.file_name().unwrap_or_default().to_string_lossy().into_owned();
        match fs::metadata(&next) {
            Ok(about) if about.is_dir() => at = next,
            Ok(_) if NO_READING.iter().any(|start| name.starts_with(start)) => return Ok(()),
            _ => return read_some(next),
        }
    }
    Ok(())
}

pub(super) fn sysfs(client: &mut Client<'_>) -> Answer {
    walk(client, "/sys/class/drm")
}

pub(super) fn debugfs(client: &mut Client<'_>) -> Answer {
    walk(client, "/sys/kernel/debug/dri")
}

pub(super) fn event(client: &mut Client<'_>) -> Answer {
    let fd = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
    client.keep(fd, None);
    Ok(())
}

/// Creates a buffer of another exporter.
pub(super) fn foreign(client: &mut Client<'_>) -> Answer {
    let size = PAGE << client.random.usize(..4);
    let fd = match client.random.bool() {
        true => device::udmabuf(&sys::memory_file(size)?, size)?,
        false => device::heap_buffer(size)?,
    };
    client.keep(fd, None);
    Ok(())
}

/// Makes an ioctl of a random number, direction and size. Its argument holds values that could be numbers and
/// addresses.
pub(super) fn any_ioctl(client: &mut Client<'_>) -> Answer {
    let Some(chosen) = client.any(Class::File) else { return Err(Errno::BADF) };
    let known: Vec<_> = table::known().collect();
    let number = match client.random.u8(..4) {
        // DRM looks up its own ioctls by the last byte, whatever the size.
        0 => {
            let numbers: Vec<_> = (0..=u8::MAX).filter(|number| !table::asks_for_much(*number)).collect();
            let number = numbers[client.random.usize(..numbers.len())];
            ioc(client.random.u32(..4), DRM, number, client.random.usize(..128))
        }
        1 => {
            ioc(client.random.u32(..4), client.random.u8(..), client.random.u8(0xe0..), client.random.usize(..1 << 14))
        }
        _ => {
            let number = known[client.random.usize(..known.len())];
            let size = (ioc_size(number) as isize + client.random.isize(-1..2) * 8).max(0) as usize;
            ioc(client.random.u32(..4), DRM, (number & 0xff) as u8, size)
        }
    };
    client.window.begin();
    let there = client.window.put(&[0; 64]);
    let bad = client.window.bad_addresses();
    let mut word = || match client.random.u8(..8) {
        0 => bad[client.random.usize(..bad.len())],
        1 => there,
        _ => client.random.usize(..64),
    };
    let bytes: Vec<u8> = (0..ioc_size(number).div_ceil(8)).flat_map(|_| word().to_ne_bytes()).collect();
    let address = client.window.put(&bytes);
    // SAFETY: every value that could be an address is in the window, or cannot be used at all.
    unsafe { sys::ioctl_raw(client.files[chosen].as_fd(), number, address) }.map(drop)
}
