// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A page of registers is kept beyond the time for which the device is bound.
//!
//! Clients would map registers that may belong to another device (L6).

include!("../driver.rs");

fn keep(cx: &drm::pci::Probe<'_>) -> Result<drm::registers::RegisterPage<'static>> {
    cx.register_page(0, 0x1000) //~ WRONG
    //= cx.register_page(0, 0x1000).and(Err(EINVAL))
}
