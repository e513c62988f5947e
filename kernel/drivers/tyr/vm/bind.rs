// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! The operations of a `VM_BIND`: each is checked, gets its memory, and is carried out.
//!
//! uapi: `struct drm_panthor_vm_bind_op`; errno: drivers/gpu/drm/panthor/panthor_mmu.c

use super::{
    Access,
    Space,
    StepContext, //
};
use crate::{
    buffer::Object,
    client::Client,
    driver::Tyr,
    hw::{
        mmu::{
            Change,
            Reserve, //
        },
        Hardware, //
    },
    uapi, //
};
use drm::{
    gem::Class,
    gpuvm::{
        Done,
        Map,
        Unmap,
        VaRange,
        Vm, //
    },
    resv::Resv,
    File,
    Plugged, //
};
use kernel::{
    prelude::*,
    sync::aref::ARef, //
};
use mali_mmu::PAGE_SIZE;

const TYPE: u32 = uapi::drm_panthor_vm_bind_op_flags_DRM_PANTHOR_VM_BIND_OP_TYPE_MASK as u32;
const MAP: u32 = uapi::drm_panthor_vm_bind_op_flags_DRM_PANTHOR_VM_BIND_OP_TYPE_MAP as u32;
const UNMAP: u32 = uapi::drm_panthor_vm_bind_op_flags_DRM_PANTHOR_VM_BIND_OP_TYPE_UNMAP as u32;
const SYNC_ONLY: u32 =
    uapi::drm_panthor_vm_bind_op_flags_DRM_PANTHOR_VM_BIND_OP_TYPE_SYNC_ONLY as u32;

/// An operation that is ready to be carried out. It needs no further allocation.
pub(super) enum Op {
    Map {
        request: Map<Space>,
        memory: ARef<Object>,
        reserve: Reserve,
    },
    Unmap {
        request: Unmap<Space>,
        reserve: Reserve,
    },
    /// The operation only waits and signals.
    SyncOnly,
}

/// The result of an operation, and its remains. Drop it where reservation locks may be taken.
pub(super) struct CompletedOp {
    pub(super) result: Result,
    _map: Option<Map<Space>>,
    _unmap: Option<Unmap<Space>>,
    _done: Option<Done<Space>>,
    _memory: Option<ARef<Object>>,
}

/// The device and the address space of an operation.
#[derive(Clone, Copy)]
pub(crate) struct OpContext<'a, 'g, 'h> {
    pub(crate) plugged: &'a Plugged<'g, Tyr>,
    pub(crate) hw: &'a Hardware<'h>,
    pub(crate) vm: &'a Vm<Space>,
}

