// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! Address spaces of a GPU that does not exist. Their tables are a count of pages.

use crate::{
    buffer::Object,
    driver::Attacked,
    fences::holds,
    trap::{
        self,
        DropTrap, //
    },
};
use drm::{
    gem::{
        self,
        Class, //
    },
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
    prelude::*,
    sync::aref::ARef, //
};

pub(crate) const PAGE: u64 = PAGE_SIZE as u64;

pub(crate) struct Space {
    _drop_trap: DropTrap,
}

impl DriverVm for Space {
    type Driver = Attacked;
    type Tables = u64;
    type Flags = ();
    type Context<'a> = ();

    fn map(_: &Vm<Self>, pages: &mut u64, new: &Mapping<'_, Self>, (): &mut ()) {
        *pages += new.range().len() / PAGE;
    }

    fn unmap(_: &Vm<Self>, pages: &mut u64, old: VaRange, (): &mut ()) {
        *pages -= old.len() / PAGE;
    }

    fn clear(_: &Vm<Self>, pages: &mut u64) {
        *pages = 0;
    }
}

/// Creates an address space of all addresses in `all`.
pub(crate) fn new(dev: &Device<Attacked>, all: VaRange) -> Result<Owner<Space>> {
    let space = Space {
        _drop_trap: DropTrap(trap::SPACE_DROP, dev.into()),
    };
    Owner::new(dev, c"attacks", Layout::new(all), Ok(space), 0)
}

/// The size of most address spaces here: 4 GiB.
const SMALL: u64 = 1 << 32;

/// Creates an address space of 4 GiB.
pub(crate) fn small(dev: &Device<Attacked>) -> Result<Owner<Space>> {
    new(dev, VaRange::new(0, SMALL)?)
}

/// Creates a request to map all of an object.
pub(crate) fn request(vm: &Vm<Space>, at: u64, object: &Object) -> Result<Map<Space>> {
    let range = VaRange::new(at, object.size().bytes() as u64)?;
    Map::new(vm, range, object, 0, ())
}

/// Returns the number of mapped pages. Fails with `EIO` if tables and mappings differ.
fn pages(vm: &Vm<Space>, all: VaRange) -> Result<u64> {
    let (tables, mapped) = vm.lock(|vm| {
        let mut mapped = 0;
        vm.for_each(all, |mapping| mapped += mapping.range().len() / PAGE);
        (*vm.tables(), mapped)
    });
    if tables == mapped {
        Ok(mapped)
    } else {
        Err(EIO)
    }
}

/// Creates an address space, maps an object, unmaps its middle, and ends the address space.
pub(crate) fn scratch(dev: &Device<Attacked>) -> Result {
    let vm = small(dev)?;
    let object = Object::new(dev, gem::Size::round_up(3 * PAGE)?, ())?;
    let map = request(&vm, PAGE, &object)?;
    vm.lock(|vm| vm.map(map, &mut ())).into_result()?;
    let unmap = Unmap::new(&vm, VaRange::new(2 * PAGE, PAGE)?)?;
    vm.lock(|vm| vm.unmap(unmap, &mut ())).into_result()?;
    match pages(&vm, VaRange::new(0, SMALL)?)? {
        2 => Ok(()),
        _ => Err(EIO),
    }
}

/// `ATTACK_SPACES`: carries out requests in another address space than their own, and in one that
/// has ended.
pub(crate) fn requests(dev: &Device<Attacked>) -> Result {
    let (one, other) = (small(dev)?, small(dev)?);
    let object = Object::new(dev, gem::Size::PAGE, ())?;

    // Addresses of which some or all are outside of the space.
    let wide = Object::new(dev, gem::Size::round_up(2 * PAGE)?, ())?;
    for beyond in [
        VaRange::new(SMALL, PAGE)?,
        VaRange::new(SMALL - PAGE, 2 * PAGE)?,
    ] {
        let refused = [
            Map::new(&one, beyond, &wide, 0, ()).err(),
            Map::sparse(&one, beyond, ()).err(),
            Unmap::new(&one, beyond).err(),
        ];
        holds(refused.iter().all(|error| *error == Some(EINVAL)))?;
    }

    let map = request(&one, 0, &object)?;
    let unmap = Unmap::new(&one, VaRange::new(0, PAGE)?)?;
    let answers = other.lock(|vm| [vm.map(map, &mut ()), vm.unmap(unmap, &mut ())]);
    if answers.iter().any(|done| done.result() != Err(EINVAL)) {
        return Err(EIO);
    }
    drop(answers);

    // A request from before the end, one from after it, and one for mapped memory.
    let mapped = request(&one, 0, &object)?;
    one.lock(|vm| vm.map(mapped, &mut ())).into_result()?;
    let (map, vm) = (
        request(&one, PAGE, &object)?,
        ARef::<Vm<Space>>::from(&*one),
    );
    drop(one);
    let late = request(&vm, PAGE, &object)?;
    let unmap = Unmap::new(&vm, VaRange::new(0, PAGE)?)?;
    for done in [
        vm.lock(|vm| vm.map(map, &mut ())),
        vm.lock(|vm| vm.map(late, &mut ())),
        vm.lock(|vm| vm.unmap(unmap, &mut ())),
    ] {
        if done.result() != Err(ECANCELED) {
            return Err(EIO);
        }
    }
    match pages(&vm, VaRange::new(0, SMALL)?)? {
        0 => Ok(()),
        _ => Err(EIO),
    }
}

/// `ATTACK_SPACE_EXTREMES`: uses the largest address space, with an object at its very end that is
/// cut into `pieces`.
pub(crate) fn extremes(dev: &Device<Attacked>, pieces: u64) -> Result {
    if pieces == 0 || pieces > 4096 {
        return Err(EINVAL);
    }
    let all = VaRange::new(0, u64::MAX)?;
    let vm = new(dev, all)?;
    let object = Object::new(dev, gem::Size::round_up(2 * pieces * PAGE)?, ())?;
    let start = (u64::MAX - 2 * pieces * PAGE) & !(PAGE - 1);

    let refused = [
        request(&vm, u64::MAX - PAGE, &object).err(),
        Map::new(&vm, VaRange::new(start, PAGE)?, &object, u64::MAX, ()).err(),
        VaRange::new(u64::MAX, 1).err(),
        VaRange::new(0, 0).err(),
    ];
    if refused.iter().any(|error| *error != Some(EINVAL)) {
        return Err(EIO);
    }

    let sparse = Map::sparse(&vm, VaRange::new(0, 1 << 63)?, ())?;
    vm.lock(|vm| vm.map(sparse, &mut ())).into_result()?;
    let map = request(&vm, start, &object)?;
    vm.lock(|vm| vm.map(map, &mut ())).into_result()?;
    for piece in 0..pieces {
        let unmap = Unmap::new(&vm, VaRange::new(start + 2 * piece * PAGE, PAGE)?)?;
        vm.lock(|vm| vm.unmap(unmap, &mut ())).into_result()?;
    }
    if pages(&vm, all)? != pieces + (1 << 63) / PAGE {
        return Err(EIO);
    }
    // Unmaps all pieces at once.
    let unmap = Unmap::new(&vm, all)?;
    vm.lock(|vm| vm.unmap(unmap, &mut ())).into_result()?;
    match pages(&vm, all)? {
        0 => Ok(()),
        _ => Err(EIO),
    }
}
