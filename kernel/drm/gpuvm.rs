// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! Address spaces of a GPU: which object is mapped where, and the steps that page tables follow.
//!
//! A client asks for a range to be mapped or unmapped, whatever is there. C's `drm_gpuvm` knows what is mapped and
//! breaks the request into steps: what is covered goes, what is cut is split, then comes the new mapping. A driver
//! implements [`DriverVm`], whose [`Tables`](DriverVm::Tables) follow the steps.
//!
//! | type | what it is |
//! |---|---|
//! | [`Vm`] | an address space; counted references are `ARef<Vm<T>>` |
//! | [`Owner`] | who ends it: when it is dropped everything is unmapped, whoever still has references |
//! | [`Map`], [`Unmap`] | a request with all the memory that it takes; making one may fail |
//! | [`Locked`] | the address space while its lock is held: where requests are carried out |
//! | [`Done`] | what is left of a request, to be dropped where sleeping is allowed |
//!
//! # All or nothing
//!
//! What can fail (looking up, checking, allocating) happens when a request is made; the steps of a driver cannot
//! fail, which their types say. So [`Locked::map`] either refuses and has changed nothing, or does all of it, and may
//! be called where a fence waits for it and no memory may be allocated.
//!
//! # Who keeps whom
//!
//! A mapping holds its address space and, through C's `drm_gpuvm_bo`, its object; each of these holds the device
//! (L11). The cycle that an address space makes with its own mappings is cut by [`Owner`]. An object or an address
//! space of another instance of the device is refused with `EINVAL` (L12); those of another driver do not compile
//! (L9).
//!
//! What a request has unmapped keeps its objects until its [`Done`] is dropped, even if another request's goes before:
//! the driver flushes the GPU's caches in between.
//!
//! # Locks, from the outside in
//!
//! 1. The address space's own, a mutex: the mappings and the tables ([`Vm::lock`]). May be taken where a fence waits.
//! 2. `gpuva.lock` of an object, a mutex: which mappings it has (`DRM_GPUVM_IMMEDIATE_MODE`). Taken by this module
//!    only.
//!
//! Apart from these, the address space's reservation object protects the list of objects that have another one
//! (`DRM_GPUVM_RESV_PROTECTED`). This module takes it when a request is made and when what is left of one is dropped.
//!
//! C header: `include/drm/drm_gpuvm.h`

mod locked;
mod mapping;
mod range;
mod request;
mod resv;
mod vm;

pub use locked::Locked;
pub use mapping::{
    Mapping,
    Remap, //
};
pub use range::VaRange;
pub use request::{
    Done,
    Map,
    Unmap, //
};
pub(crate) use resv::{
    has_own_resv,
    SharedResv, //
};
pub use vm::{
    Layout,
    Owner,
    Vm, //
};

use crate::Driver;

/// The objects that can be mapped in an address space of `T`.
pub type ObjectOf<T> = <<T as DriverVm>::Driver as Driver>::Object;

/// What a driver keeps for each address space, and how its page tables follow the steps.
///
/// The implementor is the part that needs no lock: [`Vm`] dereferences to it.
///
/// Context of the steps: the address space is locked, and a fence may be waiting. They may sleep, but allocate
/// nothing that waits for memory to be reclaimed, take no reservation lock, and drop no last reference to an object.
///
/// # Examples
///
/// ```
/// # use core::sync::atomic::{AtomicUsize, Ordering};
/// /// An address space that knows how many pages are mapped.
/// struct Space {
///     unusable: AtomicUsize,
/// }
///
/// impl DriverVm for Space {
///     type Driver = Mini;
///     type Tables = u64;
///     type Flags = bool; // whether the GPU may write
///     type Context<'a> = &'a mut bool; // whether the GPU has translations that are none any more
///
///     fn map(_: &Vm<Self>, pages: &mut u64, new: &Mapping<'_, Self>, _: &mut &mut bool) {
///         *pages += new.range().len() / 4096;
///     }
///
///     fn unmap(_: &Vm<Self>, pages: &mut u64, old: VaRange, stale: &mut &mut bool) {
///         **stale = true;
///         *pages -= old.len() / 4096;
///     }
///
///     fn clear(_: &Vm<Self>, pages: &mut u64) {
///         *pages = 0;
///     }
/// }
///
/// fn example(dev: &Device<Mini>, object: &Object) -> Result<Owner<Space>> {
///     let data = Space { unusable: AtomicUsize::new(0) };
///     let layout = Layout::new(VaRange::new(0, 1 << 32)?);
///     let vm = Owner::<Space>::new(dev, c"mini", layout, Ok(data), 0)?;
///
///     let mut stale = false;
///     let all = VaRange::new(0x10_0000, object.size().bytes() as u64)?;
///     let map = Map::new(&vm, all, object, 0, true)?;
///     vm.lock(|vm| vm.map(map, &mut &mut stale)).into_result()?;
///
///     // A page in the middle: what was one mapping are two now.
///     let unmap = Unmap::new(&vm, VaRange::new(0x10_1000, 4096)?)?;
///     vm.lock(|vm| vm.unmap(unmap, &mut &mut stale)).into_result()?;
///     Ok(vm)
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not say how page tables follow the steps of an address space",
    note = "implement `drm::gpuvm::DriverVm` for it"
)]
pub trait DriverVm: Send + Sync + Sized + 'static {
    /// The driver whose address spaces these are.
    type Driver: Driver;

    /// The page tables, and whatever else changes together with them.
    type Tables: Send + 'static;

    /// What the driver notes with each mapping, such as how the GPU may access it. The parts of a mapping that is split
    /// keep it.
    type Flags: Copy + Send + Sync + 'static;

    /// What a step is given from who carries out the request: memory that was set aside for tables, say, or hardware
    /// that is plugged for the moment.
    type Context<'a>;

    /// Maps `new`. Nothing is mapped there, neither in the address space nor in the tables.
    fn map(
        vm: &Vm<Self>,
        tables: &mut Self::Tables,
        new: &Mapping<'_, Self>,
        cx: &mut Self::Context<'_>,
    );

    /// Unmaps `old`: a whole mapping, or what [`remap`](Self::remap) passes on.
    fn unmap(vm: &Vm<Self>, tables: &mut Self::Tables, old: VaRange, cx: &mut Self::Context<'_>);

    /// Unmaps a part of a mapping; what is left of it, at one end or both, stays mapped as it is.
    ///
    /// Without this method, the part is unmapped. Tables that cannot take a part out of a large page map what is left
    /// of that page anew here.
    fn remap(
        vm: &Vm<Self>,
        tables: &mut Self::Tables,
        remap: &Remap<'_, Self>,
        cx: &mut Self::Context<'_>,
    ) {
        Self::unmap(vm, tables, remap.hole(), cx);
    }

    /// The address space has ended: makes sure that the GPU does not use the tables any more, and empties them.
    /// Called once; no step comes after.
    ///
    /// The objects that were mapped stay until this returns. The device may be unplugged. Context: process context, may
    /// sleep; the address space is locked.
    fn clear(vm: &Vm<Self>, tables: &mut Self::Tables);
}
