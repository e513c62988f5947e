// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A driver's probe is called from outside of a probe.
//!
//! The caller could pass any device, and forget the result (L4).

include!("../driver.rs");

fn call(pdev: &kernel::platform::Device<kernel::device::Bound>) -> Result {
    <Mini as platform::Driver>::probe(pdev, None)?; //~ WRONG
    Ok(())
}
