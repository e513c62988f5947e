// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! Clients' address spaces: which object is mapped where, and the page tables that follow.
//!
//! [`Space`] is the driver's part of an address space of [`drm::gpuvm`]: the table that the GPU
//! walks, and the queue of operations that wait for fences. A file's [`Pool`] has the owners.
//! `bind` creates operations and carries them out: immediately for a client that waits, or from the
//! `queue` when their fences allow it.
//!
//! Locks, outer first: `Queue::running`, the address space's own, those of [`crate::hw::mmu`].
//! `Queue::submitting` is outside of everything but the first, with which it is never held.
//!
//! uapi: `include/uapi/drm/panthor_drm.h` (`DRM_PANTHOR_VM_*`); behaviour: drivers/gpu/drm/panthor/panthor_mmu.c

mod bind;
mod pool;
mod queue;
mod submit;

pub(crate) use bind::OpContext;
pub(crate) use pool::{
    user_end,
    Pool, //
};
pub(crate) use submit::submit;

use crate::{
    driver::Tyr,
    hw::{
        mmu::{
            Change,
            Table, //
        },
        Hardware, //
    },
    uapi, //
};
use drm::{
    fence,
    gem,
    gpuvm::{
        DriverVm,
        Layout,
        Mapping,
        Owner,
        VaRange,
        Vm, //
    },
    Plugged, //
};
use kernel::{
    prelude::*,
    scatterlist::SGTable,
    sync::{
        atomic::{
            Atomic,
            Relaxed, //
        },
        Arc, //
    },
};
use mali_mmu::{
    memory,
    Attributes,
    BLOCK_SIZE, //
};
use queue::Queue;

/// The class of the fences of queued operations.
static FENCES: fence::Class = fence::Class::of::<Tyr>(c"vm-bind");

/// The size of the memory that sparse mappings show repeatedly: one block.
const DUMMY_SIZE: gem::Size = gem::Size::constant::<{ BLOCK_SIZE as usize }>();

/// The driver's data for an address space.
#[pin_data]
pub(crate) struct Space {
    /// The table that the GPU walks.
    table: Arc<Table>,
    /// The first address that clients cannot map.
    user_end: u64,
    /// Whether a queued operation has failed. The mappings then differ from the client's view.
    unusable: Atomic<bool>,
    #[pin]
    queue: Queue,
}

/// The permitted GPU accesses to a mapping, as flags of the uapi.
#[derive(Clone, Copy)]
pub(crate) struct Access(u32);

impl Access {
    const READONLY: u32 =
        uapi::drm_panthor_vm_bind_op_flags_DRM_PANTHOR_VM_BIND_OP_MAP_READONLY as u32;
    const NOEXEC: u32 = uapi::drm_panthor_vm_bind_op_flags_DRM_PANTHOR_VM_BIND_OP_MAP_NOEXEC as u32;
    const UNCACHED: u32 =
        uapi::drm_panthor_vm_bind_op_flags_DRM_PANTHOR_VM_BIND_OP_MAP_UNCACHED as u32;
    const SPARSE: u32 = uapi::drm_panthor_vm_bind_op_flags_DRM_PANTHOR_VM_BIND_OP_MAP_SPARSE as u32;
    const ALL: u32 = Self::READONLY | Self::NOEXEC | Self::UNCACHED | Self::SPARSE;

    /// Converts uapi flags, all of which must be known.
    fn from_uapi(flags: u32) -> Result<Self> {
        if flags & !Self::ALL != 0 {
            return Err(EINVAL);
        }
        Ok(Self(flags))
    }

    fn has(self, flag: u32) -> bool {
        self.0 & flag != 0
    }

    fn attributes(self) -> Attributes {
        Attributes {
            read_only: self.has(Self::READONLY),
            no_execute: self.has(Self::NOEXEC),
            memory: if self.has(Self::UNCACHED) {
                memory::UNCACHED
            } else {
                memory::CACHED
            },
        }
    }
}

