// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Atomic commits that must be refused: the error that each gets, and that none has a partial effect (K8, K11).
//!
//! Source: `drm_mode_atomic_ioctl`, `drm_atomic_plane_set_property` in `drivers/gpu/drm/drm_atomic_uapi.c`;
//! `drm_atomic_plane_check` in `drm_atomic.c`; `drm_atomic_helper_check_plane_state` (Linux 7.3).

use rustix::io::Errno;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use sys::BadAddress;
use uapi::mode::*;
use uapi::{CLOEXEC, bytes_of};

use crate::harness::check::{Outcome, fail, name};
use crate::subjects::device::DrmFile;
use crate::subjects::display::request::{Place, Request};
use crate::subjects::display::{Card, Display, Frame, Output};
use crate::subjects::guest::Guest;
use crate::{holds, refuses, same, works};

crate::cases::cases! {
    "vkms_wrong" for Vkms:
    client_without_the_capability_is_refused, unknown_flags_are_refused, arrays_at_bad_addresses_fail_with_efault,
    unknown_objects_and_properties_fail_with_enoent, values_of_the_wrong_kind_are_refused,
    plane_without_a_framebuffer_or_crtc_is_refused, source_outside_of_the_framebuffer_fails_with_enospc,
    places_that_overflow_fail_with_erange, scaling_fails_with_erange, mode_without_connector_or_activity_is_refused,
    blobs_that_are_no_mode_are_refused, mode_that_makes_no_sense_is_refused, wrong_fences_are_refused,
    removed_framebuffer_is_unknown, mode_without_a_frame_time_is_refused, no_descriptor_left_for_a_fence,
    good_change_beside_a_wrong_one_has_no_effect, refused_commits_leave_no_descriptor,
}

/// A lit output, and the commit that flips it, to be made wrong.
struct Lit {
    display: Display,
    frame: Frame,
}

impl Lit {
    fn new(guest: &Guest) -> Outcome<Self> {
        let display = Display::open(guest)?;
        let frame = display.light(display.output())?;
        Ok(Self { display, frame })
    }

    fn output(&self) -> &Output {
        self.display.output()
    }

    /// Checks that a commit fails in each way to make it, and changes nothing.
    fn refuses(&self, request: &Request, errno: Errno, what: &str) -> Outcome {
        let before = self.display.snapshot()?;
        for flags in [ATOMIC_TEST_ONLY, ATOMIC_NONBLOCK, 0, PAGE_FLIP_EVENT] {
            match self.display.commit(request, flags | ATOMIC_ALLOW_MODESET, 0) {
                Err(got) if got == errno => {}
                answer => {
                    let got = answer.map_or_else(name, |()| "success".to_owned());
                    return fail(format!("{what} with flags {flags:#x}: expected {}, got {got}", name(errno)));
                }
            }
        }
        same!(self.display.snapshot()?, before);
        holds!(!self.display.has_event()?, "no event comes");
        Ok(())
    }

    /// Flips the output, which must still work.
    fn flips(&self) -> Outcome {
        works!(self.display.flip(self.output(), self.frame.fb, 1));
        same!(self.display.flipped()?.user_data, 1);
        Ok(())
    }
}

/// A client that has not said that it is atomic gets `EINVAL`.
fn client_without_the_capability_is_refused(guest: &Guest) -> Outcome {
    let file = works!(DrmFile::open(&Card::first(guest)?.primary));
    refuses!(sys::ioctl_bytes(&file, ATOMIC.number, &mut [0; 56]), INVAL);
    refuses!(file.client_cap(CLIENT_CAP_ATOMIC, 3), INVAL);
    works!(file.client_cap(CLIENT_CAP_ATOMIC, 1));
    works!(sys::ioctl_bytes(&file, ATOMIC.number, &mut [0; 56]));
    Ok(())
}

