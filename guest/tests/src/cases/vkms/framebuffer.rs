// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Framebuffers: which buffers can be one, and what happens to those that are shown (K1, K10, K23).
//!
//! Source: `framebuffer_check`, `drm_mode_rmfb`, `drm_mode_closefb_ioctl`, `drm_mode_getfb2_ioctl` in
//! `drivers/gpu/drm/drm_framebuffer.c`; `drm_gem_fb_init_with_funcs` in `drm_gem_framebuffer_helper.c` (Linux 7.3).

use rustix::thread::{CapabilitySet, CapabilitySets, set_capabilities};
use uapi::mode::*;
use uapi::{CLOEXEC, PAGE, RDWR};

use crate::harness::check::{Outcome, fail, lacks};
use crate::subjects::bus::load;
use crate::subjects::device::{self, DrmFile};
use crate::subjects::display::request::{Place, Request};
use crate::subjects::display::{Card, Display, Frame};
use crate::subjects::driver::Driver;
use crate::subjects::guest::Guest;
use crate::{holds, refuses, same, works};

crate::cases::cases! {
    "vkms_framebuffer" for Vkms:
    sizes_within_the_limits_are_accepted, sizes_outside_of_the_limits_are_refused, every_offered_format_is_accepted,
    unknown_formats_are_refused, unknown_flags_and_modifiers_are_refused, unknown_handles_fail_with_enoent,
    pitch_below_a_line_is_refused, pitch_and_offset_may_be_odd, object_too_small_is_refused,
    overflowing_sizes_fail_with_erange, planes_of_two_buffers_and_of_one, second_plane_is_checked,
    legacy_addfb_guesses_the_format, getfb2_returns_what_was_added, getfb2_handles_are_hidden_from_others,
    removed_framebuffer_switches_its_plane_off, closed_framebuffer_stays_shown, closed_framebuffer_goes_when_it_is_replaced,
    framebuffer_keeps_its_buffer, framebuffers_belong_to_their_file, framebuffers_go_with_their_file,
    dirtyfb_checks_its_clips, import_of_another_driver_is_shown, import_of_a_memfd_is_shown, import_too_small_is_refused,
    shown_pixels_are_those_of_the_buffer, many_framebuffers_of_one_buffer,
}

/// Returns a frame whose buffer has room for a size, and no framebuffer yet.
fn buffer(display: &Display, (width, height): (u32, u32)) -> Outcome<Frame> {
    let made = works!(display.file.create_dumb(width, height, 32));
    Ok(Frame { fb: 0, handle: made.handle, pitch: made.pitch, bytes: made.size, size: (width, height) })
}

/// Checks that a command fails with `EINVAL`.
fn invalid(display: &Display, what: &str, command: FbCmd2) -> Outcome {
    refuses!(display.file.add_fb2(command), INVAL, " with {what}");
    Ok(())
}

/// The smallest and largest sides can be used.
fn sizes_within_the_limits_are_accepted(guest: &Guest) -> Outcome {
    let display = Display::open(guest)?;
    let res = works!(display.file.resources());
    for size in [(res.width.0, res.height.0), (res.width.1, res.height.0), (res.width.0, res.height.1), (127, 63)] {
        let frame = display.frame(size)?;
        same!(works!(display.file.get_fb2(frame.fb)).width, size.0);
        works!(display.file.remove_fb(frame.fb));
    }
    Ok(())
}

/// A side of zero, one below the least or above the most fails with `EINVAL`.
fn sizes_outside_of_the_limits_are_refused(guest: &Guest) -> Outcome {
    let display = Display::open(guest)?;
    let res = works!(display.file.resources());
    let frame = buffer(&display, (64, 64))?;
    let good = frame.command(XRGB8888);
    for width in [0, res.width.0 - 1, res.width.1 + 1, 0x7fff_ffff, u32::MAX] {
        invalid(&display, &format!("a width of {width}"), FbCmd2 { width, ..good })?;
    }
    for height in [0, res.height.0 - 1, res.height.1 + 1, 0x7fff_ffff, u32::MAX] {
        invalid(&display, &format!("a height of {height}"), FbCmd2 { height, ..good })?;
    }
    works!(display.file.add_fb2(good));
    Ok(())
}

