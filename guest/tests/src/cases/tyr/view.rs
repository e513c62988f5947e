// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The GPU's view of its address spaces, as its model reports it.
//!
//! Source: `enum drm_panthor_vm_bind_op_flags` in `include/uapi/drm/panthor_drm.h`; `panthor_gpuva_sm_step_remap` in
//! `drivers/gpu/drm/panthor/panthor_mmu.c` (Linux 7.3).

use uapi::PAGE;
use uapi::tyr::*;

use crate::harness::check::{Outcome, fail};
use crate::subjects::guest::Guest;
use crate::subjects::tyr::reference::rights;
use crate::subjects::tyr::view::{Met, Run, Vm};
use crate::subjects::tyr::{Gpu, Op, TyrFile};
use crate::{holds, same, works};

crate::cases::cases! {
    "tyr_view" for Tyr:
    new_vm_is_empty, pages_are_where_they_were_put, offsets_count_from_the_object, flags_are_rights, last_flags_count,
    hole_in_the_middle, unmap_cuts_off_the_ends_of_a_mapping, map_replaces_the_middle_of_a_mapping,
    map_replaces_several_mappings, same_map_again_changes_nothing, unmap_spans_mappings_and_holes,
    sparse_is_readable_everywhere, sparse_is_replaced_and_replaces, sparse_over_blocks, sparse_is_made_of_blocks,
    first_and_last_address, around_a_gigabyte, blocks_are_used, hole_in_a_block, page_of_a_block_replaced,
    block_replaced_by_pages, destroyed_vm_is_not_seen, vms_do_not_see_each_other,
    more_vms_than_the_gpu_has_spaces within 60, gpu_reads_and_writes,
}

const P: u64 = PAGE as u64;
const VA: u64 = 0x4000_0000;
/// Pages of a block.
const BLOCK: u64 = 512;

