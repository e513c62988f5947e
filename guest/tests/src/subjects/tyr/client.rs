// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! An open file of tyr with one method per ioctl.
//!
//! Source: `include/uapi/drm/panthor_drm.h` (Linux 7.3).

use std::ffi::CStr;
use std::os::fd::AsFd;

use rustix::mm::{MapFlags, ProtFlags};
use sys::{Answer, BadAddress, Mapping};
use uapi::tyr::*;
use uapi::{PAGE, Plain, Request};

use crate::harness::check::Outcome;
use crate::subjects::device::DrmFile;
use crate::works;

/// An open file of the driver.
#[derive(Debug)]
pub(crate) struct TyrFile(pub(crate) DrmFile);

/// An operation of a VM_BIND, with its sync operations.
#[derive(Clone, Debug, Default)]
pub(crate) struct Op {
    pub(crate) flags: u32,
    pub(crate) bo: u32,
    pub(crate) offset: u64,
    pub(crate) va: u64,
    pub(crate) size: u64,
    pub(crate) syncs: Vec<SyncOp>,
}

impl Op {
    /// Maps a part of an object, to read, write, execute and cache.
    pub(crate) fn map(bo: u32, offset: u64, va: u64, size: u64) -> Self {
        Self { flags: OP_MAP, bo, offset, va, size, ..Self::default() }
    }

    /// Unmaps a range.
    pub(crate) fn unmap(va: u64, size: u64) -> Self {
        Self { flags: OP_UNMAP, va, size, ..Self::default() }
    }

    /// Maps a range without an object.
    pub(crate) fn sparse(va: u64, size: u64) -> Self {
        Self { flags: MAP_SPARSE | MAP_NOEXEC, va, size, ..Self::default() }
    }

    /// Does nothing but wait and signal.
    pub(crate) fn sync_only(syncs: &[SyncOp]) -> Self {
        Self { flags: OP_SYNC_ONLY, syncs: syncs.to_vec(), ..Self::default() }
    }

    /// Adds flags to the operation.
    pub(crate) fn with(mut self, flags: u32) -> Self {
        self.flags |= flags;
        self
    }

    /// Adds sync operations to the operation.
    pub(crate) fn after(mut self, syncs: &[SyncOp]) -> Self {
        self.syncs.extend_from_slice(syncs);
        self
    }
}

/// Waits for the fence that a sync object holds.
pub(crate) fn wait(handle: u32) -> SyncOp {
    SyncOp { flags: 0, handle, timeline_value: 0 }
}

/// Makes the operation's end the fence of a sync object.
pub(crate) fn signal(handle: u32) -> SyncOp {
    SyncOp { flags: SYNC_SIGNAL, handle, timeline_value: 0 }
}

/// Moves a sync operation to a point of a timeline.
pub(crate) fn point(of: SyncOp, timeline_value: u64) -> SyncOp {
    SyncOp { flags: of.flags | SYNC_TIMELINE, timeline_value, ..of }
}

impl TyrFile {
    /// Makes an ioctl whose structure holds addresses.
    ///
    /// # Safety
    ///
    /// The memory that `argument` points to, in the lengths that it gives, may be read and written by the kernel, or is
    /// not mapped at all.
    unsafe fn call<T: Copy>(&self, request: &Request<T>, argument: &mut T) -> Answer {
        let address = std::ptr::from_mut(argument) as usize;
        // SAFETY: the request's size is that of `T`; for the memory that it points to, by this function's contract.
        unsafe { sys::ioctl_raw(self.0.as_fd(), request.number, address) }.map(drop)
    }

    /// `DEV_QUERY` without room for the answer. Returns the answer's size.
    pub(crate) fn query_size(&self, kind: u32, size: u32) -> Answer<u32> {
        let mut query = DevQuery { kind, size, pointer: 0 };
        // SAFETY: there is no address.
        unsafe { self.call(&DEV_QUERY, &mut query) }?;
        Ok(query.size)
    }

    /// `DEV_QUERY` of as much as fits into `room`. Returns the size that the kernel reports.
    pub(crate) fn query(&self, kind: u32, room: &mut [u8]) -> Answer<u32> {
        let size = room.len().try_into().expect("rooms are small");
        let mut query = DevQuery { kind, size, pointer: room.as_mut_ptr() as u64 };
        // SAFETY: the buffer has the size that is passed.
        unsafe { self.call(&DEV_QUERY, &mut query) }?;
        Ok(query.size)
    }