/// Unknown flags, asynchronous flips and a used reserved field fail with `EINVAL`.
fn unknown_flags_are_refused(guest: &Guest) -> Outcome {
    let lit = Lit::new(guest)?;
    let flip = Request::new().set(&lit.output().primary, "FB_ID", lit.frame.fb.into());
    for flags in [4, 8, 0x10, 0x80, 0x800, 0x8000_0000, PAGE_FLIP_ASYNC] {
        refuses!(lit.display.commit(&flip, flags, 0), INVAL, " with flags {flags:#x}");
    }
    let mut reserved = [0; 56];
    reserved[40] = 1;
    refuses!(sys::ioctl_bytes(&lit.display.file, ATOMIC.number, &mut reserved), INVAL);
    lit.flips()
}

/// A count without an array fails with `EFAULT`.
fn arrays_at_bad_addresses_fail_with_efault(guest: &Guest) -> Outcome {
    let lit = Lit::new(guest)?;
    for count in [1_u32, 7, u32::MAX] {
        let mut bytes = [0; 56];
        bytes[4..8].copy_from_slice(&count.to_ne_bytes());
        refuses!(sys::ioctl_bytes(&lit.display.file, ATOMIC.number, &mut bytes), FAULT, " of {count} objects");
    }
    for address in BadAddress::ALL {
        refuses!(sys::ioctl_bad(&lit.display.file, ATOMIC.number, address), FAULT);
    }
    lit.flips()
}

fn unknown_objects_and_properties_fail_with_enoent(guest: &Guest) -> Outcome {
    let lit = Lit::new(guest)?;
    let output = lit.output();
    let (plane, crtc) = (&output.primary, &output.crtc);
    let encoder = works!(lit.display.file.resources()).encoders[0];
    for unknown in [0, 0x7fff_ffff, u32::MAX] {
        lit.refuses(&Request::new().number(unknown, plane.property("FB_ID"), 0), Errno::NOENT, "an unknown object")?;
        lit.refuses(&Request::new().number(plane.id, unknown, 0), Errno::NOENT, "an unknown property")?;
    }
    lit.refuses(&Request::new().number(plane.id, crtc.property("ACTIVE"), 1), Errno::NOENT, "a CRTC's property")?;
    lit.refuses(&Request::new().number(crtc.id, plane.property("FB_ID"), 0), Errno::NOENT, "a plane's property")?;
    lit.refuses(&Request::new().number(encoder, crtc.property("ACTIVE"), 1), Errno::NOENT, "an encoder")?;
    lit.refuses(&Request::new().number(lit.frame.fb, plane.property("FB_ID"), 0), Errno::NOENT, "a framebuffer")?;
    lit.flips()
}

/// A number that names no object of the right kind, or is outside of the property's range, fails with `EINVAL`.
fn values_of_the_wrong_kind_are_refused(guest: &Guest) -> Outcome {
    let lit = Lit::new(guest)?;
    let output = lit.output();
    let (plane, crtc) = (&output.primary, &output.crtc);
    let (plane_id, crtc_id) = (u64::from(plane.id), u64::from(crtc.id));
    for (object, property, value) in [
        (plane, "FB_ID", 0x7fff_ffff),
        (plane, "FB_ID", crtc_id),
        (plane, "CRTC_ID", plane_id),
        (plane, "CRTC_ID", u64::MAX),
        (crtc, "MODE_ID", plane_id),
        (crtc, "MODE_ID", 0x7fff_ffff),
        (crtc, "ACTIVE", 2),
        (&output.connector, "CRTC_ID", plane_id),
        (plane, "type", 0),
    ] {
        let request = Request::new().set(object, property, value);
        lit.refuses(&request, Errno::INVAL, &format!("`{property}` = {value:#x}"))?;
    }
    lit.flips()
}