/// Each format of a plane makes a framebuffer, with as many planes of it as the format wants.
fn every_offered_format_is_accepted(guest: &Guest) -> Outcome {
    let display = Display::open(guest)?;
    let frame = buffer(&display, (64, 64))?;
    for plane in display.output().planes() {
        for format in works!(display.file.plane(plane.id)).1 {
            let mut accepted = false;
            // The format decides how many planes have a buffer. Lines of 256 bytes are enough for 64 pixels of 32 bits.
            for planes in 1..=3 {
                let of = |value: u32| std::array::from_fn(|plane| if plane < planes { value } else { 0 });
                let command = FbCmd2 {
                    width: 32,
                    height: 32,
                    handles: of(frame.handle),
                    pitches: of(256),
                    ..frame.command(format)
                };
                if let Ok(fb) = display.file.add_fb2(FbCmd2 { flags: FB_MODIFIERS, ..command }) {
                    accepted = true;
                    works!(display.file.remove_fb(fb));
                    break;
                }
            }
            holds!(accepted, "format {:?} makes a framebuffer", format.to_le_bytes().map(char::from));
        }
    }
    Ok(())
}

/// Formats that no plane offers, whether the core knows them or not, fail with `EINVAL`.
fn unknown_formats_are_refused(guest: &Guest) -> Outcome {
    let display = Display::open(guest)?;
    let frame = buffer(&display, (64, 64))?;
    for format in [0, u32::MAX, fourcc(*b"ABCD"), C8, YUYV, XRGB8888 | 1 << 31] {
        invalid(&display, &format!("format {format:#x}"), frame.command(format))?;
    }
    works!(display.file.add_fb2(frame.command(XRGB8888)));
    Ok(())
}

/// A layout other than the linear one fails with `EINVAL`, also without the flag that announces it.
fn unknown_flags_and_modifiers_are_refused(guest: &Guest) -> Outcome {
    let display = Display::open(guest)?;
    let frame = buffer(&display, (64, 64))?;
    let good = frame.command(XRGB8888);
    for flags in [4, 8, 0x8000_0000] {
        invalid(&display, &format!("flags {flags:#x}"), FbCmd2 { flags, ..good })?;
    }
    for modifier in [1, 1 << 56 | 1, MOD_INVALID, u64::MAX] {
        let modifier = [modifier, 0, 0, 0];
        invalid(&display, &format!("modifier {modifier:x?}"), FbCmd2 { flags: FB_MODIFIERS, modifier, ..good })?;
        invalid(&display, &format!("modifier {modifier:x?} without the flag"), FbCmd2 { modifier, ..good })?;
    }
    for (what, command) in [
        ("a second handle", FbCmd2 { handles: [frame.handle, frame.handle, 0, 0], ..good }),
        ("a second pitch", FbCmd2 { pitches: [frame.pitch, 4, 0, 0], ..good }),
        ("a second offset", FbCmd2 { offsets: [0, 4, 0, 0], ..good }),
        ("a second modifier", FbCmd2 { modifier: [0, 1, 0, 0], ..good }),
    ] {
        invalid(&display, what, FbCmd2 { flags: FB_MODIFIERS, ..command })?;
    }
    works!(display.file.add_fb2(FbCmd2 { flags: FB_MODIFIERS, ..good }));
    Ok(())
}

/// A handle that the file does not have fails with `ENOENT`, none at all with `EINVAL`.
fn unknown_handles_fail_with_enoent(guest: &Guest) -> Outcome {
    let display = Display::open(guest)?;
    let frame = buffer(&display, (64, 64))?;
    let with = |handle| FbCmd2 { handles: [handle, 0, 0, 0], ..frame.command(XRGB8888) };
    for handle in [frame.handle + 1, 0x7fff_ffff, u32::MAX] {
        refuses!(display.file.add_fb2(with(handle)), NOENT);
    }
    invalid(&display, "no handle", with(0))?;
    let other = works!(DrmFile::open(&Card::first(guest)?.primary));
    works!(other.pages(1));
    works!(display.file.destroy_dumb(frame.handle));
    refuses!(display.file.add_fb2(with(frame.handle)), NOENT);
    Ok(())
}

