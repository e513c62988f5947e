// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The layer of mode setting, by a driver whose hooks are counted, and whose vblanks come on request.
//!
//! Source: `kernel/tests/display/display_test_drm.h`.

pub(crate) mod commits;
pub(crate) mod off;

use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::io::Errno;
use sys::{Answer, write};
use uapi::mode::*;
use uapi::{
    DISPLAY_TEST, DISPLAY_TEST_ATTACH, DISPLAY_TEST_BREAK, DISPLAY_TEST_COUNTS, DISPLAY_TEST_HOLD, DISPLAY_TEST_KEEP,
    DISPLAY_TEST_ON_FENCE, DISPLAY_TEST_PULL_ASLEEP, DISPLAY_TEST_REENTER, DISPLAY_TEST_TICK, DisplayTest,
};

use super::bus::edu::tested;
use crate::harness::check::{Outcome, fail};
use crate::harness::modules;
use crate::subjects::device::DrmFile;
use crate::subjects::display::request::{Place, Request};
use crate::subjects::display::{Display, Frame};
use crate::subjects::guest::Guest;
use crate::subjects::lifecycle::{self, Test, node};
use crate::{holds, same, works};

super::cases! {
    "display":
    k1_encoder_is_one_that_reaches_the_crtc, k6_properties_are_those_of_the_class, k12_legacy_cursor_waits_for_its_frame,
    k15_planes_are_updated_before_their_crtc_is_on, k18_flip_ends_at_the_interrupt,
    k18_interrupt_is_on_while_frames_are_wanted, k18_messages_of_vblanks_are_no_warnings, k20_hooks_reach_the_hardware_at_unbind,
    k24_damage_is_clipped_to_the_picture, k30_scenes_are_dropped_in_flush, k35_hotplug_is_noticed,
    k35_hotplug_that_a_client_notices_first_is_reported within 60,
    k35_hotplug_in_sleep_is_noticed_afterwards within 60, k35_unbind_does_not_wait_for_another_devices_probe within 60,
    k37_scene_has_all_planes, k37_unchanged_planes_are_not_prepared_again, k38_plane_that_must_cover_the_screen_does,
    k40_frame_in_a_hook_that_switches_vblanks_is_refused, k40_fences_callback_may_send_an_event,
    k41_kept_scene_does_not_keep_the_device,
}

const NAME: &str = "display_test";

/// The driver, and a client that has switched its display on.
struct Lit<'a> {
    test: Test<'a>,
    display: Display,
    frame: Frame,
}

impl<'a> Lit<'a> {
    fn new(guest: &'a Guest) -> Outcome<Self> {
        // An earlier case that failed has left it.
        let _ = modules::remove(NAME);
        Self::loaded(Test::new(guest)?)
    }

    /// Loads the driver.
    fn loaded(test: Test<'a>) -> Outcome<Self> {
        test.load(NAME)?;
        Self::bound(test)
    }

    /// Opens the device of the driver, which is loaded, and switches its display on.
    fn bound(test: Test<'a>) -> Outcome<Self> {
        Self::of(test, NAME)
    }

    /// Opens a platform device that the driver is bound to, and switches its display on.
    fn of(test: Test<'a>, device: &str) -> Outcome<Self> {
        let node = node(device, "card").expect("the device has a primary node");
        let display = Display::adopt(works!(DrmFile::open(node)))?;
        let frame = display.frame(display.output().size())?;
        let lit = Self { test, display, frame };
        let request = lit.display.lit(lit.display.output(), &lit.frame)?;
        lit.commit(&request)?;
        lit.finish()?;
        Ok(lit)
    }

    fn commit(&self, request: &Request) -> Outcome {
        works!(self.display.commit(request, ATOMIC_ALLOW_MODESET | ATOMIC_NONBLOCK | PAGE_FLIP_EVENT, 0));
        Ok(())
    }

    fn call(&self, what: u32, value: u32) -> Outcome<DisplayTest> {
        let call = DisplayTest { what, value, ..Default::default() };
        Ok(works!(self.display.file.ioctl(&DISPLAY_TEST, call)))
    }

    /// Ends frames until the event of a commit comes. The commit may not have come to its hardware yet.
    fn finish(&self) -> Outcome<DisplayTest> {
        loop {
            let counts = self.call(DISPLAY_TEST_TICK, 0)?;
            if self.display.has_event()? {
                self.display.flipped()?;
                return Ok(counts);
            }
            std::thread::yield_now();
        }
    }

