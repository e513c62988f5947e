// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Shared buffers, and mappings of a node and of a dma-buf, with the first touch of their pages.
//!
//! Source: drivers/gpu/drm/drm_prime.c, drm_gem_shmem_helper.c, drivers/dma-buf/dma-buf.c, mm/memory.c (Linux 7.3).

use std::os::fd::OwnedFd;

use rustix::io::Errno;
use sys::{Answer, Mapping};
use uapi::{CLOEXEC, PAGE, RDWR, SYNC_END, SYNC_READ, SYNC_WRITE};

use super::operation::{Client, FAULT, MMAP, NODES, NUMBERS, Operation, close};
use crate::harness::check::Outcome;
use crate::subjects::device::{self, DrmFile};
use crate::{same, works};

/// PRIME in both directions, and the calls of a dma-buf and a sync file.
pub(crate) fn buffers<F: Client>() -> Vec<Operation<F>> {
    [own(), foreign(), of_buffers()].into_iter().flatten().collect()
}

/// PRIME in both directions, with the device's own buffers.
pub(crate) fn own<F: Client>() -> Vec<Operation<F>> {
    vec![
        Operation::new(
            "PRIME_HANDLE_TO_FD",
            |file: &F| Ok((works!(file.object()), None)),
            |file, (handle, made)| {
                *made = Some(file.file().export(*handle, RDWR | CLOEXEC)?);
                Ok(())
            },
            |file, (handle, _), _| close(file, handle),
        ),
        import("PRIME_FD_TO_HANDLE of another file's", |file: &F| {
            let other = file.another()?;
            let handle = works!(other.object());
            Ok(works!(other.file().export(handle, RDWR | CLOEXEC)))
        }),
    ]
}

fn foreign<F: Client>() -> Vec<Operation<F>> {
    vec![
        import("PRIME_FD_TO_HANDLE of a memfd's", |_: &F| {
            Ok(works!(device::udmabuf(&works!(sys::memory_file(PAGE)), PAGE)))
        }),
        import("PRIME_FD_TO_HANDLE of a heap's", |_: &F| Ok(works!(device::heap_buffer(PAGE)))),
    ]
}

fn of_buffers<F: Client>() -> Vec<Operation<F>> {
    vec![
        on_buffer("DMA_BUF_SYNC", |buffer| {
            device::dma_buf_sync(buffer, SYNC_READ | SYNC_WRITE)?;
            device::dma_buf_sync(buffer, SYNC_READ | SYNC_WRITE | SYNC_END)
        }),
        on_sync_file("SYNC_IOC_FILE_INFO", |fence| device::fence_of(fence).map(drop)),
        on_sync_file("SYNC_IOC_SET_DEADLINE", |fence| device::set_deadline(fence, 1)),
        on_buffer("DMA_BUF_EXPORT_SYNC_FILE", |buffer| device::export_sync_file(buffer, SYNC_WRITE).map(drop)),
        Operation::new(
            "DMA_BUF_SET_NAME",
            exported,
            |_: &F, (_, buffer)| device::dma_buf_name(buffer, c"sweep"),
            |file, (handle, buffer), done| {
                same!(device::fdinfo(&buffer)?.contains("sweep"), done);
                close(file, handle)
            },
        ),
        Operation::new(
            "SYNC_IOC_MERGE",
            |file: &F| {
                let (handle, buffer) = exported(file)?;
                let fences = [(); 2].map(|()| device::export_sync_file(&buffer, SYNC_WRITE));
                let [one, other] = fences;
                Ok((handle, works!(one), works!(other)))
            },
            |_, (_, one, other)| device::merge(one, other).map(drop),
            |file, (handle, ..), _| close(file, handle),
        ),
        Operation::new(
            "DMA_BUF_IMPORT_SYNC_FILE",
            |file: &F| {
                let (handle, buffer) = exported(file)?;
                let fence = works!(device::export_sync_file(&buffer, SYNC_WRITE));
                Ok((handle, buffer, fence))
            },
            |_, (_, buffer, fence)| device::import_sync_file(buffer, SYNC_WRITE, fence),
            |file, (handle, ..), _| close(file, handle),
        ),
    ]
}

/// Describes an import. A failure leaves the buffer with as many users as before.
fn import<F: Client>(name: &'static str, make: impl Fn(&F) -> Outcome<OwnedFd> + 'static) -> Operation<F> {
    Operation::new(
        name,
        move |file: &F| {
            let buffer = make(file)?;
            let told = device::fdinfo(&buffer)?;
            Ok((buffer, told, 0))
        },
        |file, (buffer, _, made)| {
            *made = file.file().import(buffer)?;
            Ok(())
        },
        |file, (buffer, told, made), done| {
            if done {
                close(file, made)?;
            }
            same!(device::fdinfo(&buffer)?, told);
            Ok(())
        },
    )
    .stands(&[NUMBERS])
}

