// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A device is allocated under a parent that is not being probed.
//!
//! Only the probe proves that the parent is bound, and to this driver (L4).

include!("../driver.rs");

fn allocate<'bound>(cx: &platform::Probe<'bound>) -> Result {
    UnregisteredDevice::<Mini>::new(cx.parent(), Ok(()))?; //~ WRONG
    //= UnregisteredDevice::<Mini>::new(cx, Ok(()))?;
    Ok(())
}