fn pitch_below_a_line_is_refused(guest: &Guest) -> Outcome {
    let display = Display::open(guest)?;
    let frame = buffer(&display, (64, 64))?;
    for pitch in [0, 1, 255] {
        let command = FbCmd2 { pitches: [pitch, 0, 0, 0], ..frame.command(XRGB8888) };
        invalid(&display, &format!("a pitch of {pitch}"), command)?;
    }
    Ok(())
}

/// Lines and pixels need no alignment. Such a framebuffer can be shown.
fn pitch_and_offset_may_be_odd(guest: &Guest) -> Outcome {
    let display = Display::open(guest)?;
    let output = display.output();
    let (width, height) = output.size();
    let frame = buffer(&display, (width + 2, height + 2))?;
    display.light(output)?;
    for (pitch, offset) in [(4 * width + 1, 0), (4 * width, 1), (4 * width + 3, 4097), (4 * width + 7, 7)] {
        let command =
            FbCmd2 { width, height, pitches: [pitch, 0, 0, 0], offsets: [offset, 0, 0, 0], ..frame.command(XRGB8888) };
        let fb = works!(display.file.add_fb2(command));
        works!(display.flip(output, fb, 1));
        same!(display.flipped()?.user_data, 1);
        let found = works!(display.file.get_fb2(fb));
        same!((found.pitches[0], found.offsets[0]), (pitch, offset));
    }
    Ok(())
}

/// An object that ends before the last pixel fails with `EINVAL`. One that ends with it is enough.
fn object_too_small_is_refused(guest: &Guest) -> Outcome {
    let display = Display::open(guest)?;
    let frame = buffer(&display, (32, 32))?;
    same!(frame.bytes, PAGE as u64);
    let good = frame.command(XRGB8888);
    works!(display.file.add_fb2(good));
    for (what, command) in [
        ("one line too many", FbCmd2 { height: 33, ..good }),
        ("a pitch that is too long", FbCmd2 { pitches: [129, 0, 0, 0], ..good }),
        ("an offset of one byte", FbCmd2 { offsets: [1, 0, 0, 0], ..good }),
        ("an offset at the end", FbCmd2 { offsets: [4096, 0, 0, 0], ..good }),
    ] {
        invalid(&display, what, command)?;
    }
    // The last line needs no more than its pixels: 31 lines of 129 bytes and one of 96.
    let tight = FbCmd2 { width: 24, pitches: [129, 0, 0, 0], offsets: [1, 0, 0, 0], ..good };
    works!(display.file.add_fb2(tight));
    Ok(())
}

/// A size beyond 32 bits fails with `ERANGE`.
fn overflowing_sizes_fail_with_erange(guest: &Guest) -> Outcome {
    let display = Display::open(guest)?;
    let frame = buffer(&display, (64, 64))?;
    let good = frame.command(XRGB8888);
    for (pitch, offset) in [(u32::MAX, 0), (0x0400_0000, 0), (256, u32::MAX), (256, u32::MAX - 64 * 256 + 1)] {
        let command = FbCmd2 { pitches: [pitch, 0, 0, 0], offsets: [offset, 0, 0, 0], ..good };
        refuses!(display.file.add_fb2(command), RANGE, " with a pitch of {pitch:#x} and an offset of {offset:#x}");
    }
    invalid(&display, "an offset far beyond the end", FbCmd2 { offsets: [0xf000_0000, 0, 0, 0], ..good })
}

/// Whether the primary plane offers a format.
fn offers(display: &Display, format: u32) -> Outcome<bool> {
    Ok(works!(display.file.plane(display.output().primary.id)).1.contains(&format))
}

