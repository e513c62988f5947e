// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Faults of C's vkms and of the C core, as cases that C's vkms fails.
//!
//! Each needs a set-up that ours does not offer, or a call that waits and is then skipped, which leaks on any driver. So
//! only `--impossible` runs them, on C's vkms, one in a guest (`docs/reference/c-core-faults.md`).
//!
//! Source: `drivers/gpu/drm/vkms`, `drm_crtc.c`, `drm_mode_config.c`, `drm_atomic_helper.c`, `drm_fbdev_shmem.c`,
//! `drivers/video/fbdev/core/fb_chrdev.c` (Linux 7.3).

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;
use uapi::mode::*;

use super::faults::{checksums, unload, works_again};
use crate::harness::check::{Outcome, fail};
use crate::harness::failnth::{Call, Fault, null};
use crate::subjects::display::request::{Place, Request};
use crate::subjects::display::setup::Setup;
use crate::subjects::display::{Card, Display, Frame, Output};
use crate::subjects::guest::Guest;
use crate::{holds, same, works};

crate::cases::cases! {
    "vkms_c" for Vkms:
    second_encoder_of_a_connector_reaches_its_crtc, crtc_that_cannot_be_made_leaves_the_list,
    state_that_cannot_be_made_ends_the_probe, planes_are_read_from_their_own_buffers,
    unload_while_a_commit_is_released, unload_while_a_console_is_released,
}

/// The device that `Setup` describes in configfs.
const DESCRIBED: &str = "/sys/kernel/config/vkms/drydock";

/// Switches the described device on or off.
fn enable(on: bool) -> std::io::Result<()> {
    fs::write(Path::new(DESCRIBED).join("enabled"), if on { "1" } else { "0" })
}

/// Returns the described device after it was switched on again.
fn described(guest: &Guest) -> Outcome<Card> {
    let is_described = |card: &Card| card.parent.ends_with("drydock");
    match Card::all(guest.driver).into_iter().find(is_described) {
        Some(card) => Ok(card),
        None => fail("the device that was described has no node"),
    }
}

/// Describes a device, and makes a call fail while it is set up again. What comes of that must be whole: there is no
/// device, or one that shows a picture.
fn set_up_with_a_failure(guest: &Guest, call: Call, scope: &str) -> Outcome {
    works!(guest.modules()?.of("failnth")?.load());
    let (_setup, _) = Setup::outputs(guest, 1)?;
    enable(false)?;
    let fault = Fault::nth_within(call, 1, scope)?;
    let answer = enable(true);
    same!(fault.count()?.hits, 1);
    drop(fault);
    if answer.is_err() {
        return Ok(());
    }
    let display = Display::open_card(&described(guest)?)?;
    display.light(display.output()).map(drop)
}

/// K1: a connector has two encoders, and only the second reaches the CRTC.
fn second_encoder_of_a_connector_reaches_its_crtc(guest: &Guest) -> Outcome {
    let (_setup, _) = Setup::outputs(guest, 2)?;
    enable(false)?;
    let link = Path::new(DESCRIBED).join("connectors/0/possible_encoders/second");
    symlink(Path::new(DESCRIBED).join("encoders/1"), &link)?;
    enable(true)?;
    let answer = light_across(&Display::open_card(&described(guest)?)?);
    enable(false)?;
    fs::remove_file(link)?;
    answer
}

/// Shows a picture on the second CRTC, for the first connector.
fn light_across(display: &Display) -> Outcome {
    let [first, second] = display.outputs.as_slice() else { return fail("the device has two outputs") };
    let frame = display.frame(first.size())?;
    let mode = display.mode_blob(&first.mode())?;
    let request = Request::new()
        .set(&first.connector, "CRTC_ID", second.crtc.id.into())
        .set(&second.crtc, "MODE_ID", mode.into())
        .set(&second.crtc, "ACTIVE", 1)
        .show(&second.primary, second, frame.fb, Place::at((0, 0), first.size()));
    works!(display.commit(&request, ATOMIC_ALLOW_MODESET, 0));
    Ok(())
}

/// K4: a CRTC cannot be made, because there is no memory for the name of its source of checksums.
fn crtc_that_cannot_be_made_leaves_the_list(guest: &Guest) -> Outcome {
    set_up_with_a_failure(guest, null("kstrdup"), "__drm_crtc_init_with_planes")
}

