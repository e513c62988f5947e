// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The device is unbound and bound while clients hold files, VMs, objects, mappings and fences (L5, L6, L11).
//!
//! Source: `Documentation/gpu/drm-uapi.rst`, "Device Hot-Unplug"; `drivers/base/dd.c`, `drivers/pci/remove.c` (Linux
//! 7.3).

use rustix::io::Errno;
use sys::pace::patient_ms;
use sys::{BadAddress, Mapping};
use uapi::sync::AS_SYNC_FILE;
use uapi::tyr::*;
use uapi::{CLOEXEC, PAGE, RDWR};

use crate::harness::check::Outcome;
use crate::harness::modules;
use crate::subjects::device::fence_of;
use crate::subjects::driver::module_users;
use crate::subjects::guest::Guest;
use crate::subjects::pci::rescan;
use crate::subjects::tyr::view::Vm;
use crate::subjects::tyr::{Gpu, MODULE, Op, TyrFile, signal, wait};
use crate::{holds, refuses, same, works};

use super::client::a_round;
use super::queue::{Gate, ended};

crate::cases::cases! {
    "tyr_life" for Tyr:
    l6_unbind_with_everything_open, l6_function_is_removed_while_all_is_open, l6_old_file_is_dead_for_the_new_device,
    l6_mappings_keep_their_contents, repeated_bind_or_unbind_is_refused, l5_switched_off_when_unbound,
    l5_late_fence_ends_the_queued_bind, l5_unbind_fails_the_queued_bind, l11_module_is_free_without_files,
    l11_file_holds_its_module, l11_mapping_holds_its_module, l11_mapped_object_is_freed_with_the_file,
    fence_outlives_the_module, l5_unbind_disables_all_address_spaces, repeated_bind_and_unbind within 120,
    repeated_remove_and_rescan within 120,
}

const P: u64 = PAGE as u64;
const VA: u64 = 0x4000_0000;

/// Everything that a client can hold.
pub(super) struct Held {
    pub(super) file: TyrFile,
    vm: u32,
    bo: u32,
    mapping: Mapping,
    flush_id: Mapping,
    buffer: std::os::fd::OwnedFd,
}

/// Opens a client with a VM that maps two objects, a mapping of each kind, and an exported buffer.
pub(super) fn client(gpu: &Gpu) -> Outcome<Held> {
    let file = gpu.open()?;
    let vm = works!(file.vm_create());
    let bo = file.numbered_bo(8, 0x100)?;
    let own = works!(file.bo_of(4 * P, 0, vm));
    works!(file.bind(vm, &[Op::map(bo, 0, VA, 8 * P), Op::map(own, 0, VA + 64 * P, 4 * P), Op::unmap(VA + P, P)]));
    let (mapping, flush_id) = (works!(file.bo_map(bo, 8 * PAGE)), works!(file.flush_id()));
    holds!(flush_id.read(0) != 0, "the flush's number is read");
    let buffer = works!(file.0.export(bo, CLOEXEC | RDWR));
    Ok(Held { file, vm, bo, mapping, flush_id, buffer })
}

/// Checks that every ioctl of the driver and of the core fails with ENODEV, with right and wrong arguments.
pub(super) fn is_dead(held: &Held) -> Outcome {
    let Held { file, vm, bo, .. } = held;
    for number in NUMBERS {
        refuses!(sys::ioctl_bytes(&file.0, number, &mut [0; 64]), NODEV, " of {number:#x}");
        refuses!(sys::ioctl_bad(&file.0, number, BadAddress::Unmapped), NODEV, " of {number:#x}");
    }
    refuses!(file.vm_state(*vm), NODEV);
    refuses!(file.bind(*vm, &[Op::unmap(VA, P)]), NODEV);
    refuses!(file.bo_info(*bo), NODEV);
    refuses!(file.0.gem_close(*bo), NODEV);
    refuses!(file.0.version(&mut []), NODEV);
    refuses!(file.0.syncobj_create(0), NODEV);
    refuses!(file.flush_id(), NODEV);
    same!(held.flush_id.read(0), 1);
    Ok(())
}

/// Checks that memory keeps its contents.
fn contents_are_there(held: &Held) -> Outcome {
    for page in 0..8 {
        same!(held.mapping.read(page * PAGE), 0x100 + page as u32);
    }
    let again = works!(Mapping::shared(&held.buffer, 0, 8 * PAGE));
    same!(again.read(7 * PAGE), 0x107);
    Ok(())
}

fn l6_unbind_with_everything_open(guest: &Guest) -> Outcome {
    let gpu = Gpu::ready(guest)?;
    let held = client(&gpu)?;
    let nodes = [gpu.node("card")?, gpu.node("renderD")?];
    works!(gpu.unbind());
    for node in &nodes {
        refuses!(rustix::fs::stat(node), NOENT);
    }
    is_dead(&held)?;
    contents_are_there(&held)?;
    drop(held);
    works!(gpu.bind());
    client(&gpu).map(drop)
}

