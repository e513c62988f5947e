// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Makes each call fail that can fail while a display is set up, while its console is, while it is switched on after a
//! sleep, and while it is switched off for its unbind (K4, K5, K21).
//!
//! Source: `kernel/drm/kms/{setup,off}.rs`; drm_mode_config.c, drm_crtc.c, drm_fbdev_client.c, drm_atomic_helper.c
//! (Linux 7.3).

use std::cell::RefCell;

use sys::Answer;
use uapi::mode::ARGB8888;

use super::teardown::{comes_back, is_gone, works_again};
use crate::cases::bus::edu::tested;
use crate::harness::check::{Outcome, fail};
use crate::harness::failnth::{Call, Fault, MEMORY, PAGES, REALLOC, enomem, null};
use crate::harness::modules;
use crate::subjects::display::request::{Place, Request};
use crate::subjects::display::{Card, Display, Unbound};
use crate::subjects::driver::module_users;
use crate::subjects::guest::Guest;
use crate::subjects::lifecycle::left_of;
use crate::sweeps::calls::{LOAD, PROBE, Stood, Within, called, each_call};
use crate::{holds, same, works};

crate::cases::cases! {
    "vkms_probe" for Vkms:
    k4_each_failure_of_set_up_is_undone within 600, k4_each_failure_of_the_console_leaves_a_display within 600,
    l3_each_failure_of_the_module_init_is_undone within 240,
    k5_each_failure_of_a_resume_leaves_a_display within 240,
    k21_each_failure_at_unbind_is_made_up_for within 300, k21_display_goes_off_without_memory within 300,
}

/// The function that sets up the console. C goes on without one.
const CONSOLE: &str = "drm_client_setup";

/// A probe until its device is registered.
const SET_UP: Within = Within { outside: &[CONSOLE], ..PROBE };

/// The set-up of the console. The device works without it. C keeps a connector when an array cannot grow in its probe, and
/// uses a buffer of the framebuffer that it has not got (docs/reference/c-core-faults.md).
const OF_THE_CONSOLE: Within = Within {
    scope: CONSOLE,
    outside: &["register_framebuffer", "drm_client_modeset_probe"],
    stands: &[(REALLOC, u32::MAX)],
    ..PROBE
};

/// The commit that switches everything off. Another one follows if it fails.
const OFF: Within =
    Within { scope: "drm_atomic_helper_disable_all", outside: &[], c_goes_on: true, stands: &[(REALLOC, u32::MAX)] };

/// The commit that switches on after a sleep what was on. Without memory the outputs stay off.
const RESUME: Within =
    Within { scope: "drm_rust_resume", outside: &[], c_goes_on: true, stands: &[(REALLOC, u32::MAX)] };

/// The name of the source of a CRTC's checksums, which `drm_crtc_crc_init()` copies. The compiler inlines that function.
const CRC_SOURCE: Call = null("kstrdup");
const OF_A_CRTC: Within = Within { scope: "drm_crtc_init_with_planes", ..SET_UP };

/// The steps of set-up besides allocations, given by the functions that perform them.
const STEPS: &[Call] = &[
    enomem("drmm_mode_config_init"),
    enomem("drm_universal_plane_init"),
    enomem("drm_plane_create_blend_mode_property"),
    enomem("drm_crtc_init_with_planes"),
    CRC_SOURCE,
    enomem("drm_encoder_init"),
    enomem("drm_connector_init"),
    enomem("drm_connector_attach_encoder"),
    enomem("drm_mode_object_add"),
    enomem("drm_vblank_init"),
    enomem("drm_mode_config_create_initial_state"),
    enomem("drm_dev_register"),
    enomem("drm_modeset_register_all"),
];

/// Loads the driver with two outputs of three planes each, and unbinds its device.
fn unbound(guest: &Guest) -> Outcome<Unbound> {
    match modules::remove(guest.driver.module()) {
        Ok(()) | Err(rustix::io::Errno::NOENT) => {}
        Err(errno) => return fail(format!("the driver cannot be unloaded: {errno}")),
    }
    works!(guest.modules()?.of("failnth")?.load());
    works!(guest.modules()?.load_with(c"outputs=2 enable_overlay=1"));
    Card::first(guest)?.unbind()
}

/// Checks that nothing is left of a probe. Its device was unbound if the probe worked.
fn nothing_left(guest: &Guest) -> Outcome {
    same!(left_of("vkms"), None);
    same!(module_users(guest.driver.module())?, Some(0));
    Ok(())
}

/// Every object of every kind: nothing is half attached, and the next probe works.
fn k4_each_failure_of_set_up_is_undone(guest: &Guest) -> Outcome {
    let device = unbound(guest)?;
    let mut total = 0;
    for call in MEMORY.iter().chain([&PAGES]).chain(STEPS) {
        let after = |answer: Answer| {
            // C goes on without the node's file or its name, so the device may have no card.
            if answer.is_ok() {
                works!(device.unbind());
            }
            nothing_left(guest)
        };
        let within = if call.function == CRC_SOURCE.function { &OF_A_CRTC } else { &SET_UP };
        let calls = each_call(*call, within, || device.bind(), after)?;
        if STEPS.iter().any(|step| step.function == call.function) {
            called(*call, calls)?;
        }
        total += calls;
    }
    eprintln!("{}: {total} failures", guest.case);
    works!(device.bind());
    works_again(guest)?;
    comes_back(guest)
}