    /// Returns a framebuffer whose first pixel has a color.
    fn coloured(&self, color: u32) -> Outcome<Frame> {
        let frame = self.display.frame(self.frame.size)?;
        self.display.pixels(&frame)?.write(0, color);
        Ok(frame)
    }

    /// Switches the display off, and removes the driver.
    fn end(self) -> Outcome {
        self.commit(&Request::new().off(self.display.output()))?;
        self.display.flipped()?;
        self.removed()?.unload()
    }

    /// Closes the device and removes the driver at once.
    fn removed(mut self) -> Outcome<Test<'a>> {
        drop(self.display);
        works!(modules::remove(NAME));
        same!(self.test.trace.count("never released"), 0);
        same!(self.test.trace.count("vblanks are on at the end"), 0);
        Ok(self.test)
    }
}

/// Binds the device or unbinds it, by the name of the driver's file in sysfs.
fn bus(file: &str) -> Answer {
    write(&format!("/sys/bus/platform/drivers/{NAME}/{file}"), NAME)
}

/// A connector has two encoders, and only the second reaches the CRTC.
fn k1_encoder_is_one_that_reaches_the_crtc(guest: &Guest) -> Outcome {
    let lit = Lit::new(guest)?;
    let connector = works!(lit.display.file.connector(lit.display.output().connector.id));
    let reached = |&encoder: &u32| Ok(works!(lit.display.file.encoder(encoder)).possible_crtcs);
    same!(connector.encoders.iter().map(reached).collect::<Outcome<Vec<_>>>()?, [2, 1]);
    same!(reached(&connector.info.encoder_id)?, 1);
    lit.end()
}

/// An object has the properties that its class offers. Neither others can be set, nor values that are not offered.
fn k6_properties_are_those_of_the_class(guest: &Guest) -> Outcome {
    const BLEND: &str = "pixel blend mode";
    let lit = Lit::new(guest)?;
    let output = lit.display.output();
    let cursor = output.cursor.as_ref().expect("the display has a cursor plane");
    holds!(output.planes().all(|plane| plane.has("FB_DAMAGE_CLIPS")), "the driver copies what is drawn");
    holds!(cursor.has(BLEND) && !output.primary.has(BLEND), "only the cursor has formats with alpha");
    holds!(output.connector.has("EDID"), "a display may say what it is");

    let test = |request: Request| lit.display.commit(&request, ATOMIC_TEST_ONLY, 0);
    let number = cursor.property(BLEND);
    let [premultiplied, coverage, none] = [0, 1, 2];
    works!(test(Request::new().number(cursor.id, number, premultiplied)));
    for value in [coverage, none, 3, u64::MAX] {
        same!(test(Request::new().number(cursor.id, number, value)), Err(Errno::INVAL));
    }
    for other in [&output.primary, &output.crtc, &output.connector] {
        same!(test(Request::new().number(other.id, number, premultiplied)), Err(Errno::NOENT));
    }
    same!(test(Request::new().set(&output.connector, "EDID", 0)), Err(Errno::INVAL));
    lit.end()
}

/// Hardware shows a cursor until the next vblank, also if it was changed by the legacy ioctl, for which C does not wait.
fn k12_legacy_cursor_waits_for_its_frame(guest: &Guest) -> Outcome {
    let lit = Lit::new(guest)?;
    lit.show_cursor()?;
    let other = lit.display.frame_of((64, 64), ARGB8888)?;
    let crtc_id = lit.display.output().crtc.id;
    let change =
        Cursor { flags: CURSOR_BO, crtc_id, width: 64, height: 64, handle: other.handle, ..Default::default() };
    // The primary plane, the old cursor and the new one.
    let held = std::thread::scope(|scope| -> Outcome<Vec<u32>> {
        let ioctl = scope.spawn(|| lit.display.file.ioctl(&CURSOR, change));
        while lit.call(DISPLAY_TEST_COUNTS, 0)?.alive < 3 && !ioctl.is_finished() {
            std::thread::yield_now();
        }
        let held = (0..100).map(|_| Ok(lit.call(DISPLAY_TEST_COUNTS, 0)?.alive)).collect::<Outcome<_>>()?;
        while !ioctl.is_finished() {
            lit.call(DISPLAY_TEST_TICK, 0)?;
            std::thread::yield_now();
        }
        works!(ioctl.join().expect("the client does not panic"));
        Ok(held)
    })?;
    same!(held, [3; 100]);
    while lit.call(DISPLAY_TEST_COUNTS, 0)?.alive > 2 {
        std::thread::yield_now();
    }
    lit.end()
}

