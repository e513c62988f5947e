// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The operations of tyr: queries, objects, address spaces and their bindings, and registers.
//!
//! Source: `include/uapi/drm/panthor_drm.h` (Linux 7.3).

use rustix::io::Errno;
use sys::Answer;
use sys::pace::patient;
use uapi::PAGE;
use uapi::tyr::*;

use crate::cases::tyr::queue::ended;
use crate::harness::check::Outcome;
use crate::harness::modules;
use crate::subjects::device::DrmFile;
use crate::subjects::guest::Guest;
use crate::subjects::tyr::view::Vm;
use crate::subjects::tyr::{Gpu, MODULE, Op, TyrFile, point, signal, wait};
use crate::sweeps::calls::Stood;
use crate::sweeps::operation::{ARRAY, Client, MMAP, NODES, NUMBERS, OF_MEMORY, Operation, close};
use crate::sweeps::run::{sweep, unused};
use crate::sweeps::{common, sharing, syncobj};
use crate::{holds, same, works};

crate::cases::cases! {
    "tyr_sweep" for Tyr:
    files within 240, handles within 240, sync_objects within 240, sharing within 240, mapping within 240, questions within 240,
    objects_and_spaces within 240, bindings within 240,
}

const P: u64 = PAGE as u64;
const VA: u64 = 0x4000_0000;

/// A file, and the GPU that shows its bindings.
struct File {
    gpu: Gpu,
    file: TyrFile,
}

impl Client for File {
    fn file(&self) -> &DrmFile {
        &self.file.0
    }

    fn like(&self, file: DrmFile) -> Self {
        Self { gpu: self.gpu.clone(), file: TyrFile(file) }
    }

    fn object(&self) -> Answer<u32> {
        self.file.bo(P)
    }

    fn works(&self) -> Outcome<String> {
        let (vm, bo) = (works!(self.file.vm_create()), works!(self.file.bo(P)));
        works!(self.file.bind(vm, &[Op::map(bo, 0, VA, P)]));
        same!(works!(self.file.vm_state(vm)), USABLE);
        works!(self.file.vm_destroy(vm));
        works!(self.file.0.gem_close(bo));
        Ok(format!("VM {vm}, object {bo}"))
    }
}

fn of_tyr(guest: &Guest, table: Vec<Operation<File>>) -> Outcome {
    let gpu = Gpu::ready(guest)?;
    let spaces = gpu.spaces()?;
    let settled = || {
        same!(gpu.spaces()?, spaces);
        unused(MODULE)
    };
    let reload = || {
        works!(modules::remove(MODULE));
        gpu.load(guest)?;
        gpu.settle()
    };
    // The first file of the primary node is its master.
    let open = || Ok(File { gpu: gpu.clone(), file: gpu.open_node("card")? });
    sweep(guest, &table, open, settled, reload)
}

fn files(guest: &Guest) -> Outcome {
    of_tyr(guest, common::files().into_iter().chain([common::render_node()]).collect())
}

fn handles(guest: &Guest) -> Outcome {
    of_tyr(guest, common::handles(common::ON_PCI))
}

fn sync_objects(guest: &Guest) -> Outcome {
    of_tyr(guest, syncobj::table())
}

fn sharing(guest: &Guest) -> Outcome {
    of_tyr(guest, sharing::buffers())
}

/// Maps objects by the node and by a dma-buf, and the page of registers.
fn mapping(guest: &Guest) -> Outcome {
    let mut table = sharing::mappings(
        |file: &File, pages| file.file.bo(u64::from(pages) * P),
        |file, handle| file.file.bo_offset(handle),
    );
    // The object is made of huge pages, and the node's mapping is aligned to them, so a touch fills an entry of an
    // existing table.
    table.retain(|operation| !operation.name.ends_with("a mapping of a node"));
    table.push(
        Operation::new(
            "mmap of registers",
            |_| Ok(None),
            |file: &File, page| {
                *page = Some(file.file.flush_id()?);
                Ok(())
            },
            |_, page, _| {
                holds!(page.is_none_or(|page| page.read(0) != 0), "the flush's number is read");
                Ok(())
            },
        )
        .within(MMAP),
    );
    of_tyr(guest, table)
}

fn questions(guest: &Guest) -> Outcome {
    of_tyr(guest, [queries(), unsupported()].into_iter().flatten().collect())
}

fn objects_and_spaces(guest: &Guest) -> Outcome {
    of_tyr(guest, [objects(), spaces()].into_iter().flatten().collect())
}

fn bindings(guest: &Guest) -> Outcome {
    of_tyr(guest, [at_once(), queued()].into_iter().flatten().collect())
}