impl OpContext<'_, '_, '_> {
    /// Checks an operation and allocates its memory.
    ///
    /// # Errors
    ///
    /// Fails with `EINVAL` if the uapi does not allow the operation, or if its handle does not
    /// exist or is exclusive to another address space. Fails with `ENOMEM`, with `ECANCELED` in an
    /// address space that has ended, and with any error from an imported buffer's exporter.
    ///
    /// Context: process context, may sleep; takes reservation locks.
    pub(super) fn prepare(
        self,
        file: &File<Client>,
        op: &uapi::drm_panthor_vm_bind_op,
    ) -> Result<Op> {
        if (op.va | op.size | op.bo_offset) % PAGE_SIZE != 0 {
            return Err(EINVAL);
        }
        let end = op.va.checked_add(op.size).ok_or(EINVAL)?;
        if end > self.vm.user_end {
            return Err(EINVAL);
        }
        match op.flags & TYPE {
            MAP => self.prepare_map(file, op),
            UNMAP => self.prepare_unmap(op),
            SYNC_ONLY => prepare_sync_only(op),
            _ => Err(EINVAL),
        }
    }

    fn prepare_map(self, file: &File<Client>, op: &uapi::drm_panthor_vm_bind_op) -> Result<Op> {
        let access = Access::from_uapi(op.flags & !TYPE)?;
        let sparse = access.has(Access::SPARSE);
        if sparse && (op.bo_handle != 0 || op.bo_offset != 0 || !access.has(Access::NOEXEC)) {
            return Err(EINVAL);
        }
        let memory = if sparse {
            file.vms.dummy(self.plugged, self.hw)?
        } else {
            Object::lookup(file, op.bo_handle).map_err(|_| EINVAL)?
        };
        let Ok(range) = VaRange::new(op.va, op.size) else {
            return Ok(Op::SyncOnly);
        };
        let request = if sparse {
            Map::sparse(self.vm, range, access)?
        } else {
            Map::new(self.vm, range, &memory, op.bo_offset, access)?
        };
        // Pins and maps the pages now, so that mapping them again later allocates nothing.
        let sgt = memory.sg_table(self.plugged)?;
        let (mmu, start, size) = (&self.hw.mmu, range.start(), range.len());
        let tables = if sparse {
            mmu.tables_for_dummy(start, sgt, size)
        } else {
            mmu.tables_for_pages(start, sgt, op.bo_offset, size)
        };
        Ok(Op::Map {
            request,
            memory,
            reserve: mmu.reserve(&self.vm.table, tables)?,
        })
    }

    fn prepare_unmap(self, op: &uapi::drm_panthor_vm_bind_op) -> Result<Op> {
        if op.flags & !TYPE != 0 || op.bo_handle != 0 || op.bo_offset != 0 {
            return Err(EINVAL);
        }
        let Ok(range) = VaRange::new(op.va, op.size) else {
            return Ok(Op::SyncOnly);
        };
        Ok(Op::Unmap {
            request: Unmap::new(self.vm, range)?,
            reserve: self
                .hw
                .mmu
                .reserve(&self.vm.table, self.hw.mmu.tables_for_unmap())?,
        })
    }

    /// Carries out an operation. Allocates nothing.
    ///
    /// The result has the error. It is `EINVAL` for a mapping in an unusable address space,
    /// `ECANCELED` in one that has ended, `ENODEV`, or `ETIMEDOUT` if the MMU does not answer.
    /// SyncOnly is mapped or unmapped then, except after `ETIMEDOUT`, which makes the address space
    /// unusable.
    ///
    /// Context: process context, may sleep.
    pub(super) fn exec(self, op: Op) -> CompletedOp {
        match op {
            Op::Map {
                request,
                memory,
                reserve,
            } => self.map(request, memory, reserve),
            Op::Unmap { request, reserve } => self.unmap(request, reserve),
            Op::SyncOnly => CompletedOp::new(Ok(()), None),
        }
    }

    /// Checks and carries out an operation that waits for nothing, while the client waits for it.
    ///
    /// # Errors
    ///
    /// Fails with the errors of [`prepare`](Self::prepare) and [`exec`](Self::exec), and with
    /// `EINVAL` if the operation names sync objects.
    pub(crate) fn exec_sync(
        self,
        file: &File<Client>,
        op: &uapi::drm_panthor_vm_bind_op,
    ) -> Result {
        if op.syncs.count != 0 {
            return Err(EINVAL);
        }
        // The C driver ignores the other fields in this case, too.
        if op.size == 0 {
            return Ok(());
        }
        self.exec(self.prepare(file, op)?).result
    }

    fn map(self, request: Map<Space>, memory: ARef<Object>, reserve: Reserve) -> CompletedOp {
        let range = request.range();
        // An unused request is dropped with the result, which is after the address space is
        // unlocked.
        let (mut request, mut done) = (Some(request), None);
        let result = memory.sg_table(self.plugged).and_then(|sgt| {
            self.vm.lock(|vm| {
                if self.vm.is_unusable() {
                    return Err(EINVAL);
                }
                self.change(reserve, range, |change| {
                    let mut cx = StepContext::new(change, Some(sgt));
                    done = request.take().map(|request| vm.map(request, &mut cx));
                    cx.failed
                })
            })
        });
        CompletedOp {
            _map: request,
            _memory: Some(memory),
            ..CompletedOp::new(result, done)
        }
    }

    fn unmap(self, request: Unmap<Space>, reserve: Reserve) -> CompletedOp {
        let range = request.range();
        let (mut request, mut done) = (Some(request), None);
        let result = self.vm.lock(|vm| {
            self.change(reserve, range, |change| {
                let mut cx = StepContext::new(change, None);
                done = request.take().map(|request| vm.unmap(request, &mut cx));
                cx.failed
            })
        });
        CompletedOp {
            _unmap: request,
            ..CompletedOp::new(result, done)
        }
    }

    /// Changes the table in `range`, and makes the GPU see the change.
    fn change(
        self,
        reserve: Reserve,
        range: VaRange,
        steps: impl FnOnce(Change<'_>) -> Result,
    ) -> Result {
        let (table, mmu) = (&self.vm.table, &self.hw.mmu);
        mmu.change(table, reserve, range.start(), range.len(), |change| {
            steps(change.reborrow())
        })
    }
}

fn prepare_sync_only(op: &uapi::drm_panthor_vm_bind_op) -> Result<Op> {
    let only_syncs = op.flags & !TYPE == 0
        && op.bo_handle == 0
        && op.bo_offset == 0
        && op.va == 0
        && op.size == 0
        && op.syncs.count != 0;
    if only_syncs {
        Ok(Op::SyncOnly)
    } else {
        Err(EINVAL)
    }
}

impl Op {
    /// Returns the reservation object of the mapped object, if it differs from the address space's.
    pub(super) fn resv(&self, vm: &Vm<Space>) -> Option<&Resv> {
        match self {
            Self::Map { memory, .. } if !core::ptr::eq(memory.resv(), vm.resv()) => {
                Some(memory.resv())
            }
            _ => None,
        }
    }
}

impl CompletedOp {
    /// Returns the result of an operation without hardware.
    pub(super) fn unplugged() -> Self {
        Self::new(Err(ENODEV), None)
    }

    fn new(result: Result, done: Option<Done<Space>>) -> Self {
        Self {
            result: result.and_then(|()| done.as_ref().map_or(Ok(()), Done::result)),
            _map: None,
            _unmap: None,
            _done: done,
            _memory: None,
        }
    }
}
