// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! The driver's part of a state borrows.
//!
//! A state lives as long as C wants (K13).

include!("../driver.rs");
include!("../display.rs");

#[derive(Clone, Copy, Default)]
struct Part<'a>(Option<&'a Framebuffer<Display>>);

fn part<'a, S: kms::State>(_: S) {}

fn use_it<'a>(framebuffer: &'a Framebuffer<Display>) {
    part(Part(Some(framebuffer))); //~ WRONG
    //= part(Part(None::<&'static Framebuffer<Display>>));
    //= let _ = framebuffer;
}