/// Runs a case with a file and a VM of the GPU.
pub(super) fn with_vm(guest: &Guest, story: impl FnOnce(&TyrFile, &Vm<'_>) -> Outcome) -> Outcome {
    let gpu = Gpu::ready(guest)?;
    let file = gpu.open()?;
    let vm = Vm::new(&gpu, &file)?;
    story(&file, &vm)
}

fn new_vm_is_empty(guest: &Guest) -> Outcome {
    with_vm(guest, |_, vm| {
        vm.shows(0, 1 << 38, &[])?;
        vm.shows(VA, P, &[])
    })
}

fn pages_are_where_they_were_put(guest: &Guest) -> Outcome {
    with_vm(guest, |file, vm| {
        let bo = file.numbered_bo(8, 0x100)?;
        works!(vm.bind(&[Op::map(bo, 0, VA, 8 * P)]));
        vm.shows(VA - 16 * P, 64 * P, &[(VA, 0x100, 8)])?;
        works!(vm.bind(&[Op::unmap(VA, 8 * P)]));
        vm.shows(VA - 16 * P, 64 * P, &[])
    })
}

fn offsets_count_from_the_object(guest: &Guest) -> Outcome {
    with_vm(guest, |file, vm| {
        let bo = file.numbered_bo(8, 0x100)?;
        let map = |page: u64, at: u64, pages: u64| Op::map(bo, page * P, VA + at * P, pages * P);
        works!(vm.bind(&[map(5, 0, 3), map(0, 10, 1), map(7, 11, 1), map(2, 20, 4)]));
        let wanted = [(VA, 0x105, 3), (VA + 10 * P, 0x100, 1), (VA + 11 * P, 0x107, 1), (VA + 20 * P, 0x102, 4)];
        vm.shows(VA, 64 * P, &wanted)
    })
}

/// Returns the only run, or fails if there is not exactly one.
fn only(runs: &[Run]) -> Outcome<Run> {
    match runs {
        [run] => Ok(*run),
        runs => fail(format!("one run of pages, not {runs:x?}")),
    }
}

/// All eight combinations of flags give the rights that they describe, each on a page of its own.
fn flags_are_rights(guest: &Guest) -> Outcome {
    with_vm(guest, |file, vm| {
        let bo = file.numbered_bo(2, 0x100)?;
        for flags in 0..8 {
            let va = VA + u64::from(flags) * 16 * P;
            works!(vm.bind(&[Op::map(bo, 0, va, 2 * P).with(flags)]));
            same!(only(&vm.runs(va, 2 * P)?)?.rights, rights(flags));
        }
        Ok(())
    })
}

/// When the same pages are mapped again with other flags, the last flags apply.
fn last_flags_count(guest: &Guest) -> Outcome {
    with_vm(guest, |file, vm| {
        let bo = file.numbered_bo(2, 0x100)?;
        for flags in [7, 0, 1, 2, 4, 6, 0] {
            works!(vm.bind(&[Op::map(bo, 0, VA, 2 * P).with(flags)]));
            same!(only(&vm.runs(VA, 2 * P)?)?.rights, rights(flags));
        }
        Ok(())
    })
}

fn hole_in_the_middle(guest: &Guest) -> Outcome {
    with_vm(guest, |file, vm| {
        let bo = file.numbered_bo(16, 0x100)?;
        works!(vm.bind(&[Op::map(bo, 0, VA, 16 * P).with(MAP_READONLY), Op::unmap(VA + 5 * P, 2 * P)]));
        vm.shows(VA, 32 * P, &[(VA, 0x100, 5), (VA + 7 * P, 0x107, 9)])?;
        let runs = vm.runs(VA, 32 * P)?;
        holds!(runs.iter().all(|run| run.rights == rights(MAP_READONLY)), "what is left is as it was: {runs:x?}");
        Ok(())
    })
}

fn unmap_cuts_off_the_ends_of_a_mapping(guest: &Guest) -> Outcome {
    with_vm(guest, |file, vm| {
        let bo = file.numbered_bo(16, 0x100)?;
        works!(vm.bind(&[Op::map(bo, 0, VA, 16 * P)]));
        works!(vm.bind(&[Op::unmap(VA - 4 * P, 6 * P)]));
        vm.shows(VA - 8 * P, 64 * P, &[(VA + 2 * P, 0x102, 14)])?;
        works!(vm.bind(&[Op::unmap(VA + 12 * P, 40 * P)]));
        vm.shows(VA - 8 * P, 64 * P, &[(VA + 2 * P, 0x102, 10)])
    })
}

/// A mapping within another one replaces its middle; the parts on both sides stay.
fn map_replaces_the_middle_of_a_mapping(guest: &Guest) -> Outcome {
    with_vm(guest, |file, vm| {
        let (one, two) = (file.numbered_bo(16, 0x100)?, file.numbered_bo(4, 0x200)?);
        works!(vm.bind(&[Op::map(one, 0, VA, 16 * P)]));
        works!(vm.bind(&[Op::map(two, 0, VA + 6 * P, 4 * P)]));
        vm.shows(VA, 32 * P, &[(VA, 0x100, 6), (VA + 6 * P, 0x200, 4), (VA + 10 * P, 0x10a, 6)])
    })
}

fn map_replaces_several_mappings(guest: &Guest) -> Outcome {
    with_vm(guest, |file, vm| {
        let (one, two) = (file.numbered_bo(16, 0x100)?, file.numbered_bo(20, 0x200)?);
        let small = (0..8).map(|at| Op::map(one, at * 2 * P, VA + at * 4 * P, 2 * P));
        works!(vm.bind(&small.collect::<Vec<_>>()));
        works!(vm.bind(&[Op::map(two, 0, VA + 5 * P, 20 * P)]));
        let wanted = [
            (VA, 0x100, 2),
            (VA + 4 * P, 0x102, 1),
            (VA + 5 * P, 0x200, 20),
            (VA + 25 * P, 0x10d, 1),
            (VA + 28 * P, 0x10e, 2),
        ];
        vm.shows(VA, 64 * P, &wanted)
    })
}

/// Mapping the same pages again changes nothing.
fn same_map_again_changes_nothing(guest: &Guest) -> Outcome {
    with_vm(guest, |file, vm| {
        let bo = file.numbered_bo(16, 0x100)?;
        for _ in 0..5 {
            works!(vm.bind(&[Op::map(bo, 0, VA, 16 * P), Op::map(bo, 3 * P, VA + 3 * P, 4 * P)]));
            vm.shows(VA, 32 * P, &[(VA, 0x100, 16)])?;
        }
        Ok(())
    })
}

/// A range with several mappings and holes can be unmapped at once.
fn unmap_spans_mappings_and_holes(guest: &Guest) -> Outcome {
    with_vm(guest, |file, vm| {
        let bo = file.numbered_bo(16, 0x100)?;
        let far = VA + (3 << 30);
        works!(vm.bind(&[Op::map(bo, 0, VA, 4 * P), Op::map(bo, 0, VA + 600 * P, 4 * P), Op::map(bo, 0, far, 4 * P)]));
        works!(vm.bind(&[Op::unmap(VA + P, far - VA)]));
        vm.shows(VA, 8 << 30, &[(VA, 0x100, 1), (far + P, 0x101, 3)])
    })
}

/// Checks that a sparse mapping covers every page of the range, and no page beside it.
fn sparse_covers(vm: &Vm<'_>, va: u64, pages: u64, wanted: u32) -> Outcome {
    let runs = vm.runs(va - 16 * P, (pages + 32) * P)?;
    let mut next = va;
    for run in &runs {
        holds!(run.va == next && run.rights == wanted, "sparse pages follow each other: {runs:x?}");
        next += run.pages * P;
    }
    same!(next, va + pages * P);
    Ok(())
}

/// Returns how many of `count` pages the GPU can read.
fn pages(vm: &Vm<'_>, va: u64, count: u64) -> Outcome<u64> {
    Ok(vm.runs(va, count * P)?.iter().map(|run| run.pages).sum())
}

fn sparse_is_readable_everywhere(guest: &Guest) -> Outcome {
    with_vm(guest, |_, vm| {
        for flags in [0, MAP_READONLY, MAP_UNCACHED] {
            works!(vm.bind(&[Op::sparse(VA, 100 * P).with(flags)]));
            sparse_covers(vm, VA, 100, rights(MAP_NOEXEC | flags))?;
        }
        for page in [0, 50, 99] {
            same!(vm.access(VA + page * P, "read")?, Met::Memory);
        }
        works!(vm.bind(&[Op::unmap(VA, 100 * P)]));
        vm.shows(VA, 100 * P, &[])
    })
}

/// A part of a sparse range gets an object, and becomes sparse again.
fn sparse_is_replaced_and_replaces(guest: &Guest) -> Outcome {
    with_vm(guest, |file, vm| {
        let bo = file.numbered_bo(8, 0x100)?;
        works!(vm.bind(&[Op::sparse(VA, 64 * P), Op::map(bo, 0, VA + 16 * P, 8 * P)]));
        vm.shows(VA + 16 * P, 8 * P, &[(VA + 16 * P, 0x100, 8)])?;
        same!(pages(vm, VA, 16)?, 16);
        same!(pages(vm, VA + 24 * P, 40)?, 40);
        works!(vm.bind(&[Op::sparse(VA + 18 * P, 2 * P)]));
        vm.shows(VA + 16 * P, 2 * P, &[(VA + 16 * P, 0x100, 2)])?;
        vm.shows(VA + 20 * P, 4 * P, &[(VA + 20 * P, 0x104, 4)])?;
        holds!(vm.runs(VA + 18 * P, 2 * P)?.iter().all(|run| run.word == 0), "two pages are sparse again");
        Ok(())
    })
}

/// A sparse range can be longer than the memory behind it, from the middle of a block to the middle of another, and can
/// get a hole.
fn sparse_over_blocks(guest: &Guest) -> Outcome {
    with_vm(guest, |_, vm| {
        let va = VA + 100 * P;
        works!(vm.bind(&[Op::sparse(va, 2000 * P)]));
        sparse_covers(vm, va, 2000, rights(MAP_NOEXEC))?;
        works!(vm.bind(&[Op::unmap(va + 700 * P, 600 * P)]));
        vm.shows(va + 700 * P, 600 * P, &[])?;
        same!([pages(vm, va, 700)?, pages(vm, va + 1300 * P, 700)?], [700; 2]);
        Ok(())
    })
}

/// A sparse gibibyte with an end in the middle of a block takes as many entries as blocks.
fn sparse_is_made_of_blocks(guest: &Guest) -> Outcome {
    with_vm(guest, |_, vm| {
        let (va, size) = (4 << 30, (1 << 30) + 8 * P);
        works!(vm.bind(&[Op::sparse(va, size)]));
        let mut levels: Vec<_> = vm.runs(va, size)?.iter().map(|run| run.level).collect();
        levels.dedup();
        same!(levels, [2, 3]);
        works!(vm.bind(&[Op::unmap(va + 3 * P, P)]));
        same!([pages(vm, va, 3)?, pages(vm, va + 4 * P, 508)?], [3, 508]);
        works!(vm.bind(&[Op::unmap(va, size)]));
        vm.shows(va, size, &[])
    })
}

/// Address zero can be mapped, and so can the last page of the client's range.
fn first_and_last_address(guest: &Guest) -> Outcome {
    let gpu = Gpu::ready(guest)?;
    let file = gpu.open()?;
    let vm = Vm::new(&gpu, &file)?;
    let end = works!(file.vm_create_of(0)).user_va_range;
    let bo = file.numbered_bo(2, 0x100)?;
    works!(vm.bind(&[Op::map(bo, 0, 0, 2 * P), Op::map(bo, 0, end - 2 * P, 2 * P)]));
    vm.shows(0, 16 * P, &[(0, 0x100, 2)])?;
    vm.shows(end - 16 * P, 32 * P, &[(end - 2 * P, 0x100, 2)])?;
    works!(vm.bind(&[Op::unmap(0, P), Op::unmap(end - P, P)]));
    vm.shows(0, 16 * P, &[(P, 0x101, 1)])?;
    vm.shows(end - 16 * P, 32 * P, &[(end - 2 * P, 0x100, 1)])
}

/// One mapping can span tables of different parents, on each level.
fn around_a_gigabyte(guest: &Guest) -> Outcome {
    with_vm(guest, |file, vm| {
        let bo = file.numbered_bo(16, 0x100)?;
        for border in [2 << 20, 1 << 30, 512 << 30] {
            let va = border - 8 * P;
            works!(vm.bind(&[Op::map(bo, 0, va, 16 * P)]));
            vm.shows(va - 8 * P, 64 * P, &[(va, 0x100, 16)])?;
            works!(vm.bind(&[Op::unmap(border - P, 2 * P)]));
            vm.shows(va - 8 * P, 64 * P, &[(va, 0x100, 7), (border + P, 0x109, 7)])?;
        }
        Ok(())
    })
}

/// Runs a case with an object of three blocks, mapped as blocks.
fn with_blocks(guest: &Guest, story: impl FnOnce(&TyrFile, &Vm<'_>, u32) -> Outcome) -> Outcome {
    with_vm(guest, |file, vm| {
        let bo = file.numbered_bo(3 * BLOCK, 0x1000)?;
        works!(vm.bind(&[Op::map(bo, 0, VA, 3 * BLOCK * P)]));
        vm.shows(VA - 16 * P, 4 * BLOCK * P, &[(VA, 0x1000, 3 * BLOCK)])?;
        let runs = vm.runs(VA, 3 * BLOCK * P)?;
        holds!(runs.iter().any(|run| run.level == 2), "memory in one piece is mapped as blocks: {runs:x?}");
        story(file, vm, bo)
    })
}

/// All three blocks are used; at an address that is not aligned to a block, none.
fn blocks_are_used(guest: &Guest) -> Outcome {
    with_blocks(guest, |_, vm, bo| {
        works!(vm.bind(&[Op::map(bo, 0, VA + (1 << 30) + P, 3 * BLOCK * P)]));
        let runs = vm.runs(VA + (1 << 30), 4 * BLOCK * P)?;
        holds!(runs.iter().all(|run| run.level == 3), "what does not fit a block is pages: {runs:x?}");
        vm.shows(VA + (1 << 30), 4 * BLOCK * P, &[(VA + (1 << 30) + P, 0x1000, 3 * BLOCK)])
    })
}

/// A hole can be made in a block: one page, several, the first, the last, and across two blocks.
fn hole_in_a_block(guest: &Guest) -> Outcome {
    with_blocks(guest, |_, vm, bo| {
        for (from, pages) in
            [(BLOCK + 17, 1), (0, 1), (BLOCK - 1, 1), (BLOCK, 8), (3 * BLOCK - 1, 1), (500, 600), (1, 510)]
        {
            works!(vm.bind(&[Op::unmap(VA + from * P, pages * P)]));
            let mut wanted = vec![
                (VA, 0x1000, from),
                (VA + (from + pages) * P, 0x1000 + (from + pages) as u32, 3 * BLOCK - from - pages),
            ];
            wanted.retain(|(_, _, pages)| *pages > 0);
            vm.shows(VA - 16 * P, 4 * BLOCK * P, &wanted)?;
            works!(vm.bind(&[Op::map(bo, 0, VA, 3 * BLOCK * P)]));
        }
        Ok(())
    })
}

/// A page in the middle of a block can be replaced by another object's, with other rights.
fn page_of_a_block_replaced(guest: &Guest) -> Outcome {
    with_blocks(guest, |file, vm, _| {
        let other = file.numbered_bo(1, 0x77)?;
        let at = VA + (BLOCK + 100) * P;
        works!(vm.bind(&[Op::map(other, 0, at, P).with(MAP_READONLY)]));
        let wanted = [(VA, 0x1000, BLOCK + 100), (at, 0x77, 1), (at + P, 0x1000 + BLOCK as u32 + 101, 2 * BLOCK - 101)];
        vm.shows(VA, 4 * BLOCK * P, &wanted)?;
        same!(only(&vm.runs(at, P)?)?.rights, rights(MAP_READONLY));
        same!(only(&vm.runs(at - P, P)?)?.rights, rights(0));
        Ok(())
    })
}

/// A whole block can be replaced by pages in another order, and back.
fn block_replaced_by_pages(guest: &Guest) -> Outcome {
    with_blocks(guest, |file, vm, bo| {
        let other = file.numbered_bo(BLOCK, 0x5000)?;
        let halves = [
            Op::map(other, BLOCK / 2 * P, VA + BLOCK * P, BLOCK / 2 * P),
            Op::map(other, 0, VA + BLOCK * P * 3 / 2, BLOCK / 2 * P),
        ];
        works!(vm.bind(&halves));
        let half = BLOCK / 2;
        let wanted = [
            (VA, 0x1000, BLOCK),
            (VA + BLOCK * P, 0x5000 + half as u32, half),
            (VA + (BLOCK + half) * P, 0x5000, half),
            (VA + 2 * BLOCK * P, 0x1000 + 2 * BLOCK as u32, BLOCK),
        ];
        vm.shows(VA, 4 * BLOCK * P, &wanted)?;
        works!(vm.bind(&[Op::map(bo, BLOCK * P, VA + BLOCK * P, BLOCK * P)]));
        vm.shows(VA, 4 * BLOCK * P, &[(VA, 0x1000, 3 * BLOCK)])
    })
}

/// After a VM is destroyed its address space is free, or belongs to another VM.
fn destroyed_vm_is_not_seen(guest: &Guest) -> Outcome {
    let gpu = Gpu::ready(guest)?;
    let file = gpu.open()?;
    let vm = Vm::new(&gpu, &file)?;
    let space = vm.space()?;
    works!(file.vm_destroy(vm.id));
    same!(vm.find()?, None);
    holds!(!gpu.spaces()?.contains(&space), "space {space} has no tables");
    Ok(())
}

fn vms_do_not_see_each_other(guest: &Guest) -> Outcome {
    let gpu = Gpu::ready(guest)?;
    let (file, other) = (gpu.open()?, gpu.open()?);
    let vms = [Vm::new(&gpu, &file)?, Vm::new(&gpu, &file)?, Vm::new(&gpu, &other)?];
    for (vm, first) in vms.iter().zip([0x100, 0x200, 0x300]) {
        let bo = vm.file.numbered_bo(4, first)?;
        works!(vm.bind(&[Op::map(bo, 0, VA, 4 * P)]));
    }
    works!(vms[1].bind(&[Op::unmap(VA, 2 * P)]));
    vms[0].shows(VA, 16 * P, &[(VA, 0x100, 4)])?;
    vms[1].shows(VA, 16 * P, &[(VA + 2 * P, 0x202, 2)])?;
    vms[2].shows(VA, 16 * P, &[(VA, 0x300, 4)])
}

/// With more VMs than the GPU has address spaces, each VM's view is right when it has one.
fn more_vms_than_the_gpu_has_spaces(guest: &Guest) -> Outcome {
    let gpu = Gpu::ready(guest)?;
    let file = gpu.open()?;
    let vms = (0..12).map(|_| Vm::new(&gpu, &file)).collect::<Outcome<Vec<_>>>()?;
    let bo = file.numbered_bo(64, 0x100)?;
    for (at, vm) in (0..).zip(&vms) {
        works!(vm.bind(&[Op::map(bo, at * 4 * P, VA, 4 * P)]));
    }
    let mut random = fastrand::Rng::with_seed(guest.seed);
    for _ in 0..40 {
        let at = random.usize(..vms.len());
        vms[at].shows(VA, 16 * P, &[(VA, 0x100 + 4 * at as u32, 4)])?;
    }
    holds!(gpu.spaces()?.len() <= 8, "the GPU has eight address spaces");
    Ok(())
}

/// The GPU reads and writes as the flags allow, without a fault.
fn gpu_reads_and_writes(guest: &Guest) -> Outcome {
    with_vm(guest, |file, vm| {
        let bo = file.numbered_bo(2, 0x100)?;
        works!(vm.bind(&[Op::map(bo, 0, VA, 2 * P)]));
        let mapping = works!(file.bo_map(bo, 2 * PAGE));
        for kind in ["read", "execute", "write"] {
            same!(mapping.read(PAGE), 0x101);
            // The GPU writes a single byte, 1.
            mapping.write(PAGE, if kind == "write" { 0x1ff } else { 0x101 });
            same!(vm.access(VA + P, kind)?, Met::Memory);
        }
        same!(mapping.read(PAGE), 0x101);
        same!(works!(file.vm_state(vm.id)), USABLE);
        Ok(())
    })
}