/// A plane has both a framebuffer and a CRTC, or neither.
fn plane_without_a_framebuffer_or_crtc_is_refused(guest: &Guest) -> Outcome {
    let lit = Lit::new(guest)?;
    let plane = &lit.output().primary;
    lit.refuses(&Request::new().set(plane, "FB_ID", 0), Errno::INVAL, "a plane without a framebuffer")?;
    lit.refuses(&Request::new().set(plane, "CRTC_ID", 0), Errno::INVAL, "a plane without a CRTC")?;
    lit.flips()
}

/// Pixels that the framebuffer does not have cannot be shown.
fn source_outside_of_the_framebuffer_fails_with_enospc(guest: &Guest) -> Outcome {
    let lit = Lit::new(guest)?;
    let (output, size) = (lit.output(), lit.output().size());
    let whole = Place::at((0, 0), size);
    for src in [(1, 0), (0, 1), (1 << 16, 0), (0, 1 << 16), (0xffff_ffff, 0), (0, 0xffff_ffff)] {
        let request = Request::new().show(&output.primary, output, lit.frame.fb, Place { src, ..whole });
        lit.refuses(&request, Errno::NOSPC, &format!("a source at {src:x?}"))?;
    }
    let small = lit.display.frame((size.0 - 1, size.1))?;
    let flip = Request::new().set(&output.primary, "FB_ID", small.fb.into());
    lit.refuses(&flip, Errno::NOSPC, "a narrower framebuffer")?;
    lit.flips()
}

/// A place whose end is beyond 31 bits fails with `ERANGE`.
fn places_that_overflow_fail_with_erange(guest: &Guest) -> Outcome {
    let lit = Lit::new(guest)?;
    let output = lit.output();
    let whole = Place::at((0, 0), output.size());
    for (at, size) in [
        ((i32::MAX, 0), output.size()),
        ((0, i32::MAX), output.size()),
        ((1, 0), (i32::MAX as u32, 1)),
        ((0, 1), (1, i32::MAX as u32)),
    ] {
        let request = Request::new().show(&output.primary, output, lit.frame.fb, Place { at, size, ..whole });
        lit.refuses(&request, Errno::RANGE, &format!("a place at {at:x?} of {size:x?}"))?;
    }
    for name in ["CRTC_W", "CRTC_H"] {
        let request = Request::new().set(&output.primary, name, 0x8000_0000);
        lit.refuses(&request, Errno::INVAL, &format!("a value beyond the range of `{name}`"))?;
    }
    lit.flips()
}

/// K38: the planes do not scale.
fn scaling_fails_with_erange(guest: &Guest) -> Outcome {
    let lit = Lit::new(guest)?;
    let (output, size) = (lit.output(), lit.output().size());
    let whole = Place::at((0, 0), size);
    for size in [(size.0 - 1, size.1), (size.0, size.1 - 1), (2 * size.0, size.1), (1, 1)] {
        let request = Request::new().show(&output.primary, output, lit.frame.fb, Place { size, ..whole });
        lit.refuses(&request, Errno::RANGE, &format!("a size of {size:?}"))?;
    }
    lit.flips()
}

/// A CRTC with a mode has a connector, one with a connector has a mode, and an active one has a mode.
fn mode_without_connector_or_activity_is_refused(guest: &Guest) -> Outcome {
    let lit = Lit::new(guest)?;
    let output = lit.output();
    let connector = &output.connector;
    lit.refuses(&Request::new().set(connector, "CRTC_ID", 0), Errno::INVAL, "a mode without a connector")?;
    lit.refuses(&Request::new().set(&output.crtc, "MODE_ID", 0), Errno::INVAL, "an active CRTC without a mode")?;
    lit.display.darken(output)?;
    let dark = Request::new().set(connector, "CRTC_ID", output.crtc.id.into());
    refuses!(lit.display.commit(&dark, ATOMIC_ALLOW_MODESET, 0), INVAL);
    let active = Request::new().set(&output.crtc, "ACTIVE", 1);
    refuses!(lit.display.commit(&active, ATOMIC_ALLOW_MODESET, 0), INVAL);
    same!(lit.display.is_on(output)?, false);
    lit.display.show(output, &lit.frame)?;
    lit.flips()
}

