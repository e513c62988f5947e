// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A display whose hooks can be counted, whose vblanks come on request, and whose flush keeps a
//! scene, to test the layer of mode setting.

#![forbid(unsafe_code)]

mod objects;
mod on_fence;
mod requests;
mod uapi;

use crate::{
    objects::{
        Layer,
        Monitor,
        Screen, //
    },
    requests::{
        Failure,
        Gate, //
    }, //
};
use drm::{
    gem,
    kms,
    Device,
    File,
    Plugged,
    Registered, //
};
use kernel::{
    prelude::*,
    sync::{
        atomic::{
            Atomic,
            Full,
            Relaxed, //
        },
        Arc, //
    }, //
};

drm::module_platform_driver! {
    virtual_device: c"display_test",
    type: Show,
    name: "display_test",
    authors: ["The Drydock authors"],
    description: "Test driver of mode setting",
    license: "Dual MIT/GPL",
}

pub(crate) struct Show;

/// How often each hook was called, what flush has seen, and what a test asks of the hooks.
#[pin_data]
pub(crate) struct Counts {
    pub(crate) enabled: Atomic<i32>,
    pub(crate) disabled: Atomic<i32>,
    pub(crate) vblank_on: Atomic<i32>,
    pub(crate) vblank_off: Atomic<i32>,
    pub(crate) planes: Atomic<i32>,
    pub(crate) pixel: Atomic<i32>,
    pub(crate) prepared: Atomic<i32>,
    pub(crate) refused: Atomic<i32>,
    pub(crate) damage: [Atomic<i32>; 4],
    pub(crate) dark: Atomic<i32>,
    /// Faults that clients have asked for: 1 or 0.
    pub(crate) keeps: Atomic<i32>,
    pub(crate) breaks: Atomic<i32>,
    pub(crate) reenters: Atomic<i32>,
    pub(crate) pulls_asleep: Atomic<i32>,
    /// Whether the display sleeps: 1 or 0.
    pub(crate) asleep: Atomic<i32>,
    pub(crate) disturbed: Atomic<i32>,
    /// Whether a display is attached: 1 or 0.
    pub(crate) attached: Atomic<i32>,
    pub(crate) planes_off: Atomic<i32>,
    /// Framebuffers that are prepared. A mapping of one keeps the device, but not this count.
    pub(crate) alive: Arc<Atomic<i32>>,
    pub(crate) fail_plane: Failure,
    pub(crate) fail_crtc: Failure,
    pub(crate) fail_prepare: Failure,
    #[pin]
    pub(crate) gate: Gate,
    #[pin]
    pub(crate) callbacks: on_fence::Callbacks,
}

impl Counts {
    fn new() -> impl PinInit<Self, Error> {
        try_pin_init!(Self {
            enabled: Atomic::new(0),
            disabled: Atomic::new(0),
            vblank_on: Atomic::new(0),
            vblank_off: Atomic::new(0),
            planes: Atomic::new(0),
            pixel: Atomic::new(0),
            prepared: Atomic::new(0),
            refused: Atomic::new(0),
            damage: [const { Atomic::new(0) }; 4],
            dark: Atomic::new(0),
            keeps: Atomic::new(0),
            breaks: Atomic::new(0),
            reenters: Atomic::new(0),
            pulls_asleep: Atomic::new(0),
            asleep: Atomic::new(0),
            disturbed: Atomic::new(0),
            attached: Atomic::new(1),
            planes_off: Atomic::new(0),
            alive: Arc::new(Atomic::new(0), GFP_KERNEL)?,
            fail_plane: Failure::new(),
            fail_crtc: Failure::new(),
            fail_prepare: Failure::new(),
            gate <- Gate::new(),
            callbacks <- on_fence::Callbacks::new(),
        })
    }
}

#[vtable]
impl drm::Driver for Show {
    type Data = Counts;
    type RegistrationData<'bound> = ();
    type File = drm::Plain<Self>;
    type Object = gem::shmem::Object<drm::Plain<Self>>;
    type Kms = kms::Kms;

    const INFO: drm::DriverInfo =
        drm::DriverInfo::new(c"display_test", c"Test driver of mode setting");
    const FEATURES: drm::Features = drm::Features::GEM.syncobj();

    drm::ioctls! {
        uapi::DRM_IOCTL_DISPLAY_TEST: uapi::drm_display_test, NONE => Show::control;
    }