/// The two planes of NV12 may be in one buffer or in two, and can be shown.
fn planes_of_two_buffers_and_of_one(guest: &Guest) -> Outcome {
    let display = Display::open(guest)?;
    if !offers(&display, NV12)? {
        return crate::harness::check::skip("the primary plane offers no format of two planes");
    }
    let output = display.output();
    let (width, height) = output.size();
    let (luma, colour) = (buffer(&display, (width, height))?, buffer(&display, (width, height))?);
    let two = FbCmd2 {
        width,
        height,
        handles: [luma.handle, colour.handle, 0, 0],
        pitches: [width, width, 0, 0],
        ..luma.command(NV12)
    };
    let one = FbCmd2 { handles: [luma.handle, luma.handle, 0, 0], offsets: [0, width * height, 0, 0], ..two };
    let mode = display.mode_blob(&output.mode())?;
    for command in [two, one] {
        let fb = works!(display.file.add_fb2(command));
        let found = works!(display.file.get_fb2(fb));
        same!((found.pitches, found.offsets), (command.pitches, command.offsets));
        same!(found.handles[0] == found.handles[1], command.handles[0] == command.handles[1]);
        let request =
            Request::new().on(output, mode).show(&output.primary, output, fb, Place::at((0, 0), (width, height)));
        works!(display.commit(&request, ATOMIC_ALLOW_MODESET, 0));
        same!(display.shown(&output.primary)?, fb);
    }
    Ok(())
}

/// Each plane's buffer, pitch and size is checked.
fn second_plane_is_checked(guest: &Guest) -> Outcome {
    let display = Display::open(guest)?;
    if !offers(&display, NV12)? {
        return crate::harness::check::skip("the primary plane offers no format of two planes");
    }
    let (luma, small) = (buffer(&display, (64, 64))?, works!(display.file.pages(1)));
    let good = FbCmd2 {
        handles: [luma.handle, luma.handle, 0, 0],
        pitches: [256, 256, 0, 0],
        offsets: [0, 0, 0, 0],
        ..luma.command(NV12)
    };
    works!(display.file.add_fb2(good));
    invalid(&display, "no second handle", FbCmd2 { handles: [luma.handle, 0, 0, 0], ..good })?;
    invalid(&display, "a short second pitch", FbCmd2 { pitches: [256, 63, 0, 0], ..good })?;
    invalid(&display, "a second buffer that is too small", FbCmd2 { handles: [luma.handle, small, 0, 0], ..good })?;
    invalid(&display, "a second offset at the end", FbCmd2 { offsets: [0, 64 * 256, 0, 0], ..good })?;
    refuses!(display.file.add_fb2(FbCmd2 { handles: [luma.handle, small + 1, 0, 0], ..good }), NOENT);
    Ok(())
}

/// `ADDFB` makes XRGB8888 of a depth of 24 in 32 bits. `GETFB` reports the same numbers.
fn legacy_addfb_guesses_the_format(guest: &Guest) -> Outcome {
    let display = Display::open(guest)?;
    let frame = buffer(&display, (64, 64))?;
    let good = FbCmd { fb_id: 0, width: 64, height: 64, pitch: frame.pitch, bpp: 32, depth: 24, handle: frame.handle };
    let fb = works!(display.file.add_fb(good));
    same!(works!(display.file.get_fb2(fb)).pixel_format, XRGB8888);
    let found = works!(display.file.ioctl(&GETFB, FbCmd { fb_id: fb, ..Default::default() }));
    same!((found.width, found.height, found.pitch, found.bpp, found.depth), (64, 64, frame.pitch, 32, 24));
    for (bpp, depth) in [(0, 0), (31, 24), (32, 23), (64, 24), (8, 24)] {
        refuses!(display.file.add_fb(FbCmd { bpp, depth, ..good }), INVAL, " of depth {depth} in {bpp} bits");
    }
    Ok(())
}

fn getfb2_returns_what_was_added(guest: &Guest) -> Outcome {
    let display = Display::open(guest)?;
    let frame = display.frame((64, 48))?;
    let found = works!(display.file.get_fb2(frame.fb));
    same!((found.width, found.height, found.pixel_format), (64, 48, XRGB8888));
    same!((found.flags, found.modifier[0]), (FB_MODIFIERS, MOD_LINEAR));
    same!((found.pitches[0], found.pitches[1], found.handles[1]), (frame.pitch, 0, 0));
    holds!(found.handles[0] != 0, "the master gets a handle");
    works!(display.file.gem_close(found.handles[0]));
    Ok(())
}

