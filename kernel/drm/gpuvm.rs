// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! Address spaces of a GPU: which object is mapped where, and the steps that update page tables.
//!
//! A client requests to map or unmap a range, regardless of what is mapped there. C's `drm_gpuvm`
//! knows the mappings and breaks the request into steps: covered mappings are unmapped, cut ones
//! are split, and then the new mapping is made. A driver implements [`DriverVm`], whose
//! [`Tables`](DriverVm::Tables) follow the steps.
//!
//! | type | what it is |
//! |---|---|
//! | [`Vm`] | an address space; counted references are `ARef<Vm<T>>` |
//! | [`Owner`] | ends the address space: dropping it unmaps everything, even if references remain |
//! | [`Map`], [`Unmap`] | a request with all the memory that it needs; creating one may fail |
//! | [`Locked`] | the address space while its lock is held; it carries out requests |
//! | [`Done`] | the rest of a request, to be dropped where sleeping is allowed |
//!
//! # All or nothing
//!
//! Everything that can fail (lookups, checks, allocations) happens when a request is created. A
//! driver's steps cannot fail, and their types say so. So [`Locked::map`] either refuses and
//! changes nothing, or completes. It may be called where a fence waits for it and no memory may be
//! allocated.
//!
//! # References
//!
//! A mapping holds its address space and, through C's `drm_gpuvm_bo`, its object. Each of these
//! holds the device (L11). An address space and its mappings form a reference cycle, which
//! [`Owner`] breaks. An object or an address space of another instance of the device is refused
//! with `EINVAL` (L12). Those of another driver do not compile (L9).
//!
//! The objects that a request unmapped stay until its [`Done`] is dropped, even if the `Done` of
//! another request is dropped first. The driver flushes the GPU's caches in between.
//!
//! # Locks, from the outside in
//!
//! 1. The address space's own mutex protects the mappings and the tables ([`Vm::lock`]). It may be
//!    taken where a fence waits.
//! 2. The mutex `gpuva.lock` of an object protects the list of its mappings
//!    (`DRM_GPUVM_IMMEDIATE_MODE`). Only this module takes it.
//!
//! The address space's reservation object protects the list of objects that have a reservation
//! object of their own (`DRM_GPUVM_RESV_PROTECTED`). This module locks it when a request is created
//! and when its [`Done`] is dropped.
//!
//! C header: `include/drm/drm_gpuvm.h`

mod exclusive;
mod locked;
mod mapping;
mod range;
mod request;
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
pub use vm::{
    Layout,
    Owner,
    Vm, //
};

use crate::Driver;

/// The objects that can be mapped in an address space of `T`.
pub type ObjectOf<T> = <<T as DriverVm>::Driver as Driver>::Object;

/// A driver's data for each address space, and the steps by which its page tables follow the
/// mappings.
///
/// The implementor is the part that needs no lock. [`Vm`] dereferences to it.
///
/// Context of the steps: the address space is locked, and a fence may be waiting. Steps may sleep.
/// They must not make an allocation that waits for memory reclaim, take a reservation lock, or drop
/// the last reference to an object.
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
    /// The driver that the address spaces belong to.
    type Driver: Driver;

    /// The page tables, and everything else that changes together with them.
    type Tables: Send + 'static;

    /// The driver's note on each mapping, such as how the GPU may access it. If a mapping is split,
    /// its parts keep it.
    type Flags: Copy + Send + Sync + 'static;

    /// The caller's argument for the steps, such as memory set aside for tables, or hardware that
    /// is plugged at the moment.
    type Context<'a>;

    /// Maps `new`. Nothing is mapped there, neither in the address space nor in the tables.
    fn map(
        vm: &Vm<Self>,
        tables: &mut Self::Tables,
        new: &Mapping<'_, Self>,
        cx: &mut Self::Context<'_>,
    );

    /// Unmaps `old`: a whole mapping, or the range that [`remap`](Self::remap) passes on.
    fn unmap(vm: &Vm<Self>, tables: &mut Self::Tables, old: VaRange, cx: &mut Self::Context<'_>);

    /// Unmaps a part of a mapping. The rest, at one end or both, stays mapped unchanged.
    ///
    /// Without this method, the part is unmapped. Tables that cannot unmap a part of a large page
    /// must map the rest of that page again here.
    fn remap(
        vm: &Vm<Self>,
        tables: &mut Self::Tables,
        remap: &Remap<'_, Self>,
        cx: &mut Self::Context<'_>,
    ) {
        Self::unmap(vm, tables, remap.hole(), cx);
    }

    /// Empties the tables when the address space ends, after making sure that the GPU no longer
    /// uses them. Called once; no step follows.
    ///
    /// The mapped objects stay alive until this returns. The device may be unplugged. Context:
    /// process context, may sleep; the address space is locked.
    fn clear(vm: &Vm<Self>, tables: &mut Self::Tables);
}