/// The argument of the steps of an operation.
pub(crate) struct StepContext<'a> {
    change: Change<'a>,
    /// The memory that the operation maps, if any.
    memory: Option<&'a SGTable>,
    /// An error if the table refused a step, for which memory was set aside. Table and address
    /// space differ then.
    failed: Result,
}

impl DriverVm for Space {
    type Driver = Tyr;
    /// The tables have a lock of their own, because they end before the address space does (L5).
    type Tables = ();
    type Flags = Access;
    type Context<'a> = StepContext<'a>;

    fn map(vm: &Vm<Self>, (): &mut (), new: &Mapping<'_, Self>, cx: &mut StepContext<'_>) {
        let (range, attributes) = (new.range(), new.flags().attributes());
        let result = match (cx.memory, new.object()) {
            (None, _) => Err(EINVAL),
            (Some(memory), Some(_)) => {
                let offset = new.offset();
                cx.change
                    .map_pages(range.start(), memory, offset, range.len(), attributes)
            }
            (Some(memory), None) => cx.map_dummy(range, memory, attributes),
        };
        vm.record(cx, result);
    }

    fn unmap(vm: &Vm<Self>, (): &mut (), old: VaRange, cx: &mut StepContext<'_>) {
        let result = cx.change.unmap(old.start(), old.len()).map(drop);
        vm.record(cx, result);
    }

    fn clear(vm: &Vm<Self>, (): &mut ()) {
        // If the device is unplugged, the table is already empty, or will be before the GPU's
        // parent is unbound.
        vm.device().enter(|plugged| {
            plugged.registration(|hw: &Hardware<'_>| hw.mmu.destroy(&vm.table));
        });
    }
}

impl<'a> StepContext<'a> {
    /// Creates the argument for the steps of one operation. `memory` is the memory to map, if any.
    fn new(change: Change<'a>, memory: Option<&'a SGTable>) -> Self {
        Self {
            change,
            memory,
            failed: Ok(()),
        }
    }

    /// Maps the dummy's `memory` repeatedly, aligned to addresses: in blocks, if it is one.
    fn map_dummy(&mut self, range: VaRange, memory: &SGTable, attributes: Attributes) -> Result {
        let dummy = DUMMY_SIZE.bytes() as u64;
        let mut va = range.start();
        while va < range.end() {
            let offset = va % dummy;
            let size = (dummy - offset).min(range.end() - va);
            self.change
                .map_pages(va, memory, offset, size, attributes)?;
            va += size;
        }
        Ok(())
    }
}

impl Space {
    /// Creates an empty address space. The client may use the addresses up to `user_end`.
    fn create(plugged: &Plugged<'_, Tyr>, hw: &Hardware<'_>, user_end: u64) -> Result<Owner<Self>> {
        let end = hw.mmu.geometry().va_end();
        let mut layout = Layout::new(VaRange::new(0, end)?);
        if let Some(kernel) = VaRange::between(user_end, end) {
            layout = layout.reserve(kernel)?;
        }
        let table = hw.mmu.create()?;
        let ours = table.clone();
        let space = try_pin_init!(Self {
            table: ours,
            user_end,
            unusable: Atomic::new(false),
            queue <- Queue::new(&FENCES),
        }? Error);
        Owner::new(plugged, c"tyr-vm", layout, space, ()).inspect_err(|_| hw.mmu.destroy(&table))
    }

    /// Returns whether the client must create a new address space, because a queued operation
    /// failed or the GPU hit a fault here.
    pub(crate) fn is_unusable(&self) -> bool {
        self.unusable.load(Relaxed) || self.table.fault().is_some()
    }

    /// Makes the address space unusable.
    fn mark_unusable(&self) {
        self.unusable.store(true, Relaxed);
    }

    /// Records whether the table refused the step.
    fn record(&self, cx: &mut StepContext<'_>, result: Result) {
        if result.is_err() {
            self.mark_unusable();
            cx.failed = result;
        }
    }
}
