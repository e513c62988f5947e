// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The rows of tyr: the cost of mapping memory for a GPU, and of queries.
//!
//! Buffers are mapped page by page where their virtual addresses are one page off a block's, and by blocks of 2 MiB
//! where memory and addresses both begin a block. The driver does not report whether it used blocks, so the lab asks
//! the GPU while [`hold`] waits.
//!
//! Source: `include/uapi/drm/panthor_drm.h` (Linux 7.3).

use std::cell::Cell;
use std::fs::File;
use std::io::{Error, Result, Write, stdin, stdout};

use crate::measure::{Repeat, median, quartiles_of_both, report};
use crate::node::{find, ioctl, open};
use crate::uapi::GemClose;
use crate::uapi::panthor::{BoCreate, DevQuery, GpuInfo, Op, VmBind, VmCreate, VmDestroy};

/// The driver's DRM name.
pub(crate) const DRIVER: &str = "panthor";

const PAGE: u64 = 4096;
const BLOCK: u64 = 2 << 20;
const GIB: u64 = 1 << 30;

/// The number of blocks of the buffer that is mapped by blocks, all in one call.
const BLOCKS: u64 = 16;

/// The address of the mapping: the beginning of a gigabyte.
const BASE: u64 = 4 * GIB;

/// The setting of huge pages for the kernel's internal shared memory mount.
const HUGE: &str = "/sys/kernel/mm/transparent_hugepage/shmem_enabled";

/// Measures and reports all rows.
pub(crate) fn all() -> Result<()> {
    let client = Client::new()?;
    let row = |name: &str, number: f64| report(name, "tyr", number);
    row("DEV_QUERY, the size of GPU_INFO", median(Repeat::LIGHT, || client.query(&mut DevQuery::size()))?)?;
    let mut info = GpuInfo::default();
    row("DEV_QUERY, GPU_INFO", median(Repeat::LIGHT, || client.query(&mut DevQuery::gpu_info(&mut info)))?)?;
    let id = Cell::new(0);
    let (create, destroy) =
        quartiles_of_both(|| Client::vm(&client.card).map(|vm| id.set(vm)), || client.destroy(id.get()))?;
    row("VM_CREATE", create)?;
    row("VM_DESTROY", destroy)?;
    row("BO_CREATE + close, a page", median(Repeat::HEAVY, || client.close(client.buffer(PAGE)?))?)?;

    let buffer = client.buffer(BLOCKS * BLOCK)?;
    client.map(buffer, BASE, BLOCKS * BLOCK)?;
    client.unmap(BASE, BLOCKS * BLOCK)?;
    for (name, va, size) in [
        ("a page", BASE + PAGE, PAGE),
        ("512 pages", BASE + PAGE, BLOCK),
        ("a block", BASE, BLOCK),
        ("16 blocks", BASE, BLOCKS * BLOCK),
    ] {
        let (map, unmap) = client.costs(buffer, va, size)?;
        row(&format!("VM_BIND map, {name}"), map)?;
        row(&format!("VM_BIND unmap, {name}"), unmap)?;
    }
    client.close(buffer)
}

/// Maps a GiB by pages or by blocks, prints `holding`, and waits for the end of its input.
pub(crate) fn hold(how: &str) -> Result<()> {
    let client = Client::new()?;
    let beside = match how {
        "pages" => PAGE,
        "blocks" => 0,
        _ => return Err(Error::other("usage: drydock-bench hold pages | blocks")),
    };
    let buffer = client.buffer(BLOCK)?;
    for at in 0..GIB / BLOCK {
        client.map(buffer, BASE + beside + at * BLOCK, BLOCK)?;
    }
    println!("holding");
    stdout().flush()?;
    stdin().read_line(&mut String::new()).map(drop)
}

/// A file of the device with a VM.
struct Client {
    card: File,
    vm: u32,
}

impl Client {
    fn new() -> Result<Self> {
        // Without this setting the kernel gives a buffer single pages, and no driver could map blocks.
        std::fs::write(HUGE, "force")?;
        let card = open(&find(DRIVER)?)?;
        let vm = Self::vm(&card)?;
        Ok(Self { card, vm })
    }

    fn vm(card: &File) -> Result<u32> {
        let mut create = VmCreate::default();
        ioctl(card, &mut create)?;
        Ok(create.id)
    }

    fn destroy(&self, id: u32) -> Result<()> {
        ioctl(&self.card, &mut VmDestroy { id, pad: 0 })
    }

    fn query(&self, query: &mut DevQuery) -> Result<()> {
        ioctl(&self.card, query)
    }

    fn buffer(&self, size: u64) -> Result<u32> {
        let mut create = BoCreate { size, ..BoCreate::default() };
        ioctl(&self.card, &mut create)?;
        Ok(create.handle)
    }

    fn close(&self, handle: u32) -> Result<()> {
        ioctl(&self.card, &mut GemClose { handle, pad: 0 })
    }

    fn map(&self, handle: u32, va: u64, size: u64) -> Result<()> {
        let op = Op::map(handle, va, size);
        ioctl(&self.card, &mut VmBind::new(self.vm, std::slice::from_ref(&op)))
    }

    fn unmap(&self, va: u64, size: u64) -> Result<()> {
        let op = Op::unmap(va, size);
        ioctl(&self.card, &mut VmBind::new(self.vm, std::slice::from_ref(&op)))
    }

    /// Returns the costs of mapping and of unmapping, each in one call.
    fn costs(&self, handle: u32, va: u64, size: u64) -> Result<(f64, f64)> {
        quartiles_of_both(|| self.map(handle, va, size), || self.unmap(va, size))
    }
}