/// Only the master and processes with `CAP_SYS_ADMIN` get handles, and these are handles of their own file.
fn getfb2_handles_are_hidden_from_others(guest: &Guest) -> Outcome {
    let display = Display::open(guest)?;
    let frame = display.light(display.output())?;
    let other = works!(DrmFile::open(&Card::first(guest)?.primary));
    let found = works!(other.get_fb2(frame.fb));
    holds!(found.handles[0] != 0, "root gets a handle");
    works!(other.map(found.handles[0], PAGE));
    works!(other.gem_close(found.handles[0]));
    let card = Card::first(guest)?.primary;
    let ask = || {
        let Ok(file) = DrmFile::open(&card) else { return false };
        let none = CapabilitySets {
            effective: CapabilitySet::empty(),
            permitted: CapabilitySet::empty(),
            inheritable: CapabilitySet::empty(),
        };
        let is_plain = set_capabilities(None, none).is_ok();
        is_plain && file.get_fb2(frame.fb).is_ok_and(|found| found.handles == [0; 4] && found.pitches[0] == frame.pitch)
    };
    same!(works!(sys::in_forked_copy(ask)), 0);
    Ok(())
}

/// K10: `RMFB` of a framebuffer switches off the plane that shows it. The primary plane of an output takes the output with
/// it, if the driver wants one.
fn removed_framebuffer_switches_its_plane_off(guest: &Guest) -> Outcome {
    let display = Display::open(guest)?;
    let output = display.output();
    let frame = display.light(output)?;
    if let Some(cursor) = &output.cursor {
        let small = display.frame_of((64, 64), ARGB8888)?;
        let request = Request::new().show(cursor, output, small.fb, Place::at((0, 0), (64, 64)));
        works!(display.commit(&request, 0, 0));
        works!(display.file.remove_fb(small.fb));
        same!((display.shown(cursor)?, display.value(cursor, "CRTC_ID")?), (0, 0));
        same!(display.shown(&output.primary)?, frame.fb);
    }
    works!(display.file.remove_fb(frame.fb));
    same!((display.shown(&output.primary)?, display.value(&output.primary, "CRTC_ID")?), (0, 0));
    refuses!(display.file.get_fb2(frame.fb), NOENT);
    let again = display.light(output)?;
    same!(display.shown(&output.primary)?, again.fb);
    Ok(())
}

/// `CLOSEFB` takes the framebuffer from its file, and leaves it shown also when the file is closed.
fn closed_framebuffer_stays_shown(guest: &Guest) -> Outcome {
    let watcher = Display::open(guest)?;
    let display = Display::adopt(works!(DrmFile::open(&Card::first(guest)?.primary)))?;
    works!(watcher.file.master(&uapi::DROP_MASTER));
    works!(display.file.master(&uapi::SET_MASTER));
    let output = display.output();
    let frame = display.light(output)?;
    refuses!(display.file.ioctl(&CLOSEFB, CloseFb { fb_id: frame.fb, pad: 1 }), INVAL);
    works!(display.file.close_fb(frame.fb));
    refuses!(display.file.close_fb(frame.fb), NOENT);
    refuses!(display.file.remove_fb(frame.fb), NOENT);
    same!(display.shown(&output.primary)?, frame.fb);
    drop(display);
    same!((watcher.is_on(watcher.output())?, watcher.shown(&watcher.output().primary)?), (true, frame.fb));
    let found = works!(watcher.file.get_fb2(frame.fb));
    same!((found.width, found.height), frame.size);
    works!(watcher.file.gem_close(found.handles[0]));
    works!(watcher.file.master(&uapi::SET_MASTER));
    watcher.all_off()
}