/// A CRTC that is switched on shows its planes at once, unless its driver wants them last.
fn k15_planes_are_updated_before_their_crtc_is_on(guest: &Guest) -> Outcome {
    let lit = Lit::new(guest)?;
    same!(lit.finish_of_flip()?.dark, 1);
    lit.commit(&Request::new().off(lit.display.output()))?;
    lit.display.flipped()?;
    let request = lit.display.lit(lit.display.output(), &lit.frame)?;
    lit.commit(&request)?;
    same!(lit.finish()?.dark, 2);
    lit.end()
}

/// The event of a flip comes at the next vblank and not before, also if the flip is long on the screen.
fn k18_flip_ends_at_the_interrupt(guest: &Guest) -> Outcome {
    let lit = Lit::new(guest)?;
    let next = lit.coloured(0x0012_3456)?;
    works!(lit.display.flip(lit.display.output(), next.fb, 7));
    while lit.call(DISPLAY_TEST_COUNTS, 0)?.pixel != 0x0012_3456 {
        std::thread::yield_now();
    }
    holds!(!lit.display.has_event()?, "no frame has ended");
    lit.finish()?;
    lit.end()
}

/// The layer switches the interrupt on for a flip, and off with the CRTC.
fn k18_interrupt_is_on_while_frames_are_wanted(guest: &Guest) -> Outcome {
    let lit = Lit::new(guest)?;
    holds!(lit.finish_of_flip()?.vblank_on >= 1, "a flip wants a vblank");
    lit.commit(&Request::new().off(lit.display.output()))?;
    lit.display.flipped()?;
    let counts = lit.call(DISPLAY_TEST_COUNTS, 0)?;
    same!(counts.vblank_on, counts.vblank_off);
    same!((counts.enabled, counts.disabled), (1, 1));
    let request = lit.display.lit(lit.display.output(), &lit.frame)?;
    lit.commit(&request)?;
    lit.finish()?;
    lit.end()
}

/// C warns of a CRTC without timestamps when it arms an event and prints messages of vblanks.
fn k18_messages_of_vblanks_are_no_warnings(guest: &Guest) -> Outcome {
    const MESSAGES: &str = "/sys/module/drm/parameters/debug";
    const VBLANK: &str = "0x20";
    let lit = Lit::new(guest)?;
    let before = fs::read_to_string(MESSAGES)?;
    works!(write(MESSAGES, VBLANK));
    let finished = lit.finish_of_flip();
    works!(write(MESSAGES, before.trim()));
    finished?;
    lit.end()
}

impl Lit<'_> {
    fn finish_of_flip(&self) -> Outcome<DisplayTest> {
        works!(self.display.flip(self.display.output(), self.frame.fb, 1));
        self.finish()
    }
}

/// A display that is on when its driver is unbound goes off by its hook, which reaches the hardware.
fn k20_hooks_reach_the_hardware_at_unbind(guest: &Guest) -> Outcome {
    let mut lit = Lit::new(guest)?;
    // No vblank comes for this flip: the end must not wait for one.
    works!(lit.display.flip(lit.display.output(), lit.frame.fb, 1));
    works!(bus("unbind"));
    lit.test.trace.wait_for("enabled 1 times, disabled 1 times")?;
    lit.display.flipped()?;
    lit.removed()?.unload()
}

fn bytes(sides: &[u32]) -> Vec<u8> {
    sides.iter().flat_map(|side| side.to_ne_bytes()).collect()
}

