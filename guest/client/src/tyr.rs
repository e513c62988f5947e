// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Uses a Mali through panthor's uapi: queries its properties, and maps a buffer for processor and GPU.
//!
//! Source: `include/uapi/drm/panthor_drm.h`.

use std::os::fd::AsFd;

use anyhow::{Context, ensure};
use drm::Device;
use memmap2::{MmapMut, MmapOptions};
use rustix::io::Errno;
use rustix::ioctl::{Opcode, Updater, ioctl};
use uapi::tyr::*;

use crate::card::Card;
use crate::{hold, pattern};

/// The driver's DRM name.
pub(crate) const DRIVER: &str = "panthor";

/// The GPU's address of the buffer.
const VA: u64 = 0x1000_0000;

/// The buffer's size in bytes.
const SIZE: u64 = 3 * 4096;

/// Bytes of a page. The first bytes of each page are shown.
const PAGE: usize = 4096;
const BEGINNING: usize = 16;

/// Calls an ioctl.
fn call<const NUMBER: Opcode, T>(card: &Card, argument: &mut T) -> Result<(), Errno> {
    // SAFETY: number and structure belong together, as in the header. Memory that a structure points to has the length
    // that it gives and outlives the call, as every caller here makes sure.
    unsafe { ioctl(card.as_fd(), Updater::<NUMBER, _>::new(argument)) }
}

/// Queries the GPU's properties, maps a buffer for it and unmaps it.
pub(crate) fn run(card: &Card) -> anyhow::Result<()> {
    let info = info(card).context("failed to ask what the GPU is")?;
    println!("{}", describe(&info));
    let shared = Shared::new(card)?;
    shared.undo(card)?;
    println!("Unmapped it and destroyed the VM; everything went well.");
    Ok(())
}

/// Holds a file and a buffer that both sides have mapped while the device is unplugged, then reports what is left.
pub(crate) fn hold(card: Card) -> anyhow::Result<()> {
    let mut shared = Shared::new(&card)?;
    hold::wait()?;
    if let Some(at) = pattern::first_difference(&shared.memory) {
        anyhow::bail!("byte {at} of the mapping is not what was written");
    }
    shared.memory.fill(0xd0);
    println!("The mapping still held the pattern, and can be written to as before.");
    println!("{}", hold::sentence(&card.get_driver().map(drop))?);
    drop(shared);
    drop(card);
    println!("Unmapped the buffer and closed the file; everything went well.");
    Ok(())
}

fn info(card: &Card) -> Result<GpuInfo, Errno> {
    let mut info = GpuInfo::default();
    let pointer = std::ptr::from_mut(&mut info) as u64;
    call::<{ DEV_QUERY.number }, _>(
        card,
        &mut DevQuery { kind: QUERY_GPU, size: size_of::<GpuInfo>() as u32, pointer },
    )?;
    Ok(info)
}

fn describe(info: &GpuInfo) -> String {
    let id = info.gpu_id;
    format!(
        "A Mali of architecture {}.{} (id {id:#010x}) with {} shader cores; {} address spaces of {} bits.",
        id >> 28,
        id >> 24 & 0xf,
        info.shader_present.count_ones(),
        info.as_present.count_ones(),
        info.mmu_features & 0xff
    )
}

/// A buffer that processor and GPU have mapped.
struct Shared {
    vm: u32,
    memory: MmapMut,
}

impl Shared {
    fn new(card: &Card) -> anyhow::Result<Self> {
        let mut create = BoCreate { size: SIZE, ..BoCreate::default() };
        call::<{ BO_CREATE.number }, _>(card, &mut create).context("failed to create a buffer")?;
        let mut memory = map(card, create.handle, create.size)?;
        ensure!(memory.iter().all(|byte| *byte == 0), "a fresh buffer is not all zero");
        pattern::fill(&mut memory);
        println!("Created a buffer, mapped it and wrote a pattern into its {} bytes, page by page:", memory.len());
        for page in memory.chunks(PAGE) {
            let beginning: Vec<String> = page.iter().take(BEGINNING).map(|byte| format!("{byte:02x}")).collect();
            println!("  {} …", beginning.join(" "));
        }
        let mut vm = VmCreate::default();
        call::<{ VM_CREATE.number }, _>(card, &mut vm).context("failed to create a VM")?;
        let op = VmBindOp { flags: OP_MAP, bo_handle: create.handle, va: VA, size: SIZE, ..VmBindOp::default() };
        bind(card, vm.id, &op).context("failed to map the buffer for the GPU")?;
        println!("Mapped it for the GPU: VM {}, {VA:#x}.", vm.id);
        Ok(Self { vm: vm.id, memory })
    }

    fn undo(self, card: &Card) -> anyhow::Result<()> {
        let op = VmBindOp { flags: OP_UNMAP, va: VA, size: SIZE, ..VmBindOp::default() };
        bind(card, self.vm, &op).context("failed to unmap the buffer for the GPU")?;
        call::<{ VM_DESTROY.number }, _>(card, &mut VmDestroy { id: self.vm, pad: 0 })
            .context("failed to destroy the VM")
    }
}

fn map(card: &Card, handle: u32, size: u64) -> anyhow::Result<MmapMut> {
    let mut place = BoMmapOffset { handle, pad: 0, offset: 0 };
    call::<{ BO_MMAP_OFFSET.number }, _>(card, &mut place).context("failed to ask where to map the buffer")?;
    let options = MmapOptions::new().offset(place.offset).len(usize::try_from(size)?).to_owned();
    // SAFETY: the buffer has no other writer: no other program has it, and the GPU has no work.
    unsafe { options.map_mut(&card.as_fd()) }.context("failed to map the buffer")
}

fn bind(card: &Card, vm_id: u32, op: &VmBindOp) -> Result<(), Errno> {
    let ops = ObjArray { stride: size_of::<VmBindOp>() as u32, count: 1, array: std::ptr::from_ref(op) as u64 };
    call::<{ VM_BIND.number }, _>(card, &mut VmBind { vm_id, flags: 0, ops })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gpu_is_described_by_what_it_says() {
        let info = GpuInfo {
            gpu_id: 0xa867_0005,
            shader_present: 0x50005,
            as_present: 0xff,
            mmu_features: 0x2830,
            ..GpuInfo::default()
        };
        let said = "A Mali of architecture 10.8 (id 0xa8670005) with 4 shader cores; 8 address spaces of 48 bits.";
        assert_eq!(describe(&info), said);
    }
}
