// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! Traps: callbacks that call every safe function for which they have the arguments.

use crate::{
    buffer::Object,
    client::Client,
    driver::Attacked,
    fences,
    kept,
    objects,
    space,
    uapi, //
};
use drm::{
    event::Event,
    file::{
        caller_has,
        Capability, //
    },
    gem::{
        self,
        Class, //
    },
    syncobj::{
        find_fence,
        Syncobj,
        WaitForSubmit, //
    },
    time::Shifted,
    Device,
    File, //
};
use kernel::{
    prelude::*,
    sync::{
        aref::ARef,
        atomic::{
            Atomic,
            Full,
            Relaxed, //
        },
    },
    time::Monotonic, //
};

/// A callback that C makes into the driver, with its number in the uapi and its name in the log.
#[derive(Clone, Copy)]
pub(crate) struct Callback(u32, &'static str);

macro_rules! callbacks {
    ($($name:ident = $number:ident, $text:literal;)*) => { $(
        pub(crate) const $name: Callback = Callback(uapi::$number, $text);
    )* };
}

callbacks! {
    FILE_OPEN = ATTACK_IN_FILE_OPEN, "file-open";
    FILE_CLOSE = ATTACK_IN_FILE_CLOSE, "file-close";
    FILE_DROP = ATTACK_IN_FILE_DROP, "file-drop";
    FDINFO = ATTACK_IN_FDINFO, "fdinfo";
    FILE_PAGE = ATTACK_IN_FILE_PAGE, "file-page";
    OBJECT_NEW = ATTACK_IN_OBJECT_NEW, "object-new";
    OBJECT_DUMB = ATTACK_IN_OBJECT_DUMB, "object-dumb";
    OBJECT_IMPORT = ATTACK_IN_OBJECT_IMPORT, "object-import";
    OBJECT_OPEN = ATTACK_IN_OBJECT_OPEN, "object-open";
    OBJECT_CLOSE = ATTACK_IN_OBJECT_CLOSE, "object-close";
    OBJECT_DROP = ATTACK_IN_OBJECT_DROP, "object-drop";
    UNPLUGGED = ATTACK_IN_UNPLUGGED, "unplugged";
    HARDWARE_DROP = ATTACK_IN_HARDWARE_DROP, "hardware-drop";
    WORK = ATTACK_IN_WORK, "work";
    SPACE_DROP = ATTACK_IN_SPACE_DROP, "space-drop";
    ACTION = ATTACK_IN_ACTION, "action";
    DATA_DROP = ATTACK_IN_DATA_DROP, "data-drop";
    DRIVER_PAGE = ATTACK_IN_DRIVER_PAGE, "driver-page";
    SUSPEND = ATTACK_IN_SUSPEND, "suspend";
    RESUME = ATTACK_IN_RESUME, "resume";
}

/// Actions that a device carries out once, the next time.
pub(crate) struct Trap {
    id: u32,
    callback: Atomic<u32>,
    /// Leaks the next unplugged device.
    pub(crate) leak: Once,
    /// Makes the next unplugged device interrupt.
    pub(crate) interrupt: Once,
    /// Hides the registers in the next `Driver::register_page`.
    pub(crate) hide: Once,
}

/// An action to be carried out once.
pub(crate) struct Once(Atomic<u32>);

impl Once {
    const fn new() -> Self {
        Self(Atomic::new(0))
    }

    pub(crate) fn set(&self) {
        self.0.store(1, Relaxed);
    }

    pub(crate) fn take(&self) -> bool {
        self.0.cmpxchg(1, 0, Full).is_ok()
    }
}

impl Trap {
    pub(crate) fn new(id: u32) -> Self {
        Self {
            id,
            callback: Atomic::new(0),
            leak: Once::new(),
            interrupt: Once::new(),
            hide: Once::new(),
        }
    }

    /// Returns the number of the device, for the log.
    pub(crate) fn id(&self) -> u32 {
        self.id
    }

    /// Arms the trap: the next call of the callback `number` is an attack.
    pub(crate) fn set(&self, number: u32) {
        self.callback.store(number, Relaxed);
    }

    /// Returns the attack if this call is one. The attack is logged.
    fn take_attack(&self, callback: Callback) -> Option<Attack> {
        self.callback.cmpxchg(callback.0, 0, Full).ok()?;
        Some(Attack {
            id: self.id,
            callback: callback.1,
        })
    }

    /// Checks for an attack in a callback whose device is already released.
    pub(crate) fn without_device(&self, callback: Callback) {
        if let Some(attack) = self.take_attack(callback) {
            attack.without_device();
            attack.ends();
        }
    }
}

/// Checks for an attack in a callback that has a device.
pub(crate) fn with_device(callback: Callback, dev: &Device<Attacked>) {
    if let Some(attack) = dev.trap.take_attack(callback) {
        attack.without_device();
        attack.with_device(dev);
        attack.ends();
    }
}

/// Checks for an attack in a callback that has an object.
pub(crate) fn with_object(callback: Callback, object: &Object) {
    if let Some(attack) = object.device().trap.take_attack(callback) {
        attack.without_device();
        attack.with_device(object.device());
        attack.with_object(object);
        attack.ends();
    }
}

/// Checks for an attack in a callback that has an object and an open file.
pub(crate) fn with_object_and_file(callback: Callback, object: &Object, file: &File<Client>) {
    if let Some(attack) = object.device().trap.take_attack(callback) {
        attack.without_device();
        attack.with_device(object.device());
        attack.with_object(object);
        attack.with_file(file);
        attack.ends();
    }
}

/// Carries out an attack when dropped.
pub(crate) struct DropTrap(pub(crate) Callback, pub(crate) ARef<Device<Attacked>>);

impl Drop for DropTrap {
    fn drop(&mut self) {
        with_device(self.0, &self.1);
    }
}

/// A running attack, with the device and the callback for the log.
struct Attack {
    id: u32,
    callback: &'static str,
}

impl Attack {
    fn log(&self, function: &str, answer: Result<u32>) {
        // CAST: The answers are small.
        let answer = answer.map_or_else(Error::to_errno, |value| value as i32);
        pr_info!("{}: {} {} {}\n", self.id, self.callback, function, answer);
    }

    fn log_result(&self, function: &str, answer: Result) {
        self.log(function, answer.map(|()| 0));
    }

    fn ends(&self) {
        pr_info!("{}: {} ends\n", self.id, self.callback);
    }

    fn without_device(&self) {
        self.log_result("fence", fences::scratch());
        self.log_result("sync-object", Syncobj::new(None).map(drop));
        // Reads a clock and a capability. A process that exits no longer has namespaces, so its
        // clock is not shifted.
        self.log("time", Ok(Monotonic::for_caller(1) as u32));
        self.log("capability", Ok(caller_has(Capability::SysAdmin).into()));
    }

    fn with_device(&self, dev: &Device<Attacked>) {
        self.log("enter", Ok(dev.enter(|_| ()).is_some().into()));
        self.log_result("work", dev.queue_work(|_| ()));
        self.log_result("prepared-work", dev.prepare_work(|_| ()).map(drop));
        self.log_result("action", dev.add_action(|| ()));
        drop(ARef::from(dev));
        self.log_result("object", objects::scratch(dev));
        self.log_result("dma", objects::scratch_dma(dev));
        self.log_result("space", space::scratch(dev));
    }

    fn with_object(&self, object: &Object) {
        drop(ARef::from(object));
        self.log_result(
            "mapping",
            object.vmap().and_then(|map| map.write(0, b"attack")),
        );
        self.log_result("offset", object.mmap_offset().map(drop));
        self.log_result("reservation", fences::attach(object));
    }

    fn with_file(&self, file: &File<Client>) {
        let object = Object::new(file.device(), gem::Size::PAGE, ());
        let handle = object.and_then(|object| object.create_handle(file));
        self.log_result(
            "lookup",
            handle
                .and_then(|handle| Object::lookup(file, handle))
                .map(drop),
        );
        self.log_result(
            "event",
            Event::reserve(file, kept::MESSAGE).map(Event::send),
        );
        self.log_result(
            "cancelled-event",
            Event::reserve(file, kept::MESSAGE).map(drop),
        );
        self.log_result("kept-event", kept::event(file));
        let sync = Syncobj::new(None).and_then(|object| object.create_handle(file));
        let found = sync.and_then(|handle| find_fence(file, handle, 0, WaitForSubmit::No));
        // The sync object has no fence yet.
        self.log_result("find-fence", found.map(drop));
        self.log("master", Ok(file.is_current_master().into()));
    }
}