/// `DEV_QUERY`, and the offset of the registers.
fn queries() -> Vec<Operation<File>> {
    fn query(name: &'static str, kind: u32) -> Operation<File> {
        let size = QUERIES.iter().find(|(known, _)| *known == kind).expect("it is one of them").1;
        Operation::alone(name, move |file: &File| file.file.query(kind, &mut [0; 112][..size]).map(drop))
    }
    vec![
        Operation::alone("DEV_QUERY of a size", |file: &File| file.file.query_size(QUERY_GPU, 0).map(drop)),
        query("DEV_QUERY of the GPU", QUERY_GPU),
        query("DEV_QUERY of its interface", QUERY_CSIF),
        query("DEV_QUERY of the time", QUERY_TIMESTAMP),
        query("DEV_QUERY of priorities", QUERY_PRIORITIES),
        query("DEV_QUERY of page sizes", QUERY_MMU),
        Operation::alone("SET_USER_MMIO_OFFSET", |file: &File| file.file.set_mmio_offset(MMIO_OFFSET_64)),
    ]
}

/// Objects that are shared or belong to one VM, and queries about them.
fn objects() -> Vec<Operation<File>> {
    vec![
        Operation::new(
            "BO_CREATE",
            |_| Ok(0),
            |file: &File, handle| {
                *handle = file.file.bo(P)?;
                Ok(())
            },
            |file, handle, done| if done { close(file, handle) } else { Ok(()) },
        )
        .wants(OF_MEMORY)
        .stands(&[NUMBERS]),
        Operation::new(
            "BO_CREATE of a VM's",
            |file: &File| Ok((works!(file.file.vm_create()), 0)),
            |file, (vm, handle)| {
                *handle = file.file.bo_of(P, 0, *vm)?;
                Ok(())
            },
            |file, (vm, handle), done| {
                works!(file.file.vm_destroy(vm));
                if done { close(file, handle) } else { Ok(()) }
            },
        )
        .wants(OF_MEMORY)
        .stands(&[NUMBERS]),
        Operation::on_object("BO_MMAP_OFFSET", |file: &File, handle| file.file.bo_offset(handle).map(drop)),
        Operation::on_object("BO_SET_LABEL", |file: &File, handle| file.file.bo_label(handle, Some(c"sweep"))),
        Operation::on_object("BO_QUERY_INFO", |file: &File, handle| file.file.bo_info(handle).map(drop)),
        Operation::new(
            "BO_SYNC",
            |file: &File| Ok(works!(file.file.bo_of(4 * P, BO_WB_MMAP, 0))),
            |file, handle| {
                let op = |kind, offset| BoSyncOp { handle: *handle, kind, offset, size: P };
                file.file.bo_sync(&[op(BO_FLUSH, 0), op(BO_FLUSH_AND_INVALIDATE, P)])
            },
            |file, handle, _| close(file, handle),
        )
        .stands(&[ARRAY]),
    ]
}

/// Operations on address spaces.
fn spaces() -> Vec<Operation<File>> {
    fn of_one(name: &'static str, destroys: bool, run: fn(&TyrFile, u32) -> Answer) -> Operation<File> {
        Operation::new(
            name,
            |file: &File| Ok(works!(file.file.vm_create())),
            move |file, vm| run(&file.file, *vm),
            move |file, vm, done| {
                same!(file.file.vm_destroy(vm), if done && destroys { Err(Errno::INVAL) } else { Ok(()) });
                Ok(())
            },
        )
    }
    vec![
        Operation::new(
            "VM_CREATE",
            |_| Ok(0),
            |file: &File, vm| {
                *vm = file.file.vm_create()?;
                Ok(())
            },
            |file, vm, done| {
                if done {
                    works!(file.file.vm_destroy(vm));
                }
                Ok(())
            },
        ),
        of_one("VM_DESTROY", true, TyrFile::vm_destroy),
        of_one("VM_GET_STATE", false, |file, vm| file.vm_state(vm).map(drop)),
    ]
}

/// Ioctls that do not exist yet are refused as such, whatever fails in them.
fn unsupported() -> Vec<Operation<File>> {
    let numbers = [
        ("GROUP_CREATE", GROUP_CREATE.number),
        ("GROUP_DESTROY", GROUP_DESTROY.number),
        ("GROUP_SUBMIT", GROUP_SUBMIT.number),
        ("GROUP_GET_STATE", GROUP_GET_STATE.number),
        ("TILER_HEAP_CREATE", TILER_HEAP_CREATE.number),
        ("TILER_HEAP_DESTROY", TILER_HEAP_DESTROY.number),
    ];
    let operation = |(name, number)| {
        Operation::refused(name, Errno::OPNOTSUPP, move |file: &File| {
            sys::ioctl_bytes(file.file(), number, &mut [0; 64]).map(drop)
        })
    };
    numbers.into_iter().map(operation).collect()
}

/// A VM, an object of eight numbered pages, and a sync object.
#[derive(Clone, Copy)]
struct Space {
    vm: u32,
    bo: u32,
    out: u32,
}

