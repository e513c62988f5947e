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

use uapi::tyr::*;
use uapi::{GEM_CLOSE, GemClose};

use crate::measure::{Repeat, median, quartiles_of_both, report};
use crate::node::{find, ioctl, open};

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
    row("DEV_QUERY, the size of GPU_INFO", median(Repeat::LIGHT, || client.query(None))?)?;
    let mut info = GpuInfo::default();
    row("DEV_QUERY, GPU_INFO", median(Repeat::LIGHT, || client.query(Some(&mut info)))?)?;
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
        ioctl(card, &VM_CREATE, &mut create)?;
        Ok(create.id)
    }

    fn destroy(&self, id: u32) -> Result<()> {
        ioctl(&self.card, &VM_DESTROY, &mut VmDestroy { id, pad: 0 })
    }

    /// Queries `GPU_INFO`, or with `None` its size.
    fn query(&self, into: Option<&mut GpuInfo>) -> Result<()> {
        let mut query = DevQuery { kind: QUERY_GPU, ..DevQuery::default() };
        if let Some(info) = into {
            (query.size, query.pointer) = (size_of::<GpuInfo>() as u32, std::ptr::from_mut(info) as u64);
        }
        // SAFETY: the address is null, or that of as many bytes as the structure says, borrowed during the call.
        unsafe { sys::ioctl_pointing(&self.card, &DEV_QUERY, &mut query) }?;
        Ok(())
    }

    fn buffer(&self, size: u64) -> Result<u32> {
        let mut create = BoCreate { size, ..BoCreate::default() };
        ioctl(&self.card, &BO_CREATE, &mut create)?;
        Ok(create.handle)
    }

    fn close(&self, handle: u32) -> Result<()> {
        ioctl(&self.card, &GEM_CLOSE, &mut GemClose { handle, pad: 0 })
    }

    /// Maps the beginning of a buffer.
    fn map(&self, handle: u32, va: u64, size: u64) -> Result<()> {
        self.bind(&VmBindOp { flags: OP_MAP, bo_handle: handle, va, size, ..VmBindOp::default() })
    }

    fn unmap(&self, va: u64, size: u64) -> Result<()> {
        self.bind(&VmBindOp { flags: OP_UNMAP, va, size, ..VmBindOp::default() })
    }

    /// Executes one operation, before the call returns.
    fn bind(&self, op: &VmBindOp) -> Result<()> {
        let array = std::ptr::from_ref(op) as u64;
        let ops = ObjArray { stride: size_of::<VmBindOp>() as u32, count: 1, array };
        let mut bind = VmBind { vm_id: self.vm, flags: 0, ops };
        // SAFETY: the address is that of the one operation, which is borrowed during the call and points to nothing.
        unsafe { sys::ioctl_pointing(&self.card, &VM_BIND, &mut bind) }?;
        Ok(())
    }

    /// Returns the costs of mapping and of unmapping, each in one call.
    fn costs(&self, handle: u32, va: u64, size: u64) -> Result<(f64, f64)> {
        quartiles_of_both(|| self.map(handle, va, size), || self.unmap(va, size))
    }
}