/// Creates an object and exports it.
fn exported<F: Client>(file: &F) -> Outcome<(u32, OwnedFd)> {
    let handle = works!(file.object());
    Ok((handle, works!(file.file().export(handle, RDWR | CLOEXEC))))
}

/// Describes an operation on a dma-buf that needs no undoing.
fn on_buffer<F: Client>(name: &'static str, run: impl Fn(&OwnedFd) -> Answer + 'static) -> Operation<F> {
    Operation::new(name, exported, move |_: &F, (_, buffer)| run(buffer), |file, (handle, _), _| close(file, handle))
}

/// Describes an operation on a sync file that needs no undoing.
fn on_sync_file<F: Client>(name: &'static str, run: impl Fn(&OwnedFd) -> Answer + 'static) -> Operation<F> {
    let before = |file: &F| {
        let (handle, buffer) = exported(file)?;
        Ok((handle, works!(device::export_sync_file(&buffer, SYNC_WRITE))))
    };
    Operation::new(name, before, move |_, (_, fence)| run(fence), |file, (handle, _), _| close(file, handle))
}

/// More pages than one page table of the processor spans, so that they need a table of their own.
const PAGES: u32 = 1024;
/// A page whose table belongs to the mapping alone, wherever in a table the mapping begins.
const INSIDE: usize = 511 * PAGE;

/// Maps a node and a dma-buf, and touches them for the first time. `make` makes an object of the given number of pages.
pub(crate) fn mappings<F: Client>(
    make: fn(&F, u32) -> Answer<u32>,
    offset: fn(&F, u32) -> Answer<u64>,
) -> Vec<Operation<F>> {
    let of_node = move |file: &F, pages| {
        let handle = works!(make(file, pages));
        Ok((handle, None, works!(offset(file, handle)), None))
    };
    let of_buffer = move |file: &F, pages| {
        let handle = works!(make(file, pages));
        Ok((handle, Some(works!(file.file().export(handle, RDWR | CLOEXEC))), 0, None))
    };
    vec![
        map("mmap of a node", of_node),
        map("mmap of a dma-buf", of_buffer),
        touch("first write to a mapping of a node", of_node, |mapping, memory| mapping.fill_at(INSIDE, memory, 8)),
        touch("first read of a mapping of a node", of_node, |mapping, memory| mapping.give_from(INSIDE, memory, 8)),
        touch("first write to a mapping of a dma-buf", of_buffer, |mapping, memory| mapping.fill_at(INSIDE, memory, 8)),
    ]
}

/// A handle, the dma-buf if it is mapped through one, the offset, and the mapping.
type Mapped = (u32, Option<OwnedFd>, u64, Option<Mapping>);

fn map<F: Client>(name: &'static str, before: impl Fn(&F, u32) -> Outcome<Mapped> + 'static) -> Operation<F> {
    Operation::new(
        name,
        move |file: &F| before(file, 2),
        |file, (_, buffer, offset, mapping)| {
            *mapping = Some(mapped(file.file(), buffer.as_ref(), *offset, 2)?);
            Ok(())
        },
        |file, (handle, buffer, _, mapping), _| {
            if let Some(mapping) = mapping {
                mapping.write(PAGE, 7);
                same!((mapping.read(0), mapping.read(PAGE)), (0, 7));
            }
            drop(buffer);
            close(file, handle)
        },
    )
    .within(MMAP)
    .stands(&[NODES])
}

fn mapped(file: &DrmFile, buffer: Option<&OwnedFd>, offset: u64, pages: u32) -> Answer<Mapping> {
    let len = pages as usize * PAGE;
    match buffer {
        Some(buffer) => Mapping::shared(buffer, offset, len),
        None => Mapping::shared(file, offset, len),
    }
}

/// Describes a first touch. The kernel touches the page for the process, so that a fault that fails is an answer:
/// `EFAULT`.
fn touch<F: Client>(
    name: &'static str,
    before: impl Fn(&F, u32) -> Outcome<Mapped> + 'static,
    run: fn(&Mapping, &OwnedFd) -> Answer<usize>,
) -> Operation<F> {
    Operation::new(
        name,
        move |file: &F| {
            let (handle, buffer, offset, _) = before(file, PAGES)?;
            let mapping = works!(mapped(file.file(), buffer.as_ref(), offset, PAGES));
            let memory = works!(sys::memory_file(PAGE));
            works!(rustix::io::pwrite(&memory, &[7; 8], 0));
            Ok((handle, buffer, mapping, memory))
        },
        move |_, (_, _, mapping, memory)| run(mapping, memory).map(drop),
        |file, (handle, buffer, mapping, _), _| {
            mapping.write(INSIDE + PAGE, 5);
            same!(mapping.read(INSIDE + PAGE), 5);
            drop((buffer, mapping));
            close(file, handle)
        },
    )
    .within(FAULT)
    .wants(&[Errno::FAULT])
}
