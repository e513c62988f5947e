// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A collection with one of everything that a driver can own. The driver keeps and drops the items
//! in unusual places.

use crate::{
    buffer::Object,
    client::Client,
    driver::{
        Attacked,
        FENCES, //
    },
    fences,
    space::{
        self,
        Space, //
    },
    LocalModule, //
};
use drm::{
    event::{
        self,
        Event, //
    },
    fence::{
        Callback,
        Fence,
        Signaler, //
    },
    gem::{
        self,
        Class,
        VMap, //
    },
    gpuvm::{
        Map,
        Owner, //
    },
    module::PreparedWork,
    syncobj::{
        PreparedPoint,
        Syncobj, //
    },
    Device,
    File, //
};
use kernel::{
    prelude::*,
    sync::aref::ARef, //
};

/// The payload of an event.
#[derive(Clone, Copy, IntoBytes)]
#[repr(C)]
pub(crate) struct Message(u64);

/// The content of every event.
pub(crate) const MESSAGE: Message = Message(0xa77a_c4ed);

impl event::Payload for Message {
    const TYPE: u32 = event::FIRST_DRIVER_TYPE;
}

/// Work that is prepared and not queued.
type Work = PreparedWork<Attacked, fn(&Device<Attacked>)>;

/// The kept items. The fields are dropped in their order.
#[derive(Default)]
pub(crate) struct Kept {
    events: KVec<Event<Attacked, Message>>,
    /// Dropped before the signalers: dropping a callback removes it from its fence.
    callbacks: KVec<Callback<fn(&Fence)>>,
    pub(crate) signalers: KVec<Signaler>,
    mappings: KVec<VMap<Object>>,
    requests: KVec<Map<Space>>,
    spaces: KVec<Owner<Space>>,
    objects: KVec<ARef<Object>>,
    points: KVec<PreparedPoint>,
    sync_objects: KVec<ARef<Syncobj>>,
    work: KVec<Work>,
}

/// Logs that the callback ran.
fn called(_: &Fence) {
    pr_info!("a kept callback runs\n");
}

/// Logs that the work ran.
fn works(dev: &Device<Attacked>) {
    pr_info!("{}: kept work runs\n", dev.id);
}

impl Kept {
    /// Adds one of everything, all for this file's device.
    pub(crate) fn add_one_of_each(&mut self, file: &File<Client>) -> Result {
        let dev = file.device();
        let object = Object::new(dev, gem::Size::PAGE, ())?;
        let vm = space::small(dev)?;
        let map = space::request(&vm, 0, &object)?;
        vm.lock(|vm| vm.map(map, &mut ())).into_result()?;
        let signaler = FENCES.issue(None)?;
        let sync_object = Syncobj::new(Some(&signaler))?;
        sync_object.create_handle(file)?;
        fences::attach(&object)?;
        let function: fn(&Fence) = called;
        let callback = signaler.on_signal::<LocalModule, _>(function)?;
        let work: fn(&Device<Attacked>) = works;

        self.events.push(
            Event::reserve(file, MESSAGE)?.with_fence(FENCES.issue(None)?),
            GFP_KERNEL,
        )?;
        self.callbacks.push(callback, GFP_KERNEL)?;
        self.signalers.push(signaler, GFP_KERNEL)?;
        self.mappings.push(object.vmap()?, GFP_KERNEL)?;
        self.requests
            .push(space::request(&vm, space::PAGE, &object)?, GFP_KERNEL)?;
        self.spaces.push(vm, GFP_KERNEL)?;
        self.objects.push(object, GFP_KERNEL)?;
        self.points.push(PreparedPoint::new()?, GFP_KERNEL)?;
        self.sync_objects.push(sync_object, GFP_KERNEL)?;
        self.work.push(dev.prepare_work(work)?, GFP_KERNEL)?;
        Ok(())
    }

    /// Uses each item for its purpose.
    pub(crate) fn use_up(mut self) -> Result {
        for map in &self.mappings {
            map.write(0, b"late")?;
        }
        while let Some(event) = self.events.pop() {
            event.send();
        }
        while let Some(signaler) = self.signalers.pop() {
            if !signaler.signal() {
                return Err(EIO);
            }
        }
        if self.callbacks.iter().any(|callback| !callback.has_run()) {
            return Err(EIO);
        }
        while let Some(work) = self.work.pop() {
            work.queue();
        }
        Ok(())
    }
}

/// Puts an event of `file` into its device's data.
pub(crate) fn event(file: &File<Client>) -> Result {
    let event = Event::reserve(file, MESSAGE)?;
    file.device().kept.lock().events.push(event, GFP_KERNEL)?;
    Ok(())
}
