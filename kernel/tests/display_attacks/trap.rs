// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! Traps: hooks that call every safe function for which they have the arguments.

use crate::{
    Attacked,
    Buffer, //
};
use drm::{
    gem::{
        self,
        Class, //
    },
    kms::Framebuffer,
    Device,
    Init, //
};
use kernel::{
    fmt,
    prelude::*,
    sync::{
        aref::ARef,
        atomic::{
            Atomic,
            Full,
            Relaxed, //
        },
    }, //
};

/// A hook, with its number in the uapi and its name in the log.
#[derive(Clone, Copy)]
pub(crate) struct Hook(u32, &'static str);

pub(crate) const MODE_VALID: Hook = Hook(1, "mode-valid");
pub(crate) const PLANE_CHECK: Hook = Hook(2, "plane-check");
pub(crate) const CRTC_CHECK: Hook = Hook(3, "crtc-check");
pub(crate) const PREPARE: Hook = Hook(4, "prepare");
pub(crate) const UPDATE: Hook = Hook(5, "update");
pub(crate) const PLANE_DISABLE: Hook = Hook(6, "plane-disable");
pub(crate) const ENABLE: Hook = Hook(7, "enable");
pub(crate) const DISABLE: Hook = Hook(8, "disable");
pub(crate) const FLUSH: Hook = Hook(9, "flush");
pub(crate) const DETECT: Hook = Hook(10, "detect");
pub(crate) const MODES: Hook = Hook(11, "modes");
pub(crate) const VBLANK_ON: Hook = Hook(12, "vblank-on");
pub(crate) const VBLANK_OFF: Hook = Hook(13, "vblank-off");
pub(crate) const SUSPEND: Hook = Hook(14, "suspend");
pub(crate) const RESUME: Hook = Hook(15, "resume");
pub(crate) const UNPLUGGED: Hook = Hook(16, "unplugged");
pub(crate) const FILE_CLOSE: Hook = Hook(17, "file-close");
pub(crate) const SCREEN: Hook = Hook(18, "screen");

/// The hook whose next call is an attack.
static ARMED: Atomic<u32> = Atomic::new(0);

pub(crate) fn arm(hook: u32) {
    ARMED.store(hook, Relaxed);
}

fn is_sprung(hook: Hook) -> bool {
    ARMED.cmpxchg(hook.0, 0, Full).is_ok()
}

/// The functions that an attack has called, and their answers.
struct Answers {
    list: [(&'static str, i32); 12],
    count: usize,
}

impl Answers {
    fn new() -> Self {
        Self {
            list: [("", 0); 12],
            count: 0,
        }
    }

    fn add(&mut self, function: &'static str, answer: Result) {
        let answer = answer.map_or_else(Error::to_errno, |()| 0);
        self.list[self.count] = (function, answer);
        self.count += 1;
    }

    fn say(&self, hook: Hook) {
        pr_info!("{}: {}\n", hook.1, self);
    }
}

impl fmt::Display for Answers {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (function, answer) in &self.list[..self.count] {
            write!(to, "{function} {answer}, ")?;
        }
        to.write_str("end")
    }
}

/// Attacks in a hook that may sleep.
pub(crate) fn with_device(hook: Hook, dev: &Device<Attacked, Init>) {
    if is_sprung(hook) {
        let mut answers = Answers::new();
        anywhere(&mut answers, dev);
        with_sleep(&mut answers, dev);
        answers.say(hook);
    }
}

/// Attacks in a hook that may sleep and has a framebuffer.
pub(crate) fn with_framebuffer(
    hook: Hook,
    dev: &Device<Attacked, Init>,
    framebuffer: &Framebuffer<Attacked>,
) {
    if is_sprung(hook) {
        let mut answers = Answers::new();
        anywhere(&mut answers, dev);
        with_sleep(&mut answers, dev);
        answers.add("map", map(framebuffer));
        answers.say(hook);
    }
}

/// Attacks in a hook that runs with interrupts off.
pub(crate) fn in_atomic_context(hook: Hook, dev: &Device<Attacked, Init>) {
    if is_sprung(hook) {
        let mut answers = Answers::new();
        anywhere(&mut answers, dev);
        answers.say(hook);
    }
}

/// Calls what may be called in any context.
fn anywhere(answers: &mut Answers, dev: &Device<Attacked, Init>) {
    let objects = dev.objects();
    answers.add("enter", dev.enter(|_| ()).ok_or(ENODEV));
    answers.add("own", dev.get(objects.keys.screen).map(drop));
    if let Some(foreign) = objects.foreign {
        answers.add("foreign", dev.get(foreign.screen).map(drop));
        let vblank = dev.enter(|plugged| plugged.handle_vblank(foreign.screen));
        answers.add("foreign-vblank", vblank.unwrap_or(Err(ENODEV)));
    }
    drop(ARef::<Device<Attacked>>::from(&**dev));
}

fn with_sleep(answers: &mut Answers, dev: &Device<Attacked, Init>) {
    let objects = dev.objects();
    let entered = |result: Option<Result>| result.unwrap_or(Err(ENODEV));
    let vblank = dev.enter(|plugged| plugged.handle_vblank(objects.keys.screen));
    answers.add("vblank", entered(vblank));
    let hotplug = dev.enter(|plugged| plugged.hotplug(objects.keys.monitor));
    answers.add("hotplug", entered(hotplug));
    if let Some(foreign) = objects.foreign {
        let hotplug = dev.enter(|plugged| plugged.hotplug(foreign.monitor));
        answers.add("foreign-hotplug", entered(hotplug));
    }
    answers.add("work", dev.queue_work(|_| ()));
    answers.add("object", object(dev));
}

/// Creates an object, and maps it.
fn object(dev: &Device<Attacked>) -> Result {
    let object = gem::shmem::Object::<Buffer>::new(dev, gem::Size::PAGE, ())?;
    object.vmap()?.write(0, b"attack")
}

/// Maps a framebuffer, and reads it.
fn map(framebuffer: &Framebuffer<Attacked>) -> Result {
    let mut pixel = [0; 4];
    framebuffer
        .map()?
        .read(|pixels| pixels.row(0, 0, 0, &mut pixel))?
}