/// A framebuffer that no file has any more is freed when its plane shows another one.
fn closed_framebuffer_goes_when_it_is_replaced(guest: &Guest) -> Outcome {
    let display = Display::open(guest)?;
    let output = display.output();
    let (frame, other) = (display.light(output)?, display.frame(output.size())?);
    works!(display.file.close_fb(frame.fb));
    works!(display.file.get_fb2(frame.fb));
    let request = Request::new().set(&output.primary, "FB_ID", other.fb.into());
    works!(display.commit(&request, 0, 0));
    // The next commit waits until the one before has let go of its old framebuffer.
    works!(display.commit(&request, 0, 0));
    works!(display.commit(&request, 0, 0));
    refuses!(display.file.get_fb2(frame.fb), NOENT);
    Ok(())
}

/// A framebuffer outlives the handle of its buffer.
fn framebuffer_keeps_its_buffer(guest: &Guest) -> Outcome {
    let display = Display::open(guest)?;
    let output = display.output();
    let frame = display.light(output)?;
    let pixels = display.pixels(&frame)?;
    pixels.write(0, 0x00ab_cdef);
    works!(display.file.destroy_dumb(frame.handle));
    let found = works!(display.file.get_fb2(frame.fb));
    same!(works!(display.file.map(found.handles[0], PAGE)).read(0), 0x00ab_cdef);
    works!(display.flip(output, frame.fb, 1));
    same!(display.flipped()?.user_data, 1);
    Ok(())
}

/// Another file may look at a framebuffer and show it, but not remove it.
fn framebuffers_belong_to_their_file(guest: &Guest) -> Outcome {
    let display = Display::open(guest)?;
    let frame = display.frame(display.output().size())?;
    let other = works!(DrmFile::open(&Card::first(guest)?.primary));
    refuses!(other.remove_fb(frame.fb), NOENT);
    refuses!(other.close_fb(frame.fb), NOENT);
    works!(other.get_fb2(frame.fb));
    same!(works!(other.resources()).fbs, Vec::<u32>::new());
    holds!(works!(display.file.resources()).fbs.contains(&frame.fb), "the file lists its own framebuffers");
    Ok(())
}

/// The close of a file removes its framebuffers, and with them what they show.
fn framebuffers_go_with_their_file(guest: &Guest) -> Outcome {
    let watcher = Display::open(guest)?;
    let display = Display::adopt(works!(DrmFile::open(&Card::first(guest)?.primary)))?;
    works!(watcher.file.master(&uapi::DROP_MASTER));
    works!(display.file.master(&uapi::SET_MASTER));
    let (shown, other) = (display.light(display.output())?, display.frame((64, 64))?);
    drop(display);
    same!(watcher.shown(&watcher.output().primary)?, 0);
    refuses!(watcher.file.get_fb2(shown.fb), NOENT);
    refuses!(watcher.file.get_fb2(other.fb), NOENT);
    Ok(())
}

/// More than 256 clips and unknown framebuffers are refused. The display shows the memory itself, so that it has nothing to
/// do: `ENOSYS`.
fn dirtyfb_checks_its_clips(guest: &Guest) -> Outcome {
    let display = Display::open(guest)?;
    let frame = display.light(display.output())?;
    let clip = ClipRect { x1: 0, y1: 0, x2: 8, y2: 8 };
    refuses!(display.file.dirty_fb(0x7fff_ffff, &[]), NOENT);
    refuses!(display.file.dirty_fb(frame.fb, &[clip; 257]), INVAL);
    for clips in [&[][..], &[clip], &[clip; 256]] {
        refuses!(display.file.dirty_fb(frame.fb, clips), NOSYS);
    }
    Ok(())
}

/// Shows an import and flips to it and back.
fn shown(display: &Display, handle: u32, pitch: u32) -> Outcome {
    let output = display.output();
    let old = display.light(output)?;
    let frame = Frame { fb: 0, handle, pitch, bytes: 0, size: output.size() };
    let fb = works!(display.file.add_fb2(frame.command(XRGB8888)));
    for (fb, turn) in [(fb, 1), (old.fb, 2), (fb, 3)] {
        works!(display.flip(output, fb, turn));
        same!(display.flipped()?.user_data, turn);
        same!(display.shown(&output.primary)?, fb);
    }
    works!(display.file.gem_close(handle));
    works!(display.file.remove_fb(fb));
    Ok(())
}