/// A blob of another size, or one that does not exist any more, is no mode.
fn blobs_that_are_no_mode_are_refused(guest: &Guest) -> Outcome {
    let lit = Lit::new(guest)?;
    let (file, output) = (&lit.display.file, lit.output());
    let bytes = bytes_of(&output.mode()).to_vec();
    for bytes in [&bytes[..67], &[bytes.as_slice(), &[0]].concat(), &bytes[..4]] {
        let blob = works!(file.create_blob(bytes));
        let request = Request::new().set(&output.crtc, "MODE_ID", blob.into());
        lit.refuses(&request, Errno::INVAL, &format!("a mode of {} bytes", bytes.len()))?;
    }
    let blob = works!(file.create_blob(&bytes));
    works!(file.destroy_blob(blob));
    let request = Request::new().set(&output.crtc, "MODE_ID", blob.into());
    lit.refuses(&request, Errno::INVAL, "a destroyed blob")?;
    refuses!(file.create_blob(&[]), INVAL);
    lit.flips()
}

/// Modes without a size, out of order, or beyond the limits fail with `EINVAL`.
fn mode_that_makes_no_sense_is_refused(guest: &Guest) -> Outcome {
    let lit = Lit::new(guest)?;
    let good = lit.output().mode();
    for (what, mode) in [
        ("no width", ModeInfo { hdisplay: 0, ..good }),
        ("no height", ModeInfo { vdisplay: 0, ..good }),
        ("a sync before the picture", ModeInfo { hsync_start: good.hdisplay - 1, ..good }),
        ("a sync that ends before it starts", ModeInfo { vsync_end: good.vsync_start - 1, ..good }),
        ("a total before the end of the sync", ModeInfo { htotal: good.hsync_end - 1, ..good }),
        ("unknown flags", ModeInfo { flags: 1 << 31, ..good }),
        ("a clock beyond 31 bits", ModeInfo { clock: 0x8000_0000, ..good }),
    ] {
        let blob = lit.display.mode_blob(&mode)?;
        let request = Request::new().set(&lit.output().crtc, "MODE_ID", blob.into());
        lit.refuses(&request, Errno::INVAL, &format!("a mode with {what}"))?;
    }
    lit.flips()
}

/// A descriptor that is no sync file fails with `EINVAL`, as does a second in-fence for a plane. An out-fence at an address
/// that cannot be written fails with `EFAULT`.
fn wrong_fences_are_refused(guest: &Guest) -> Outcome {
    let lit = Lit::new(guest)?;
    let output = lit.output();
    let memory = works!(sys::memory_file(4096));
    let flip = || Request::new().set(&output.primary, "FB_ID", lit.frame.fb.into());
    lit.refuses(&flip().in_fence(&output.primary, &memory), Errno::INVAL, "a memfd as a fence")?;
    lit.refuses(&flip().in_fence(&output.primary, &lit.display.file), Errno::INVAL, "the card as a fence")?;
    for fd in [99_999_u64, 1 << 31, (-2_i64) as u64] {
        let request = flip().set(&output.primary, "IN_FENCE_FD", fd);
        lit.refuses(&request, Errno::INVAL, &format!("descriptor {fd:#x} as a fence"))?;
    }
    works!(lit.display.commit(&flip().set(&output.primary, "IN_FENCE_FD", u64::MAX), 0, 0));
    for address in [BadAddress::Unmapped, BadAddress::Kernel, BadAddress::NonCanonical] {
        lit.refuses(&flip().out_fence_at(output, address), Errno::FAULT, &format!("a fence at {address:?}"))?;
    }
    lit.flips()
}