/// The GPU's view of a VM with only the object bound, and after a page of it is unbound.
const WHOLE: &[(u64, u32, u64)] = &[(VA, 0x100, 8)];
const HOLE: &[(u64, u32, u64)] = &[(VA, 0x100, 3), (VA + 4 * P, 0x104, 4)];

impl Space {
    fn new(file: &File) -> Outcome<Self> {
        let file = &file.file;
        let (vm, bo) = (works!(file.vm_create()), file.numbered_bo(8, 0x100)?);
        Ok(Self { vm, bo, out: works!(file.0.syncobj_create(0)) })
    }

    fn bound(file: &File) -> Outcome<Self> {
        let this = Self::new(file)?;
        works!(file.file.bind(this.vm, &[this.map()]));
        Ok(this)
    }

    fn map(self) -> Op {
        Op::map(self.bo, 0, VA, 8 * P)
    }

    /// Checks that the GPU sees exactly this, and frees everything.
    fn ends(self, file: &File, wanted: &[(u64, u32, u64)]) -> Outcome {
        let vm = Vm::of(&file.gpu, &file.file, self.vm)?;
        vm.shows(VA - 16 * P, 64 * P, wanted)?;
        same!(works!(file.file.vm_state(self.vm)), USABLE);
        works!(file.file.vm_destroy(self.vm));
        vm.forget()?;
        works!(file.file.0.syncobj_destroy(self.out));
        close(file, self.bo)
    }
}

/// Like `NODES`, for the pages of a block.
const FILLERS: Stood = (NODES.0, 12);

/// `VM_BIND` that is executed before it returns.
fn at_once() -> Vec<Operation<File>> {
    vec![
        Operation::new(
            "VM_BIND of an object",
            Space::new,
            |file: &File, space| file.file.bind(space.vm, &[space.map()]),
            |file, space, done| space.ends(file, if done { WHOLE } else { &[] }),
        )
        .stands(&[ARRAY]),
        Operation::new(
            "VM_BIND of a hole",
            Space::bound,
            |file: &File, space| file.file.bind(space.vm, &[Op::unmap(VA + 3 * P, P)]),
            |file, space, done| space.ends(file, if done { HOLE } else { WHOLE }),
        )
        .stands(&[ARRAY]),
        Operation::new(
            "VM_BIND of nothing but addresses",
            |file: &File| {
                let other = file.another()?.file;
                let vm = works!(other.vm_create());
                Ok((other, vm))
            },
            |_, (other, vm)| other.bind(*vm, &[Op::sparse(VA, 4 * P)]),
            |file, (other, vm), done| {
                same!(Vm::of(&file.gpu, &other, vm)?.runs(VA, 4 * P)?.is_empty(), !done);
                Ok(())
            },
        )
        .wants(OF_MEMORY)
        .stands(&[ARRAY, FILLERS]),
    ]
}

/// Arrays of a queued call: its operations as passed and as prepared, the sync operations of one and those of all, and
/// the jobs. A second operation makes three of them grow.
const OF_ONE: &[Stood] = &[(ARRAY.0, 5)];
const OF_TWO: &[Stood] = &[(ARRAY.0, 8)];

/// `VM_BIND` that is executed later. A call that is refused signals nothing and binds nothing.
fn queued() -> Vec<Operation<File>> {
    fn operation(
        name: &'static str,
        run: fn(&TyrFile, Space) -> Answer,
        wanted: &'static [(u64, u32, u64)],
    ) -> Operation<File> {
        Operation::new(
            name,
            Space::new,
            move |file: &File, space| run(&file.file, *space),
            move |file, space, done| {
                if done {
                    works!(ended(&file.file, space.out));
                }
                space.ends(file, if done { wanted } else { &[] })
            },
        )
    }
    vec![
        operation(
            "VM_BIND of an object and a hole, queued",
            |file, space| {
                file.bind_async(space.vm, &[space.map(), Op::unmap(VA + 3 * P, P).after(&[signal(space.out)])])
            },
            HOLE,
        )
        .stands(OF_TWO),
        Operation::new(
            "VM_BIND after and to a point, queued",
            |file: &File| {
                let space = Space::new(file)?;
                works!(file.file.0.syncobj_signal_point(space.out, 1));
                Ok(space)
            },
            |file, space| {
                let syncs = [point(wait(space.out), 1), point(signal(space.out), 2)];
                file.file.bind_async(space.vm, &[space.map().after(&syncs)])
            },
            |file, space, done| {
                if done {
                    works!(file.file.0.syncobj_wait(space.out, 2, patient(std::time::Duration::from_secs(8)), 0));
                }
                space.ends(file, if done { WHOLE } else { &[] })
            },
        )
        .stands(OF_ONE),
        operation(
            "VM_BIND of nothing, queued",
            |file, space| file.bind_async(space.vm, &[Op::sync_only(&[signal(space.out)])]),
            &[],
        )
        .stands(OF_ONE),
    ]
}