/// A plane copies again what the client has drawn, as far as it is shown: a driver reads nothing else. C lets rectangles
/// pass whose sides are up to 65,536 times as far away as those of the framebuffer.
fn k24_damage_is_clipped_to_the_picture(guest: &Guest) -> Outcome {
    const LEFT: u32 = 32;
    const ABOVE: u32 = 16;
    let lit = Lit::new(guest)?;
    let (output, file) = (lit.display.output(), &lit.display.file);
    let (width, height) = lit.frame.size;
    let large = lit.display.frame((width + 2 * LEFT, height + 2 * ABOVE))?;
    let src = (u64::from(LEFT) << 16, u64::from(ABOVE) << 16);
    let place = Place { src, ..Place::at((0, 0), lit.frame.size) };
    let all = [LEFT, ABOVE, LEFT + width, ABOVE + height];
    let show = Request::new().show(&output.primary, output, large.fb, place);
    lit.commit(&show)?;
    same!(lit.finish()?.damage, all);

    let far = (large.size.0 << 16, large.size.1 << 16);
    let inside = [40, 20, 50, 30];
    let drawn: &[(&[[u32; 4]], [u32; 4])] = &[
        (&[inside], inside),
        (&[inside, [100, 60, 101, 61]], [40, 20, 101, 61]),
        (&[[0, 0, 48, 24]], [LEFT, ABOVE, 48, 24]),
        (&[[0, 0, LEFT, ABOVE]], [0; 4]),
        (&[[0, 0, far.0, far.1]], all),
        (&[[far.0 - 1, 0, far.0, far.1]], [0; 4]),
        (&[[far.0 - 1, 0, far.0, far.1], inside], inside),
    ];
    for (clips, wanted) in drawn {
        let blob = works!(file.create_blob(&bytes(clips.as_flattened())));
        lit.commit(&show.clone().set(&output.primary, "FB_DAMAGE_CLIPS", blob.into()))?;
        same!(lit.finish()?.damage, *wanted);
        works!(file.destroy_blob(blob));
    }

    let wrong: &[&[u32]] = &[&[4, 4, 4, 5], &[4, 5, 5, 4], &[0, 0, far.0 + 1, 1], &[u32::MAX, 0, 1, 1], &[1, 2, 3]];
    for clips in wrong {
        let blob = works!(file.create_blob(&bytes(clips)));
        let request = show.clone().set(&output.primary, "FB_DAMAGE_CLIPS", blob.into());
        same!(lit.display.commit(&request, ATOMIC_NONBLOCK | PAGE_FLIP_EVENT, 1), Err(Errno::INVAL));
        works!(file.destroy_blob(blob));
    }
    lit.end()
}

/// A flush replaces a scene of mappings with a spinlock held. Each flush reads the framebuffer that it shows.
fn k30_scenes_are_dropped_in_flush(guest: &Guest) -> Outcome {
    let lit = Lit::new(guest)?;
    let colors = [0x0011_1111, 0x0022_2222, 0x0033_3333];
    let frames = colors.map(|color| lit.coloured(color));
    let frames = frames.into_iter().collect::<Outcome<Vec<_>>>()?;
    for (frame, color) in frames.iter().zip(colors).cycle().take(60) {
        works!(lit.display.flip(lit.display.output(), frame.fb, 1));
        same!(lit.finish()?.pixel, color);
    }
    lit.end()
}

/// A hotplug changes the connector's status without a client that asks.
fn k35_hotplug_is_noticed(guest: &Guest) -> Outcome {
    let lit = Lit::new(guest)?;
    let status = status()?;
    for (value, wanted) in [(0, "disconnected"), (1, "connected"), (0, "disconnected"), (1, "connected")] {
        lit.call(DISPLAY_TEST_ATTACH, value)?;
        while fs::read_to_string(&status)?.trim() != wanted {
            std::thread::yield_now();
        }
    }
    lit.end()
}

/// A client asks for the status after the change and before the driver's report is looked at, or after it. Clients get a
/// uevent in each case.
fn k35_hotplug_that_a_client_notices_first_is_reported(guest: &Guest) -> Outcome {
    let lit = Lit::new(guest)?;
    let uevents = || fs::read_to_string("/sys/kernel/uevent_seqnum");
    let connector = lit.display.output().connector.id;
    works!(lit.display.file.connector(connector));
    for round in 0..40 {
        let before = uevents()?;
        lit.call(DISPLAY_TEST_ATTACH, round % 2)?;
        works!(lit.display.file.connector(connector));
        while uevents()? == before {
            std::thread::yield_now();
        }
    }
    lit.end()
}

/// A hotplug in the system's sleep does not reach hardware that sleeps. The display is looked at afterwards.
fn k35_hotplug_in_sleep_is_noticed_afterwards(guest: &Guest) -> Outcome {
    let lit = Lit::new(guest)?;
    // Nobody ends frames in the sleep.
    lit.commit(&Request::new().off(lit.display.output()))?;
    lit.display.flipped()?;
    lit.call(DISPLAY_TEST_PULL_ASLEEP, 1)?;
    works!(tested("devices", "freeze"));
    let status = status()?;
    while fs::read_to_string(&status)?.trim() != "disconnected" {
        std::thread::yield_now();
    }
    same!(lit.call(DISPLAY_TEST_COUNTS, 0)?.disturbed, 0);
    lit.removed()?.unload()
}