/// A display without its console is complete: it shows a client's picture, and goes.
fn k4_each_failure_of_the_console_leaves_a_display(guest: &Guest) -> Outcome {
    let device = unbound(guest)?;
    let mut total = 0;
    for call in MEMORY.iter().chain([&PAGES]) {
        let after = |answer: Answer| {
            works!(answer);
            works_again(guest)?;
            Card::first(guest)?.unbind()?;
            nothing_left(guest)
        };
        total += each_call(*call, &OF_THE_CONSOLE, || device.bind(), after)?;
    }
    holds!(total > 20, "{total} calls could fail");
    eprintln!("{}: {total} failures", guest.case);
    works!(device.bind());
    works_again(guest)?;
    comes_back(guest)
}

/// The module's init makes its queues, its device and the first probe, which makes the queue of commits.
fn l3_each_failure_of_the_module_init_is_undone(guest: &Guest) -> Outcome {
    const INIT: &[Call] = &[
        null("alloc_workqueue_noprof"),
        enomem("__platform_driver_register"),
        null("platform_device_alloc"),
        enomem("platform_device_add"),
        null(REALLOC),
    ];
    // Without a queue of commits only the probe fails.
    const STANDS: &[Stood] = &[("alloc_workqueue_noprof", 1), (REALLOC, u32::MAX)];
    const OF_INIT: Within = Within { outside: &[CONSOLE], stands: STANDS, ..LOAD };
    unbound(guest)?;
    works!(modules::remove(guest.driver.module()));
    let files = guest.modules()?.of(guest.driver.module())?;
    let mut total = 0;
    for call in INIT {
        let after = |answer: Answer| {
            if answer.is_ok() {
                works!(modules::remove(guest.driver.module()));
            }
            same!(module_users(guest.driver.module())?, None);
            Ok(())
        };
        let calls = each_call(*call, &OF_INIT, || files.load_last(), after)?;
        called(*call, calls)?;
        total += calls;
    }
    eprintln!("{}: {total} failures", guest.case);
    works_again(guest)?;
    comes_back(guest)
}

/// Lights both outputs with a flip under way on each. The client stays open over the unbind.
fn lit(guest: &Guest) -> Outcome<Display> {
    let display = Display::open(guest)?;
    for output in &display.outputs {
        let frame = display.light(output)?;
        if let Some(plane) = &output.cursor {
            let cursor = display.frame_of((64, 64), ARGB8888)?;
            let place = Place::at((3, 3), (64, 64));
            works!(display.commit(&Request::new().show(plane, output, cursor.fb, place), 0, 0));
        }
        works!(display.flip(output, frame.fb, 1));
    }
    Ok(display)
}

/// After a resume that failed, each output is as it was, or off. Either way its states are whole: a client's commits work.
fn k5_each_failure_of_a_resume_leaves_a_display(guest: &Guest) -> Outcome {
    let device = unbound(guest)?;
    works!(device.bind());
    let display = Display::open(guest)?;
    let mut total = 0;
    for call in MEMORY {
        let light = |output| display.light(output);
        let frames = display.outputs.iter().map(light).collect::<Outcome<Vec<_>>>()?;
        let after = |answer: Answer| {
            works!(answer);
            for (output, frame) in display.outputs.iter().zip(&frames) {
                if display.is_on(output)? {
                    same!(display.shown(&output.primary)?, frame.fb);
                }
                display.show(output, frame)?;
            }
            Ok(())
        };
        total += each_call(*call, &RESUME, || tested("devices", "freeze"), after)?;
        for (output, frame) in display.outputs.iter().zip(&frames) {
            works!(display.flip(output, frame.fb, 1));
            same!(display.flipped()?.user_data, 1);
        }
    }
    holds!(total > 5, "{total} calls could fail");
    eprintln!("{}: {total} failures", guest.case);
    drop(display);
    comes_back(guest)
}

/// Checks that a client whose device was unbound got its events, closes it, and binds the device again.
fn again(guest: &Guest, display: Display, device: &Unbound) -> Outcome<Display> {
    for _ in &display.outputs {
        same!(display.flipped()?.user_data, 1);
    }
    is_gone(&display)?;
    drop(display);
    nothing_left(guest)?;
    works!(device.bind());
    lit(guest)
}

/// A failure at unbind is made up for by the next attempt.
fn k21_each_failure_at_unbind_is_made_up_for(guest: &Guest) -> Outcome {
    let device = unbound(guest)?;
    works!(device.bind());
    let display = RefCell::new(Some(lit(guest)?));
    let mut total = 0;
    for call in MEMORY {
        let after = |answer: Answer| {
            works!(answer);
            let old = display.take().expect("a client is open");
            *display.borrow_mut() = Some(again(guest, old, &device)?);
            Ok(())
        };
        total += each_call(*call, &OFF, || device.unbind(), after)?;
    }
    holds!(total > 5, "{total} calls could fail");
    eprintln!("{}: {total} failures", guest.case);
    drop(display);
    comes_back(guest)
}

/// From some allocation on there is no memory for a commit that switches off.
fn k21_display_goes_off_without_memory(guest: &Guest) -> Outcome {
    let device = unbound(guest)?;
    works!(device.bind());
    let mut display = lit(guest)?;
    let mut total = 0;
    for call in MEMORY {
        for nth in 1.. {
            let fault = Fault::onwards(*call, nth, OFF.scope)?;
            works!(device.unbind());
            let hits = fault.count()?.hits;
            drop(fault);
            display = again(guest, display, &device)?;
            if hits == 0 {
                break;
            }
            total += 1;
        }
    }
    holds!(total > 5, "{total} calls could fail");
    eprintln!("{}: {total} failures", guest.case);
    drop(display);
    comes_back(guest)
}