    /// `DEV_QUERY` into a mapping, which may be read-only.
    pub(crate) fn query_into(&self, kind: u32, size: u32, room: &Mapping) -> Answer<u32> {
        assert!(size as usize <= PAGE, "mappings are at least a page");
        let mut query = DevQuery { kind, size, pointer: room.address() as u64 };
        // SAFETY: the mapping has no references and is at least a page long.
        unsafe { self.call(&DEV_QUERY, &mut query) }?;
        Ok(query.size)
    }

    /// `DEV_QUERY` to an invalid address.
    pub(crate) fn query_at(&self, kind: u32, size: u32, address: BadAddress) -> Answer<u32> {
        let mut query = DevQuery { kind, size, pointer: address.get() as u64 };
        // SAFETY: nothing of this process is mapped at the address.
        unsafe { self.call(&DEV_QUERY, &mut query) }?;
        Ok(query.size)
    }

    /// `DEV_QUERY` of a whole structure, which is `value` on input.
    pub(crate) fn info<T: Plain>(&self, kind: u32, mut value: T) -> Answer<T> {
        let size = size_of::<T>().try_into().expect("structures are small");
        let mut query = DevQuery { kind, size, pointer: std::ptr::from_mut(&mut value) as u64 };
        // SAFETY: any bytes are a `Plain` value, and the size is that of the type.
        unsafe { self.call(&DEV_QUERY, &mut query) }?;
        Ok(value)
    }

    /// `VM_CREATE` with a size of the kernel's choice.
    pub(crate) fn vm_create(&self) -> Answer<u32> {
        Ok(self.vm_create_of(0)?.id)
    }

    /// `VM_CREATE` with `user_va_range` bytes for the client.
    pub(crate) fn vm_create_of(&self, user_va_range: u64) -> Answer<VmCreate> {
        self.0.ioctl(&VM_CREATE, VmCreate { user_va_range, ..Default::default() })
    }

    /// `VM_DESTROY`
    pub(crate) fn vm_destroy(&self, id: u32) -> Answer {
        self.0.ioctl(&VM_DESTROY, VmDestroy { id, pad: 0 }).map(drop)
    }

    /// `VM_GET_STATE`
    pub(crate) fn vm_state(&self, vm_id: u32) -> Answer<u32> {
        Ok(self.0.ioctl(&VM_GET_STATE, VmGetState { vm_id, state: 99 })?.state)
    }

    /// `VM_BIND`, executed at once.
    pub(crate) fn bind(&self, vm: u32, ops: &[Op]) -> Answer {
        self.bind_counted(vm, 0, ops).0
    }

    /// `VM_BIND`, put into the VM's queue.
    pub(crate) fn bind_async(&self, vm: u32, ops: &[Op]) -> Answer {
        self.bind_counted(vm, BIND_ASYNC, ops).0
    }

    /// `VM_BIND`. Also returns the number of operations that the kernel writes back.
    pub(crate) fn bind_counted(&self, vm: u32, flags: u32, ops: &[Op]) -> (Answer, u32) {
        let raw: Vec<VmBindOp> = ops.iter().map(raw).collect();
        self.bind_array(vm, flags, array(&raw))
    }

    /// `VM_BIND` with operations given as bytes, with any stride. They must hold no addresses.
    pub(crate) fn bind_bytes(&self, vm: u32, flags: u32, stride: u32, count: u32, bytes: &[u8]) -> (Answer, u32) {
        assert!(stride as usize * count as usize <= bytes.len(), "the kernel reads as much as is said");
        self.bind_array(vm, flags, ObjArray { stride, count, array: bytes.as_ptr() as u64 })
    }

    /// `VM_BIND` with its operations at an invalid address.
    pub(crate) fn bind_at(&self, vm: u32, flags: u32, count: u32, address: BadAddress) -> Answer {
        let stride = size_of::<VmBindOp>() as u32;
        self.bind_array(vm, flags, ObjArray { stride, count, array: address.get() as u64 }).0
    }

    /// `VM_BIND` of one operation, with `count` sync operations of a stride at an invalid address.
    pub(crate) fn bind_syncs_at(&self, vm: u32, op: &Op, stride: u32, count: u32, address: BadAddress) -> Answer {
        let raw = [VmBindOp { syncs: ObjArray { stride, count, array: address.get() as u64 }, ..raw(op) }];
        self.bind_array(vm, BIND_ASYNC, array(&raw)).0
    }

    fn bind_array(&self, vm_id: u32, flags: u32, ops: ObjArray) -> (Answer, u32) {
        let mut bind = VmBind { vm_id, flags, ops };
        // SAFETY: the callers pass arrays that outlive this call and have the length they give, or that are not mapped.
        // The same holds for the arrays of sync operations in them.
        let answer = unsafe { self.call(&VM_BIND, &mut bind) };
        (answer, bind.ops.count)
    }