/// A client of another device of the module holds the locks that a probe of its connector waits for. The unbind of the
/// first device does not wait for that client.
fn k35_unbind_does_not_wait_for_another_devices_probe(guest: &Guest) -> Outcome {
    const OTHER: &str = "lifecycle.1";
    let test = Test::new(guest)?;
    test.load(NAME)?;
    works!(lifecycle::unbind(1));
    works!(write(&format!("/sys/bus/platform/devices/{OTHER}/driver_override"), NAME));
    works!(write(&format!("/sys/bus/platform/drivers/{NAME}/bind"), OTHER));
    let lit = Lit::of(test, OTHER)?;
    let next = lit.coloured(7)?;
    lit.call(DISPLAY_TEST_HOLD, 1)?;
    // The commit has all of the output in it, and so the lock that probes take.
    let request = lit.display.lit(lit.display.output(), &next)?;
    std::thread::scope(|scope| -> Outcome {
        let committed = scope.spawn(|| lit.commit(&request));
        while lit.call(DISPLAY_TEST_COUNTS, 0)?.held == 0 {
            std::thread::yield_now();
        }
        lit.call(DISPLAY_TEST_ATTACH, 1)?;
        works!(bus("unbind"));
        // The client goes on as soon as it may, so it is looked at before.
        same!(lit.call(DISPLAY_TEST_COUNTS, 0)?.held, 1);
        lit.call(DISPLAY_TEST_HOLD, 0)?;
        committed.join().expect("the client does not panic")
    })?;
    lit.finish()?;
    lit.end()
}

/// Returns the file with the status of the driver's connector.
fn status() -> Outcome<String> {
    let Some(node) = node(NAME, "card") else { return fail("the device has no primary node") };
    let card = node.file_name().expect("a node has a name").to_string_lossy().into_owned();
    Ok(format!("/sys/class/drm/{card}-Virtual-1/status"))
}

/// The primary plane of the driver must cover the screen. The cursor can be anywhere, also partly beyond the edges.
fn k38_plane_that_must_cover_the_screen_does(guest: &Guest) -> Outcome {
    let lit = Lit::new(guest)?;
    let output = lit.display.output();
    let (width, height) = lit.frame.size;
    let test = |plane, fb, at, size| {
        let show = Request::new().show(plane, output, fb, Place::at(at, size));
        lit.display.commit(&show, ATOMIC_TEST_ONLY, 0)
    };
    let primary = |at, size| test(&output.primary, lit.frame.fb, at, size);
    works!(primary((0, 0), (width, height)));
    for (at, size) in [
        ((1, 0), (width, height)),
        ((0, -1), (width, height)),
        ((0, 0), (width - 1, height)),
        ((0, 0), (width, height - 1)),
    ] {
        same!(primary(at, size), Err(Errno::INVAL));
    }
    let plane = output.cursor.as_ref().expect("the display has a cursor plane");
    let cursor = lit.display.frame_of((64, 64), ARGB8888)?;
    works!(test(plane, cursor.fb, (-32, -32), (64, 64)));
    works!(test(plane, cursor.fb, (10, 10), (32, 32)));
    lit.end()
}

/// A flush sees all planes, also those that the commit does not name.
fn k37_scene_has_all_planes(guest: &Guest) -> Outcome {
    let lit = Lit::new(guest)?;
    let output = lit.display.output();
    let plane = output.cursor.as_ref().expect("the display has a cursor plane");
    let cursor = lit.display.frame_of((64, 64), ARGB8888)?;
    lit.commit(&Request::new().show(plane, output, cursor.fb, Place::at((10, 10), (64, 64))))?;
    same!(lit.finish()?.planes, 2);
    same!(lit.finish_of_flip()?.planes, 2);
    lit.commit(&Request::new().hide(plane))?;
    same!(lit.finish()?.planes, 1);
    lit.end()
}