/// The function itself is removed, as when it is pulled out. A rescan finds it, and the driver binds automatically.
fn l6_function_is_removed_while_all_is_open(guest: &Guest) -> Outcome {
    let gpu = Gpu::ready(guest)?;
    let held = client(&gpu)?;
    works!(gpu.remove());
    holds!(Gpu::find().is_none(), "the function is off the bus");
    is_dead(&held)?;
    rescan()?;
    let gpu = Gpu::present()?;
    let second = client(&gpu)?;
    is_dead(&held)?;
    contents_are_there(&held)?;
    drop(held);
    contents_are_there(&second)?;
    a_round(&second.file)
}

/// Calls on files of the old device fail with ENODEV forever, and the files can be closed in any order.
fn l6_old_file_is_dead_for_the_new_device(guest: &Guest) -> Outcome {
    let gpu = Gpu::ready(guest)?;
    let mut held = Vec::new();
    for _ in 0..3 {
        held.push(client(&gpu)?);
        works!(gpu.unbind());
        works!(gpu.bind());
    }
    let live = client(&gpu)?;
    held.iter().try_for_each(is_dead)?;
    drop(held.remove(1));
    a_round(&live.file)?;
    is_dead(&held[0])?;
    drop(held);
    a_round(&live.file)
}

/// Mappings keep contents that were written before and after, and show each other's.
fn l6_mappings_keep_their_contents(guest: &Guest) -> Outcome {
    let gpu = Gpu::ready(guest)?;
    let held = client(&gpu)?;
    let second = works!(held.file.bo_map(held.bo, 8 * PAGE));
    held.mapping.write(8, 1);
    works!(gpu.unbind());
    contents_are_there(&held)?;
    held.mapping.write(PAGE + 8, 2);
    same!((second.read(8), second.read(PAGE + 8)), (1, 2));
    works!(gpu.bind());
    same!(second.read(PAGE + 8), 2);
    Ok(())
}

/// Unbinding a device that is not bound fails with ENODEV; binding a bound one fails with EBUSY.
fn repeated_bind_or_unbind_is_refused(guest: &Guest) -> Outcome {
    let gpu = Gpu::ready(guest)?;
    refuses!(gpu.bind(), BUSY);
    works!(gpu.unbind());
    refuses!(gpu.unbind(), NODEV);
    gpu.settle()
}

/// While bound, the function is enabled, a bus master, and its registers are claimed.
fn l5_switched_off_when_unbound(guest: &Guest) -> Outcome {
    let gpu = Gpu::ready(guest)?;
    same!(gpu.switched()?, [true; 3]);
    let held = client(&gpu)?;
    works!(gpu.unbind());
    same!(gpu.switched()?, [false; 3]);
    drop(held);
    works!(gpu.bind());
    same!(gpu.switched()?, [true; 3]);
    Ok(())
}

/// Queues a binding that waits. Returns the gate that it waits for, and its fence as a sync file.
fn something_waits(guest: &Guest, file: &TyrFile) -> Outcome<(Gate, std::os::fd::OwnedFd)> {
    let (vm, bo) = (works!(file.vm_create()), works!(file.bo(P)));
    let (gate, out) = (Gate::new(guest, file)?, works!(file.0.syncobj_create(0)));
    works!(file.bind_async(vm, &[Op::map(bo, 0, VA, P).after(&[wait(gate.handle), signal(out)])]));
    let sync_file = works!(file.0.syncobj_export(out, AS_SYNC_FILE));
    same!(works!(fence_of(&sync_file)).status, 0);
    Ok((gate, sync_file))
}

/// Checks that a fence of a device that is gone is signalled, so that nothing waits for it.
fn signalled_soon(sync_file: &std::os::fd::OwnedFd) -> Outcome {
    let events = works!(sys::poll(sync_file, rustix::event::PollFlags::IN, patient_ms(5000).into()));
    holds!(events.contains(rustix::event::PollFlags::IN), "the fence is signalled");
    Ok(())
}

/// A queued binding has ended when the fence that it waits for is signalled after the unbind.
fn l5_late_fence_ends_the_queued_bind(guest: &Guest) -> Outcome {
    let gpu = Gpu::ready(guest)?;
    let file = gpu.open()?;
    let (gate, sync_file) = something_waits(guest, &file)?;
    works!(gpu.unbind());
    works!(gate.open());
    signalled_soon(&sync_file)?;
    drop(file);
    works!(gpu.bind());
    client(&gpu).map(drop)
}

/// The unbind ends a queued binding with an error. Neither it nor a client waits for a fence that may never be
/// signalled.
fn l5_unbind_fails_the_queued_bind(guest: &Guest) -> Outcome {
    let gpu = Gpu::ready(guest)?;
    let file = gpu.open()?;
    let (gate, sync_file) = something_waits(guest, &file)?;
    works!(gpu.unbind());
    signalled_soon(&sync_file)?;
    holds!(works!(fence_of(&sync_file)).status < 0, "it ended with an error");
    drop(file);
    works!(gate.open());
    works!(gpu.bind());
    client(&gpu).map(drop)
}