/// K19: a frame takes between a millisecond and a second, or vblanks would never or always come.
fn mode_without_a_frame_time_is_refused(guest: &Guest) -> Outcome {
    let lit = Lit::new(guest)?;
    let good = lit.output().mode();
    for clock in [1, 2, i32::MAX as u32, i32::MAX as u32 - 1] {
        let blob = lit.display.mode_blob(&ModeInfo { clock, ..good })?;
        let request = Request::new().set(&lit.output().crtc, "MODE_ID", blob.into());
        lit.refuses(&request, Errno::INVAL, &format!("a clock of {clock} kHz"))?;
    }
    lit.flips()
}

/// A commit whose fence finds no free descriptor fails with `EMFILE` and has no effect.
fn no_descriptor_left_for_a_fence(guest: &Guest) -> Outcome {
    let lit = Lit::new(guest)?;
    let output = lit.output();
    let other = lit.display.frame(output.size())?;
    let flip = Request::new().set(&output.primary, "FB_ID", other.fb.into()).out_fence(output);
    let before = lit.display.snapshot()?;
    let old = getrlimit(Resource::Nofile);
    works!(setrlimit(Resource::Nofile, Rlimit { current: Some(0), maximum: old.maximum }));
    for flags in [0, ATOMIC_NONBLOCK | PAGE_FLIP_EVENT] {
        refuses!(lit.display.commit(&flip, flags, 0), MFILE);
    }
    refuses!(lit.display.file.create_lease(&[output.crtc.id, output.connector.id, output.primary.id], CLOEXEC), MFILE);
    works!(setrlimit(Resource::Nofile, old));
    same!(lit.display.snapshot()?, before);
    same!(works!(lit.display.file.lessees()), Vec::<u32>::new());
    same!(works!(lit.display.commit_with_fences(&flip, 0, 0)).len(), 1);
    lit.flips()
}

/// A removed framebuffer fails with `EINVAL`, as a number that never was one.
fn removed_framebuffer_is_unknown(guest: &Guest) -> Outcome {
    let lit = Lit::new(guest)?;
    let other = lit.display.frame(lit.output().size())?;
    works!(lit.display.file.remove_fb(other.fb));
    let flip = Request::new().set(&lit.output().primary, "FB_ID", other.fb.into());
    lit.refuses(&flip, Errno::INVAL, "a removed framebuffer")?;
    refuses!(lit.display.file.remove_fb(other.fb), NOENT);
    lit.flips()
}

/// Changes before and after a wrong one in the same commit are not made.
fn good_change_beside_a_wrong_one_has_no_effect(guest: &Guest) -> Outcome {
    let lit = Lit::new(guest)?;
    let output = lit.output();
    let other = lit.display.frame(output.size())?;
    let good = || Request::new().set(&output.primary, "FB_ID", other.fb.into());
    let wrong = || Request::new().number(output.crtc.id, 0x7fff_ffff, 1);
    lit.refuses(&good().and(wrong()), Errno::NOENT, "a wrong change at the end")?;
    lit.refuses(&wrong().and(good()), Errno::NOENT, "a wrong change at the beginning")?;
    let inactive = Request::new().set(&output.crtc, "MODE_ID", 0);
    lit.refuses(&good().and(inactive), Errno::INVAL, "a CRTC without a mode at the end")?;
    same!(lit.display.shown(&output.primary)?, lit.frame.fb);
    lit.flips()
}

/// A commit that fails after its out-fence was made closes the descriptor again.
fn refused_commits_leave_no_descriptor(guest: &Guest) -> Outcome {
    let lit = Lit::new(guest)?;
    let output = lit.output();
    let count = || std::fs::read_dir("/proc/self/fd").map(Iterator::count);
    let before = count()?;
    let wrong = Request::new().set(&output.primary, "SRC_X", 1 << 16).out_fence(output);
    for _ in 0..3 {
        lit.refuses(&wrong, Errno::NOSPC, "a source outside")?;
    }
    same!(count()?, before);
    lit.flips()
}