/// A buffer of vgem can be shown, and its pages outlive vgem's file.
fn import_of_another_driver_is_shown(guest: &Guest) -> Outcome {
    let display = Display::open(guest)?;
    load(guest, Driver::Rust.module())?;
    let Some(nodes) = Driver::Rust.find() else { return fail("vgem has no device") };
    let vgem = works!(DrmFile::open(&nodes.primary));
    let (width, height) = display.output().size();
    let made = works!(vgem.create_dumb(width, height, 32));
    let buffer = works!(vgem.export(made.handle, CLOEXEC | RDWR));
    let handle = works!(display.file.import(&buffer));
    drop((vgem, buffer));
    shown(&display, handle, made.pitch)
}

/// Pages of a memfd, as a Wayland client may send them, can be shown.
fn import_of_a_memfd_is_shown(guest: &Guest) -> Outcome {
    let display = Display::open(guest)?;
    let (width, height) = display.output().size();
    let bytes = (4 * width as usize * height as usize).next_multiple_of(PAGE);
    let memory = works!(sys::memory_file(bytes));
    let buffer = match device::udmabuf(&memory, bytes) {
        Ok(buffer) => buffer,
        Err(rustix::io::Errno::NOENT) => return lacks("this kernel has no /dev/udmabuf"),
        Err(errno) => return fail(format!("udmabuf: {errno}")),
    };
    let handle = works!(display.file.import(&buffer));
    shown(&display, handle, 4 * width)
}

fn import_too_small_is_refused(guest: &Guest) -> Outcome {
    let display = Display::open(guest)?;
    let memory = works!(sys::memory_file(PAGE));
    let buffer = match device::udmabuf(&memory, PAGE) {
        Ok(buffer) => buffer,
        Err(rustix::io::Errno::NOENT) => return lacks("this kernel has no /dev/udmabuf"),
        Err(errno) => return fail(format!("udmabuf: {errno}")),
    };
    let handle = works!(display.file.import(&buffer));
    let frame = Frame { fb: 0, handle, pitch: 128, bytes: 4096, size: (32, 33) };
    invalid(&display, "an import of one page", frame.command(XRGB8888))?;
    let frame = Frame { size: (32, 32), ..frame };
    works!(display.file.add_fb2(frame.command(XRGB8888)));
    Ok(())
}

/// A witness of what is shown, by the numbers that root can ask for, finds the pixels that the client wrote.
fn shown_pixels_are_those_of_the_buffer(guest: &Guest) -> Outcome {
    let display = Display::open(guest)?;
    let output = display.output();
    let frame = display.light(output)?;
    let pixels = display.pixels(&frame)?;
    let last = 4 * (frame.size.0 as usize - 1) + frame.pitch as usize * (frame.size.1 as usize - 1);
    pixels.write(0, 0x0011_2233);
    pixels.write(last, 0x0044_5566);
    let witness = Display::adopt(works!(DrmFile::open(&Card::first(guest)?.primary)))?;
    let (plane, _) = works!(witness.file.plane(witness.output().primary.id));
    let found = works!(witness.file.get_fb2(plane.fb_id));
    let buffer = works!(witness.file.export(found.handles[0], CLOEXEC | RDWR));
    let seen = works!(sys::Mapping::shared(&buffer, 0, frame.bytes as usize));
    same!((seen.read(0), seen.read(last)), (0x0011_2233, 0x0044_5566));
    Ok(())
}

/// A thousand framebuffers can show the same buffer.
fn many_framebuffers_of_one_buffer(guest: &Guest) -> Outcome {
    let display = Display::open(guest)?;
    let frame = buffer(&display, (64, 64))?;
    let mut fbs = Vec::new();
    for _ in 0..1000 {
        fbs.push(works!(display.file.add_fb2(frame.command(XRGB8888))));
    }
    works!(display.file.destroy_dumb(frame.handle));
    same!(works!(display.file.resources()).fbs.len(), 1000);
    for fb in fbs.drain(..500) {
        works!(display.file.remove_fb(fb));
    }
    same!(works!(display.file.resources()).fbs.len(), 500);
    Ok(())
}
