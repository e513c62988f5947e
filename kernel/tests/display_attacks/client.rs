// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! The clients, and the ioctl that requests attacks.

use crate::{
    edid,
    objects::{
        CHECK_FAILS,
        NO_STATES,
        PREPARE_FAILS,
        UNSTEADY,
        WAIT_IN_FLUSH, //
    },
    pixels,
    setups,
    trap,
    uapi::{
        self,
        drm_display_attack, //
    },
    Attacked, //
};
use drm::{
    ioctl::Unguarded,
    kms::{
        framebuffer::Map,
        screen::Screen, //
    },
    Device,
    File,
    Registered, //
};
use kernel::{
    new_mutex,
    prelude::*,
    sync::{
        atomic::Relaxed,
        Mutex, //
    },
    time::{
        delay::fsleep,
        Delta, //
    }, //
};

#[pin_data]
pub(crate) struct Client {
    /// A mapping that outlives its framebuffer's handles, the display and the binding.
    #[pin]
    kept: Mutex<Option<Map<Attacked>>>,
}

#[vtable]
impl drm::DriverFile for Client {
    type Driver = Attacked;

    fn open(_dev: &Device<Attacked, Registered>) -> impl PinInit<Self, Error> {
        try_pin_init!(Self {
            kept <- new_mutex!(None),
        })
    }

    fn close(self: Pin<&Self>, dev: &Device<Attacked, Registered>) {
        trap::with_device(trap::FILE_CLOSE, dev);
        if let Some(map) = self.kept.lock().take() {
            match first_pixel(&map) {
                Ok(pixel) => pr_info!("kept pixel {pixel:#x}\n"),
                Err(error) => pr_info!("kept pixel: {}\n", error.to_errno()),
            }
        }
    }
}

fn first_pixel(map: &Map<Attacked>) -> Result<u32> {
    let mut pixel = [0; 4];
    map.read(|pixels| pixels.row(0, 0, 0, &mut pixel))??;
    Ok(u32::from_le_bytes(pixel))
}

impl Client {
    /// Implements `DRM_IOCTL_DISPLAY_ATTACK`.
    pub(crate) fn attack(
        call: &Unguarded<'_, Attacked>,
        arg: &mut drm_display_attack,
        file: &File<Self>,
    ) -> Result {
        let dev: &Device<Attacked, Registered> = call;
        // CAST: The values that are errors and switches are small.
        let value = arg.value as i32;
        match arg.what {
            uapi::DISPLAY_ATTACK_TICK => {
                let screen = dev.objects().keys.screen;
                return dev
                    .enter(|plugged| plugged.handle_vblank(screen))
                    .ok_or(ENODEV)?;
            }
            uapi::DISPLAY_ATTACK_TRAP => trap::arm(arg.value),
            uapi::DISPLAY_ATTACK_CHECK_FAILS => CHECK_FAILS.store(value, Relaxed),
            uapi::DISPLAY_ATTACK_PREPARE_FAILS => PREPARE_FAILS.store(value, Relaxed),
            uapi::DISPLAY_ATTACK_NO_STATES => NO_STATES.store(value, Relaxed),
            uapi::DISPLAY_ATTACK_WRONG_SETUPS => setups::TRY.store(1, Relaxed),
            uapi::DISPLAY_ATTACK_SCREEN => return screen(call),
            uapi::DISPLAY_ATTACK_BORDERS => {
                arg.value = of_the_lowest(call, |state| {
                    pixels::borders(state.framebuffer().ok_or(ENOENT)?)
                })?;
            }
            uapi::DISPLAY_ATTACK_KEEP => {
                let map = of_the_lowest(call, |state| state.framebuffer().ok_or(ENOENT)?.map())?;
                *file.kept.lock() = Some(map);
            }
            uapi::DISPLAY_ATTACK_MAP_AGAIN => return map_again(file),
            uapi::DISPLAY_ATTACK_WAIT_IN_FLUSH => WAIT_IN_FLUSH.store(value, Relaxed),
            uapi::DISPLAY_ATTACK_HOTPLUGS => return hotplugs(dev, arg.value),
            uapi::DISPLAY_ATTACK_EDID => edid::SEED.store(arg.value.into(), Relaxed),
            _ => return Err(EINVAL),
        }
        Ok(())
    }
}

/// Reads the kept mapping, and maps its framebuffer meanwhile until that fails.
fn map_again(file: &File<Client>) -> Result {
    let kept = file.kept.lock();
    let map = kept.as_ref().ok_or(ENOENT)?;
    map.read(|pixels| {
        pr_info!("reading\n");
        loop {
            drop(pixels.framebuffer().map()?);
            fsleep(Delta::from_millis(1));
        }
    })?
}

type LayerState = drm::kms::PlaneState<crate::Layer>;

/// Calls `f` for the lowest plane that is shown.
fn of_the_lowest<R>(
    call: &Unguarded<'_, Attacked>,
    mut f: impl FnMut(&LayerState) -> Result<R>,
) -> Result<R> {
    let mut result = Err(ENOENT);
    call.with_screen(call.objects().keys.screen, |screen| {
        let mut first = true;
        screen.each_plane(|_, state| {
            if core::mem::take(&mut first) {
                result = f(state);
            }
        });
    })?;
    result
}

fn screen(call: &Unguarded<'_, Attacked>) -> Result {
    let objects = call.objects();
    let foreign = objects.foreign.ok_or(EIO)?;
    if call.with_screen(foreign.screen, |_| ()) != Err(EINVAL) {
        return Err(EIO);
    }
    call.with_screen(objects.keys.screen, |screen: &Screen<'_, Attacked>| {
        trap::with_device(trap::SCREEN, call);
        screen.each_plane(|_, state| {
            // What was prepared is there while a plane is shown, and can be kept beyond.
            let shown = state.prepared().cloned();
            let read = shown.as_ref().map(|shown| first_pixel(shown.map()).is_ok());
            pr_info!("a plane is shown, prepared and read: {:?}\n", read);
        });
    })
}

/// Reports hotplugs, of a display that is never sure whether it is there.
fn hotplugs(dev: &Device<Attacked, Registered>, count: u32) -> Result {
    let monitor = dev.objects().keys.monitor;
    UNSTEADY.store(i32::from(count != 0), Relaxed);
    for _ in 0..count {
        dev.enter(|plugged| plugged.hotplug(monitor))
            .ok_or(ENODEV)??;
    }
    Ok(())
}