/// K5: there is no memory for the first state that `drm_mode_config_reset()` makes.
fn state_that_cannot_be_made_ends_the_probe(guest: &Guest) -> Outcome {
    set_up_with_a_failure(guest, null("__kmalloc_cache_noprof"), "drm_mode_config_reset")
}

/// K24: the colours of a picture lie in a buffer of their own. The first one is the same all over.
fn planes_are_read_from_their_own_buffers(guest: &Guest) -> Outcome {
    let display = Display::open(guest)?;
    let output = display.output();
    let Some(folder) = checksums(guest)? else { return fail("the display makes checksums") };
    fs::write(folder.join("control"), "auto")?;
    display.light(output)?;
    let mut sums = Vec::new();
    for colour in [0x1010_1010, 0xf0f0_f0f0] {
        let frame = in_two_buffers(&display, output, colour)?;
        display.show(output, &frame)?;
        sums.push(checksum(&folder)?);
    }
    holds!(sums[0] != sums[1], "pictures of other colours have other checksums");
    Ok(())
}

/// Makes a picture of one brightness, whose colours are in a second buffer.
fn in_two_buffers(display: &Display, output: &Output, colour: u32) -> Outcome<Frame> {
    let (width, height) = output.size();
    let mut handles = [0; 2];
    for (handle, value) in handles.iter_mut().zip([0x8080_8080, colour]) {
        let made = works!(display.file.create_dumb(width, height, 8));
        same!(made.pitch, width);
        *handle = made.handle;
        let pixels = works!(display.file.map(made.handle, made.size as usize));
        for offset in (0..made.size as usize).step_by(4) {
            pixels.write(offset, value);
        }
    }
    let command = FbCmd2 {
        width,
        height,
        pixel_format: NV12,
        handles: [handles[0], handles[1], 0, 0],
        pitches: [width, width, 0, 0],
        ..Default::default()
    };
    let fb = works!(display.file.add_fb2(command));
    Ok(Frame { fb, handle: handles[0], pitch: width, bytes: 0, size: (width, height) })
}

/// Returns the checksum of a picture that is shown now. The first lines may be of the last picture.
fn checksum(folder: &Path) -> Outcome<String> {
    let data = works!(sys::open(folder.join("data"), OFlags::RDONLY));
    let mut last = String::new();
    for _ in 0..4 {
        let mut line = [0; 256];
        let len = works!(rustix::io::read(&data, &mut line));
        last = String::from_utf8_lossy(&line[..len]).trim().to_owned();
    }
    match last.split_once(' ') {
        Some((_, sum)) => Ok(sum.to_owned()),
        None => fail(format!("`{last}` is not a frame and its checksum")),
    }
}

/// K16: a worker is releasing the old state of a commit, in the driver's text, while the driver is unloaded.
fn unload_while_a_commit_is_released(guest: &Guest) -> Outcome {
    works!(guest.modules()?.of("failnth")?.load());
    let display = Display::open(guest)?;
    let output = display.output();
    let frames = [display.light(output)?, display.frame(output.size())?];
    let fault = Fault::nth_of_any_waits(null("__drm_atomic_helper_crtc_destroy_state"), 1)?;
    works!(display.flip(output, frames[1].fb, 1));
    fault.wait()?;
    drop(display);
    unload(guest)?;
    works!(fault.release());
    drop(fault);
    works_again(guest)
}

/// K34: the last close of a console's file is releasing the device, in the driver's text, while the driver is unloaded.
fn unload_while_a_console_is_released(guest: &Guest) -> Outcome {
    works!(guest.modules()?.of("failnth")?.load());
    let (setup, card) = Setup::outputs(guest, 1)?;
    let Some(entry) = fs::read_dir(card.parent.join("graphics"))?.next() else { return fail("there is no console") };
    let file = works!(sys::open(PathBuf::from("/dev").join(entry?.file_name()), OFlags::RDWR));
    drop(setup);
    let fault = Fault::nth_of_any_waits(null("drm_fb_helper_fini"), 1)?;
    std::thread::scope(|scope| -> Outcome {
        scope.spawn(move || drop(file));
        fault.wait()?;
        unload(guest)?;
        works!(fault.release());
        Ok(())
    })?;
    drop(fault);
    works_again(guest)
}