/// While bound and idle, the driver's module has no users.
fn l11_module_is_free_without_files(guest: &Guest) -> Outcome {
    let gpu = Gpu::ready(guest)?;
    same!(module_users(MODULE)?, Some(0));
    works!(modules::remove(MODULE));
    same!((gpu.is_bound(), gpu.has_device()), (false, false));
    gpu.load(guest)?;
    client(&gpu).map(drop)
}

/// Unloading fails with EAGAIN until the last file is closed, whatever happens to the device meanwhile.
fn l11_file_holds_its_module(guest: &Guest) -> Outcome {
    let gpu = Gpu::ready(guest)?;
    let (one, two) = (client(&gpu)?, client(&gpu)?);
    refuses!(modules::remove(MODULE), AGAIN);
    works!(gpu.unbind());
    refuses!(modules::remove(MODULE), AGAIN);
    drop(one);
    refuses!(modules::remove(MODULE), AGAIN);
    is_dead(&two)?;
    drop(two);
    works!(modules::remove(MODULE));
    gpu.load(guest)?;
    client(&gpu).map(drop)
}

/// A mapping of an object or of the register holds the module, without the file.
fn l11_mapping_holds_its_module(guest: &Guest) -> Outcome {
    let gpu = Gpu::ready(guest)?;
    let Held { file, mapping, flush_id, buffer, .. } = client(&gpu)?;
    drop((file, buffer));
    refuses!(modules::remove(MODULE), AGAIN);
    drop(mapping);
    refuses!(modules::remove(MODULE), AGAIN);
    works!(gpu.unbind());
    drop(flush_id);
    works!(modules::remove(MODULE));
    gpu.load(guest)?;
    client(&gpu).map(drop)
}

/// An object whose handle is closed lives by its mapping in a VM alone, and is freed with file and VM.
fn l11_mapped_object_is_freed_with_the_file(guest: &Guest) -> Outcome {
    let gpu = Gpu::ready(guest)?;
    for unbound in [false, true] {
        let file = gpu.open()?;
        let (vm, bo) = (works!(file.vm_create()), works!(file.bo(8 * P)));
        works!(file.bind(vm, &[Op::map(bo, 0, VA, 8 * P), Op::map(bo, 0, 2 * VA, 8 * P), Op::unmap(VA + P, P)]));
        works!(file.0.gem_close(bo));
        if unbound {
            works!(gpu.unbind());
        }
        drop(file);
        same!(module_users(MODULE)?, Some(0));
    }
    works!(modules::remove(MODULE));
    gpu.load(guest)
}

/// A signalled fence that a process still has does not hold the module, and can be queried after the unload (L19).
fn fence_outlives_the_module(guest: &Guest) -> Outcome {
    let gpu = Gpu::ready(guest)?;
    let file = gpu.open()?;
    let (vm, bo, out) = (works!(file.vm_create()), works!(file.bo(P)), works!(file.0.syncobj_create(0)));
    works!(file.bind_async(vm, &[Op::map(bo, 0, VA, P).after(&[signal(out)])]));
    works!(ended(&file, out));
    let sync_file = works!(file.0.syncobj_export(out, AS_SYNC_FILE));
    drop(file);
    works!(modules::remove(MODULE));
    same!(works!(fence_of(&sync_file)).status, 1);
    gpu.load(guest)?;
    same!(works!(fence_of(&sync_file)).status, 1);
    Ok(())
}

/// After the unbind no address space has tables, since the memory may have another owner by now.
fn l5_unbind_disables_all_address_spaces(guest: &Guest) -> Outcome {
    let gpu = Gpu::ready(guest)?;
    let file = gpu.open()?;
    let vm = Vm::new(&gpu, &file)?;
    let bo = file.numbered_bo(4, 0x100)?;
    works!(vm.bind(&[Op::map(bo, 0, VA, 4 * P)]));
    vm.shows(VA, 16 * P, &[(VA, 0x100, 4)])?;
    works!(gpu.unbind());
    same!(gpu.spaces()?, Vec::<u32>::new());
    works!(gpu.bind());
    Ok(())
}

/// Twenty rounds of unbind and bind work, each with a client that stays open beyond it.
fn repeated_bind_and_unbind(guest: &Guest) -> Outcome {
    let gpu = Gpu::ready(guest)?;
    let users = module_users(MODULE)?;
    let mut kept = Vec::new();
    for _ in 0..20 {
        kept.push(client(&gpu)?);
        works!(gpu.unbind());
        works!(gpu.bind());
    }
    kept.iter().try_for_each(is_dead)?;
    drop(kept);
    same!(module_users(MODULE)?, users);
    client(&gpu).map(drop)
}

/// Ten rounds of removal and rescan work, with a client kept open from each.
fn repeated_remove_and_rescan(guest: &Guest) -> Outcome {
    let mut kept = Vec::new();
    for _ in 0..10 {
        let gpu = Gpu::ready(guest)?;
        kept.push(client(&gpu)?);
        works!(gpu.remove());
    }
    let gpu = Gpu::ready(guest)?;
    kept.iter().try_for_each(is_dead)?;
    drop(kept);
    same!(modules::remove(MODULE), Ok::<(), Errno>(()));
    gpu.load(guest)?;
    client(&gpu).map(drop)
}
