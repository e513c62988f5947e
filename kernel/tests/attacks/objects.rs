// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! Attacks through buffers: beyond their bounds, beyond their address space, on another device.

use crate::{
    buffer::Object,
    client::Client,
    driver::{
        Attacked,
        Hardware,
        FENCES, //
    },
    fences,
    space, //
};
use drm::{
    fence::Timeout,
    gem::{
        self,
        Class, //
    },
    gpuvm::{
        Map,
        VaRange, //
    },
    resv::Usage,
    syncobj::Syncobj,
    Device,
    File,
    Plugged, //
};
use kernel::prelude::*;

/// Creates an object, maps it, attaches a fence to it, and drops it.
pub(crate) fn scratch(dev: &Device<Attacked>) -> Result {
    let object = Object::new(dev, gem::Size::PAGE, ())?;
    object.vmap()?.write(0, b"scratch")?;
    fences::attach(&object)
}

/// Maps an object for DMA, in a section of its own. Fails with `ENODEV` if the device is not
/// plugged.
pub(crate) fn scratch_dma(dev: &Device<Attacked>) -> Result {
    let object = Object::new(dev, gem::Size::PAGE, ())?;
    dev.enter(|plugged| object.sg_table(&plugged).map(|_| ()))
        .ok_or(ENODEV)?
}

/// Fails with `EIO` unless all answers are `EINVAL`.
pub(crate) fn all_invalid<const N: usize>(answers: [Result; N]) -> Result {
    if answers.iter().all(|answer| *answer == Err(EINVAL)) {
        Ok(())
    } else {
        Err(EIO)
    }
}

/// `ATTACK_VMAP_HUGE`: maps a huge object into the kernel.
pub(crate) fn map_huge(dev: &Device<Attacked>, bytes: u64) -> Result {
    let object = Object::new(dev, gem::Size::round_up(bytes)?, ())?;
    object.vmap().map(drop)
}

/// `ATTACK_VMAP_BOUNDS`: reads and writes beyond an object.
pub(crate) fn map_bounds(object: &Object) -> Result {
    let map = object.vmap()?;
    let size = object.size().bytes();
    let mut bytes = [0; 4];
    // All of the object can be accessed, and nothing beyond it.
    map.write(size - 4, &bytes)?;
    map.read(size, &mut [])?;
    all_invalid([
        map.read(size - 3, &mut bytes),
        map.read(size, &mut bytes),
        map.read(usize::MAX, &mut bytes),
        map.read(usize::MAX - 3, &mut bytes),
        map.write(size - 3, &bytes),
        map.write(usize::MAX, &bytes),
        map.read_word(size).map(drop),
        map.read_word(1).map(drop),
        map.read_word(usize::MAX & !3).map(drop),
        map.write_word(size, 0),
        map.write_word(size - 3, 0),
        map.write_word(usize::MAX & !3, 0),
    ])
}

/// `ATTACK_SYNC_BOUNDS`: syncs ranges beyond an object.
pub(crate) fn sync_bounds(
    dev: &Plugged<'_, Attacked>,
    data: &Hardware<'_>,
    object: &Object,
) -> Result {
    let size = object.size().bytes() as u64;
    let of_the_sibling = Object::new(&data.sibling, gem::Size::PAGE, ())?;
    object.sg_table(dev)?;
    object.sync(dev, 0..size, true)?;
    object.sync(dev, size..size, true)?;
    // Clippy reports a range that ends before it begins as a mistake, which is intended here.
    let backwards = core::ops::Range {
        start: size,
        end: 0,
    };
    all_invalid([
        object.sync(dev, 0..size + 1, true),
        object.sync(dev, size..size + 1, false),
        object.sync(dev, u64::MAX - 1..u64::MAX, true),
        object.sync(dev, backwards, true),
        of_the_sibling.sync(dev, 0..1, true),
    ])
}

/// `ATTACK_SIBLING`: items of another device of the driver do not work with this one.
pub(crate) fn of_another_device(
    dev: &Plugged<'_, Attacked>,
    data: &Hardware<'_>,
    file: &File<Client>,
) -> Result {
    let (ours, theirs) = (
        Object::new(dev, gem::Size::PAGE, ())?,
        Object::new(&data.sibling, gem::Size::PAGE, ())?,
    );
    let (our_space, their_space) = (space::small(dev)?, space::small(&data.sibling)?);
    let page = VaRange::new(0, space::PAGE)?;
    all_invalid([
        theirs.create_handle(file).map(drop),
        theirs.sg_table(dev).map(drop),
        Map::new(&our_space, page, &theirs, 0, ()).map(drop),
        Map::new(&their_space, page, &ours, 0, ()).map(drop),
        Object::new_exclusive(dev, gem::Size::PAGE, (), &their_space).map(drop),
        Object::new_exclusive(&data.sibling, gem::Size::PAGE, (), &our_space).map(drop),
    ])?;
    // The sibling was never registered, so it cannot be entered. Everything that needs no hardware
    // works.
    if data.sibling.enter(|_| ()).is_some() || scratch_dma(&data.sibling) != Err(ENODEV) {
        return Err(EIO);
    }
    theirs.vmap()?.write(0, b"theirs")?;
    space::scratch(&data.sibling)?;
    data.sibling.queue_work(|dev| {
        let _ = scratch(dev);
    })
}

/// `ATTACK_EXCLUSIVE`: creates an object of an address space, ends that, and returns a handle of
/// the object.
pub(crate) fn exclusive(dev: &Device<Attacked>, file: &File<Client>) -> Result<u32> {
    let (vm, other) = (space::small(dev)?, space::small(dev)?);
    let object = Object::new_exclusive(dev, gem::Size::PAGE, (), &vm)?;
    all_invalid([space::request(&other, 0, &object).map(drop)])?;
    let map = space::request(&vm, 0, &object)?;
    vm.lock(|vm| vm.map(map, &mut ())).into_result()?;
    drop(vm);
    // The address space is freed, except for the reservation object.
    let work = FENCES.issue(None)?;
    object.resv().attach(&work, Usage::Write)?;
    if object.resv().is_signaled(Usage::Read) || !work.signal() {
        return Err(EIO);
    }
    object
        .resv()
        .wait(Usage::Bookkeep, Timeout::from_secs(10))?;
    object.create_handle(file)
}

/// `ATTACK_HANDLES`: creates many handles and does not close them.
pub(crate) fn handles(file: &File<Client>, count: u64) -> Result {
    for _ in 0..count {
        Object::new(file.device(), gem::Size::PAGE, ())?.create_handle(file)?;
        Syncobj::new(None)?.create_handle(file)?;
    }
    Ok(())
}