    /// Sleeps. If a test asks for it, the display is taken away then.
    fn suspend(dev: &Plugged<'_, Self>, _data: &()) -> Result {
        dev.asleep.store(1, Relaxed);
        if dev.pulls_asleep.xchg(0, Full) != 0 {
            dev.attached.store(0, Relaxed);
            dev.hotplug(dev.objects().monitor)?;
        }
        Ok(())
    }

    fn resume(dev: &Plugged<'_, Self>, _data: &()) -> Result {
        dev.asleep.store(0, Relaxed);
        Ok(())
    }

    /// Logs whether each CRTC that was switched on was switched off again.
    fn unplugged(dev: &Device<Self, Registered>, _data: &()) {
        let (on, off) = (dev.enabled.load(Relaxed), dev.disabled.load(Relaxed));
        let planes = dev.planes_off.load(Relaxed);
        let alive = dev.alive.load(Relaxed);
        pr_info!("enabled {on} times, disabled {off} times\n");
        pr_info!("planes off {planes} times, {alive} prepared\n");
    }
}

impl kms::Driver for Show {
    type Plane = Layer;
    type Crtc = Screen;
    type Connector = Monitor;
    type Objects = objects::Objects;

    const COPIES: bool = true;
}

impl Show {
    fn control(
        dev: &Plugged<'_, Show>,
        _data: &(),
        arg: &mut uapi::drm_display_test,
        file: &File<drm::Plain<Show>>,
    ) -> Result {
        let objects = dev.objects();
        let on = i32::from(arg.value != 0);
        match arg.what {
            uapi::DISPLAY_TEST_TICK => dev.handle_vblank(objects.screen)?,
            uapi::DISPLAY_TEST_ATTACH => {
                dev.attached.store(on, Relaxed);
                dev.hotplug(objects.monitor)?;
            }
            uapi::DISPLAY_TEST_COUNTS => {}
            uapi::DISPLAY_TEST_HOLD => dev.gate.set(arg.value != 0),
            uapi::DISPLAY_TEST_FAIL_PLANE => dev.fail_plane.set(arg.value)?,
            uapi::DISPLAY_TEST_FAIL_CRTC => dev.fail_crtc.set(arg.value)?,
            uapi::DISPLAY_TEST_FAIL_PREPARE => dev.fail_prepare.set(arg.value)?,
            uapi::DISPLAY_TEST_FIRST_KEY => dev.handle_vblank(objects::first()?)?,
            uapi::DISPLAY_TEST_ON_FENCE => dev.callbacks.add(file, arg.value)?,
            uapi::DISPLAY_TEST_KEEP => dev.keeps.store(on, Relaxed),
            uapi::DISPLAY_TEST_BREAK => dev.breaks.store(on, Relaxed),
            uapi::DISPLAY_TEST_REENTER => dev.reenters.store(on, Relaxed),
            uapi::DISPLAY_TEST_PULL_ASLEEP => dev.pulls_asleep.store(on, Relaxed),
            _ => return Err(EINVAL),
        }
        let read = |count: &Atomic<i32>| count.load(Relaxed) as u32;
        arg.enabled = read(&dev.enabled);
        arg.disabled = read(&dev.disabled);
        arg.vblank_on = read(&dev.vblank_on);
        arg.vblank_off = read(&dev.vblank_off);
        arg.planes = read(&dev.planes);
        arg.pixel = read(&dev.pixel);
        arg.planes_off = read(&dev.planes_off);
        arg.alive = read(&dev.alive);
        arg.held = dev.gate.waiting() as u32;
        arg.disturbed = read(&dev.disturbed);
        arg.prepared = read(&dev.prepared);
        arg.refused = read(&dev.refused);
        for (out, place) in arg.damage.iter_mut().zip(&dev.damage) {
            *out = read(place);
        }
        arg.dark = read(&dev.dark);
        Ok(())
    }
}

impl drm::platform::Driver for Show {
    type IdInfo = ();

    fn probe<'bound>(
        cx: &drm::platform::Probe<'bound>,
        _id: Option<&'bound ()>,
    ) -> Result<drm::Ready<'bound, Self>> {
        drm::UnregisteredDevice::<Self>::new(cx, Counts::new())?
            .init_kms(objects::set_up)?
            .ready(Ok(()))
    }
}
