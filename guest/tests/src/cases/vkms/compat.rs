// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Mode setting by a 32-bit program. Two structures have another layout for it; addresses are below 4 GiB.
//!
//! Source: `drivers/gpu/drm/drm_ioc32.c` (Linux 7.3).

use uapi::mode::*;
use uapi::{DIR_READ, DIR_WRITE, DRM};

use crate::harness::check::Outcome;
use crate::harness::compat::{self, Pointed};
use crate::subjects::display::Display;
use crate::subjects::display::events::Event;
use crate::subjects::guest::Guest;
use crate::{holds, refuses, same, works};

crate::cases::cases! {
    "vkms_compat" for Vkms:
    resources_are_listed, framebuffer_is_added, vblank_is_waited_for, commit_flips,
}

const RW: u32 = DIR_READ | DIR_WRITE;

/// Returns a word of a structure.
fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from_ne_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
}

/// Returns the bytes of words.
fn words(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_ne_bytes()).collect()
}

/// `GETRESOURCES` has one layout for both.
fn resources_are_listed(guest: &Guest) -> Outcome {
    let display = Display::open(guest)?;
    let res = works!(display.file.resources());
    let mut argument = [0; 64];
    argument[36..40].copy_from_slice(&words(&[res.crtcs.len() as u32]));
    let mut pointed = [Pointed { holder: 0, at: 8, bytes: vec![0; 4 * res.crtcs.len()] }];
    works!(compat::ioctl(&display.file, GETRESOURCES.number, &mut argument, &mut pointed));
    same!(word(&argument, 36) as usize, res.crtcs.len());
    same!(pointed[0].bytes, words(&res.crtcs));
    same!((word(&argument, 48), word(&argument, 52)), res.width);
    Ok(())
}

/// `ADDFB2` has no gap before the modifiers.
fn framebuffer_is_added(guest: &Guest) -> Outcome {
    let display = Display::open(guest)?;
    let made = works!(display.file.create_dumb(64, 64, 32));
    let number = uapi::ioc(RW, DRM, 0xb8, 100);
    let add = |modifier: u64, flags: u32, handle: u32| {
        let mut argument = words(&[0, 64, 64, XRGB8888, flags, handle, 0, 0, 0, made.pitch, 0, 0, 0, 0, 0, 0, 0]);
        argument.extend([modifier, 0, 0, 0].into_iter().flat_map(u64::to_ne_bytes));
        assert_eq!(argument.len(), 100, "the layout is that of a 32-bit program");
        compat::ioctl(&display.file, number, &mut argument, &mut []).map(|_| word(&argument, 0))
    };
    let fb = works!(add(MOD_LINEAR, FB_MODIFIERS, made.handle));
    let found = works!(display.file.get_fb2(fb));
    same!((found.width, found.pitches[0], found.modifier[0]), (64, made.pitch, MOD_LINEAR));
    refuses!(add(1, FB_MODIFIERS, made.handle), INVAL);
    refuses!(add(1, 0, made.handle), INVAL);
    refuses!(add(MOD_LINEAR, 0, 0x7fff_ffff), NOENT);
    refuses!(compat::ioctl_bad(&display.file, number), FAULT);
    Ok(())
}

/// `WAIT_VBLANK` has words for the number of its event and for the time.
fn vblank_is_waited_for(guest: &Guest) -> Outcome {
    let display = Display::open(guest)?;
    display.light(display.output())?;
    let number = uapi::ioc(RW, DRM, 0x3a, 16);
    let mut argument = words(&[VBLANK_RELATIVE, 1, 0, 0]);
    works!(compat::ioctl(&display.file, number, &mut argument, &mut []));
    let now = works!(display.file.sequence(display.output().crtc.id));
    holds!((now.sequence as u32).wrapping_sub(word(&argument, 4)) < 1 << 31, "the count is not ahead");
    holds!(i64::from(word(&argument, 8)) <= now.sequence_ns / 1_000_000_000, "the time is not ahead");
    let mut argument = words(&[VBLANK_RELATIVE | VBLANK_EVENT, 1, 0xfeed_f00d, 0]);
    works!(compat::ioctl(&display.file, number, &mut argument, &mut []));
    let event = display.next_event()?;
    same!((matches!(event, Event::Vblank(_)), event.user_data()), (true, 0xfeed_f00d));
    let mut argument = words(&[VBLANK_SIGNAL | VBLANK_RELATIVE, 1, 0, 0]);
    refuses!(compat::ioctl(&display.file, number, &mut argument, &mut []), INVAL);
    Ok(())
}

/// `ATOMIC` has one layout for both.
fn commit_flips(guest: &Guest) -> Outcome {
    let display = Display::open(guest)?;
    let output = display.output();
    display.light(output)?;
    let other = display.frame(output.size())?;
    let mut argument = [0; 56];
    argument[..8].copy_from_slice(&words(&[ATOMIC_NONBLOCK | PAGE_FLIP_EVENT, 1]));
    argument[48..].copy_from_slice(&words(&[7, 9]));
    let mut pointed = [
        Pointed { holder: 0, at: 8, bytes: words(&[output.primary.id]) },
        Pointed { holder: 0, at: 16, bytes: words(&[1]) },
        Pointed { holder: 0, at: 24, bytes: words(&[output.primary.property("FB_ID")]) },
        Pointed { holder: 0, at: 32, bytes: words(&[other.fb, 0]) },
    ];
    works!(compat::ioctl(&display.file, ATOMIC.number, &mut argument, &mut pointed));
    same!(display.flipped()?.user_data, 9 << 32 | 7);
    same!(display.shown(&output.primary)?, other.fb);
    Ok(())
}