    /// `BO_CREATE` without flags. Returns a handle.
    pub(crate) fn bo(&self, size: u64) -> Answer<u32> {
        self.bo_of(size, 0, 0)
    }

    /// `BO_CREATE`. Returns a handle.
    pub(crate) fn bo_of(&self, size: u64, flags: u32, exclusive_vm_id: u32) -> Answer<u32> {
        let wanted = BoCreate { size, flags, exclusive_vm_id, ..Default::default() };
        Ok(self.0.ioctl(&BO_CREATE, wanted)?.handle)
    }

    /// `BO_MMAP_OFFSET`
    pub(crate) fn bo_offset(&self, handle: u32) -> Answer<u64> {
        Ok(self.0.ioctl(&BO_MMAP_OFFSET, BoMmapOffset { handle, ..Default::default() })?.offset)
    }

    /// `BO_MMAP_OFFSET` and mmap(2), shared, to read and write.
    pub(crate) fn bo_map(&self, handle: u32, len: usize) -> Answer<Mapping> {
        Mapping::shared(&self.0, self.bo_offset(handle)?, len)
    }

    /// `BO_SET_LABEL`. `None` removes the label.
    pub(crate) fn bo_label(&self, handle: u32, label: Option<&CStr>) -> Answer {
        let label = label.map_or(0, |label| label.as_ptr() as u64);
        // SAFETY: the address is of a string that ends with a zero byte, or null.
        unsafe { self.call(&BO_SET_LABEL, &mut BoSetLabel { handle, pad: 0, label }) }
    }

    /// `BO_SET_LABEL` with any padding and an invalid address.
    pub(crate) fn bo_label_at(&self, handle: u32, pad: u32, address: BadAddress) -> Answer {
        // SAFETY: nothing of this process is mapped at the address.
        unsafe { self.call(&BO_SET_LABEL, &mut BoSetLabel { handle, pad, label: address.get() as u64 }) }
    }

    /// `BO_SYNC`
    pub(crate) fn bo_sync(&self, ops: &[BoSyncOp]) -> Answer {
        // SAFETY: the array has the length that is passed.
        unsafe { self.call(&BO_SYNC, &mut BoSync { ops: array(ops) }) }
    }

    /// `BO_SYNC` with `count` operations of a stride at an invalid address.
    pub(crate) fn bo_sync_at(&self, stride: u32, count: u32, address: BadAddress) -> Answer {
        let ops = ObjArray { stride, count, array: address.get() as u64 };
        // SAFETY: nothing of this process is mapped at the address.
        unsafe { self.call(&BO_SYNC, &mut BoSync { ops }) }
    }

    /// `BO_QUERY_INFO`
    pub(crate) fn bo_info(&self, handle: u32) -> Answer<BoQueryInfo> {
        self.0.ioctl(&BO_QUERY_INFO, BoQueryInfo { handle, extra_flags: 99, create_flags: 99, pad: 99 })
    }

    /// `SET_USER_MMIO_OFFSET`
    pub(crate) fn set_mmio_offset(&self, offset: u64) -> Answer {
        self.0.ioctl(&SET_USER_MMIO_OFFSET, SetUserMmioOffset { offset }).map(drop)
    }

    /// Calls mmap(2) to map the page of `LATEST_FLUSH_ID` for reading.
    pub(crate) fn flush_id(&self) -> Answer<Mapping> {
        Mapping::new(&self.0, MMIO_OFFSET_64, PAGE, ProtFlags::READ, MapFlags::SHARED)
    }

    /// Creates an object whose pages are numbered, and returns its handle. The first word of page `n` is `first + n`.
    pub(crate) fn numbered_bo(&self, pages: u64, first: u32) -> Outcome<u32> {
        let handle = works!(self.bo(pages * PAGE as u64));
        let mapping = works!(self.bo_map(handle, pages as usize * PAGE));
        (0..pages as usize).for_each(|page| mapping.write(page * PAGE, first + page as u32));
        Ok(handle)
    }
}

fn array<T>(objects: &[T]) -> ObjArray {
    ObjArray { stride: size_of::<T>() as u32, count: objects.len() as u32, array: objects.as_ptr() as u64 }
}

/// Returns the operation in the kernel's layout, which points to its sync operations.
fn raw(op: &Op) -> VmBindOp {
    let &Op { flags, bo, offset, va, size, ref syncs } = op;
    VmBindOp { flags, bo_handle: bo, bo_offset: offset, va, size, syncs: array(syncs) }
}