impl Lit<'_> {
    /// Shows a cursor, and returns its framebuffer.
    fn show_cursor(&self) -> Outcome<Frame> {
        let output = self.display.output();
        let plane = output.cursor.as_ref().expect("the display has a cursor plane");
        let cursor = self.display.frame_of((64, 64), ARGB8888)?;
        self.commit(&Request::new().show(plane, output, cursor.fb, Place::at((10, 10), (64, 64))))?;
        self.finish()?;
        Ok(cursor)
    }

    /// Ends frames while a call waits for one.
    fn ticking<T>(&self, call: impl FnOnce() -> T) -> T {
        let done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                // The driver answers as long as the device is there.
                while !done.load(Ordering::Relaxed) && self.call(DISPLAY_TEST_TICK, 0).is_ok() {
                    std::thread::yield_now();
                }
            });
            let result = call();
            done.store(true, Ordering::Relaxed);
            result
        })
    }
}

/// A plane that is only added to a commit is not prepared again. So an error cannot keep another plane's framebuffer
/// from going, of which C would warn.
fn k37_unchanged_planes_are_not_prepared_again(guest: &Guest) -> Outcome {
    let lit = Lit::new(guest)?;
    lit.show_cursor()?;
    let before = lit.call(DISPLAY_TEST_COUNTS, 0)?.prepared;
    let after = lit.finish_of_flip()?;
    same!((after.prepared - before, after.planes), (1, 2));
    lit.call(DISPLAY_TEST_BREAK, 1)?;
    works!(lit.ticking(|| lit.display.file.remove_fb(lit.frame.fb)));
    let counts = lit.call(DISPLAY_TEST_BREAK, 0)?;
    same!((counts.prepared, counts.planes), (after.prepared, 1));
    lit.end()
}

/// C calls the hooks that switch vblanks with the locks that ending a frame takes.
fn k40_frame_in_a_hook_that_switches_vblanks_is_refused(guest: &Guest) -> Outcome {
    let lit = Lit::new(guest)?;
    lit.call(DISPLAY_TEST_REENTER, 1)?;
    lit.commit(&Request::new().off(lit.display.output()))?;
    lit.display.flipped()?;
    let refused = lit.call(DISPLAY_TEST_COUNTS, 0)?.refused;
    holds!(refused >= 1, "the hook that switches vblanks off was refused");
    let request = lit.display.lit(lit.display.output(), &lit.frame)?;
    lit.commit(&request)?;
    holds!(lit.finish()?.refused > refused, "the hook that switches vblanks on was refused");
    lit.end()
}

/// C signals the fence of a commit with the event lock held. A callback that sends an event, or ends a frame, would wait
/// for its own thread.
fn k40_fences_callback_may_send_an_event(guest: &Guest) -> Outcome {
    let lit = Lit::new(guest)?;
    let (output, file) = (lit.display.output(), &lit.display.file);
    let syncobj = works!(file.syncobj_create(0));
    let flip = Request::new().set(&output.primary, "FB_ID", lit.frame.fb.into()).out_fence(output);
    let fences = works!(lit.display.commit_with_fences(&flip, ATOMIC_NONBLOCK | PAGE_FLIP_EVENT, 1));
    works!(file.syncobj_import(syncobj, uapi::sync::AS_SYNC_FILE, &fences[0]));
    let before = lit.call(DISPLAY_TEST_ON_FENCE, syncobj)?.refused;

    let mut kinds = Vec::new();
    while kinds.len() < 2 {
        lit.call(DISPLAY_TEST_TICK, 0)?;
        if lit.display.has_event()? {
            let mut bytes = [0; 256];
            let read = works!(rustix::io::read(file, &mut bytes));
            let mut rest = &bytes[..read];
            while let Some(header) = rest.get(..size_of::<EventHeader>()) {
                let EventHeader { kind, length } = uapi::of_bytes(header);
                kinds.push(kind);
                rest = &rest[length as usize..];
            }
        }
        std::thread::yield_now();
    }
    kinds.sort_unstable();
    same!(kinds, [EVENT_FLIP_COMPLETE, 0x8000_0000]);
    same!(lit.call(DISPLAY_TEST_COUNTS, 0)?.refused, before + 1);
    lit.end()
}

/// A driver that forgets mappings in the data of its CRTC does not keep the device.
fn k41_kept_scene_does_not_keep_the_device(guest: &Guest) -> Outcome {
    let mut lit = Lit::new(guest)?;
    lit.call(DISPLAY_TEST_KEEP, 1)?;
    works!(write(&format!("/sys/bus/platform/drivers/{NAME}/unbind"), NAME));
    lit.test.trace.wait_for("enabled 1 times, disabled 1 times")?;
    drop(lit.display);
    works!(modules::remove(NAME));
    same!(lit.test.trace.count("never released"), 0);
    lit.test.unload()
}
