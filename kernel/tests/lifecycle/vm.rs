// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! An address space of a GPU that does not exist. Its tables are a count of pages.

use crate::{
    buffer::Object,
    driver::Lifecycle,
    shared::LogDrop, //
};
use drm::{
    gem::Class,
    gpuvm::{
        DriverVm,
        Layout,
        Map,
        Mapping,
        Owner,
        Unmap,
        VaRange,
        Vm, //
    },
    Device, //
};
use kernel::{
    page::PAGE_SIZE,
    prelude::*, //
};

const PAGE: u64 = PAGE_SIZE as u64;
/// The number of addresses, and the range that requests may not use.
const ALL: u64 = 1 << 30;
const RESERVED: u64 = 1 << 29;

pub(crate) struct Space {
    id: u32,
    _space: LogDrop,
}

impl DriverVm for Space {
    type Driver = Lifecycle;
    type Tables = u64;
    type Flags = ();
    type Context<'a> = ();

    fn map(_: &Vm<Self>, pages: &mut u64, new: &Mapping<'_, Self>, (): &mut ()) {
        *pages += new.range().len() / PAGE;
    }

    fn unmap(_: &Vm<Self>, pages: &mut u64, old: VaRange, (): &mut ()) {
        *pages -= old.len() / PAGE;
    }

    fn clear(vm: &Vm<Self>, pages: &mut u64) {
        pr_info!("{}: address space ends with {} pages\n", vm.id, *pages);
    }
}

/// Maps an object in a new address space of `dev`, and unmaps all but its first and its last page.
/// Returns the number of mapped pages.
///
/// # Errors
///
/// Fails with `EIO` if tables and mappings differ, or if a request may use the reserved addresses.
pub(crate) fn map(dev: &Device<Lifecycle>, object: &Object) -> Result<(Owner<Space>, u64)> {
    let all = VaRange::new(0, ALL)?;
    let new = || {
        let space = Space {
            id: dev.id,
            _space: LogDrop(dev.id, c"address space"),
        };
        let layout = Layout::new(all).reserve(VaRange::new(RESERVED, ALL - RESERVED)?)?;
        Owner::<Space>::new(dev, c"lifecycle", layout, Ok(space), 0)
    };
    let (vm, other) = (new()?, new()?);
    rules(&vm, &other, object)?;

    let range = VaRange::new(RESERVED - (1 << 20), object.size().bytes() as u64)?;
    let request = Map::new(&vm, range, object, 0, ())?;
    vm.lock(|vm| vm.map(request, &mut ())).into_result()?;
    if let Some(middle) = VaRange::between(range.start() + PAGE, range.end() - PAGE) {
        let request = Unmap::new(&vm, middle)?;
        vm.lock(|vm| vm.unmap(request, &mut ())).into_result()?;
    }
    if Unmap::new(&vm, VaRange::new(RESERVED - PAGE, 2 * PAGE)?).is_ok() {
        return Err(EIO);
    }

    let (tables, mapped) = vm.lock(|vm| {
        let mut mapped = 0;
        vm.for_each(all, |mapping| mapped += mapping.range().len() / PAGE);
        (*vm.tables(), mapped)
    });
    if tables != mapped {
        return Err(EIO);
    }
    Ok((vm, mapped))
}

/// Checks what an address space refuses: more bytes than an object has, and requests for another
/// address space.
fn rules(vm: &Vm<Space>, other: &Vm<Space>, object: &Object) -> Result {
    let range = VaRange::new(0, object.size().bytes() as u64)?;
    let beyond = Map::new(vm, range, object, PAGE, ()).is_err_and(|error| error == EINVAL);
    let (map, unmap) = (
        Map::new(other, range, object, 0, ())?,
        Unmap::new(other, range)?,
    );
    let mapped = vm.lock(|vm| vm.map(map, &mut ())).into_result();
    let unmapped = vm.lock(|vm| vm.unmap(unmap, &mut ())).into_result();
    if beyond && mapped == Err(EINVAL) && unmapped == Err(EINVAL) {
        Ok(())
    } else {
        Err(EIO)
    }
}
