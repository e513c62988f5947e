// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A reference to registration data leaves the scope.

include!("../driver.rs");

fn revision(dev: &Device<Mini>) -> Option<u32> {
    let revision = dev.enter(|plugged| plugged.registration(|hw| &hw.revision))?; //~ WRONG
    //= let revision = &dev.enter(|plugged| plugged.registration(|hw| hw.revision))?;
    Some(*revision)
}
