// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A driver of one bus registers under a parent of another.

include!("../driver.rs");

fn probe<'bound>(
    cx: &drm::auxiliary::Probe<'bound>, //~ WRONG
    //= cx: &platform::Probe<'bound>,
) -> Result<Ready<'bound, Mini>> {
    <Mini as platform::Driver>::probe(cx, None)
}
