// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A buffer's device is used after the buffer.
//!
//! The buffer's reference to its device is dropped with the buffer (L11); a separate reference stays.

include!("../driver.rs");

fn device(obj: ARef<Object>) -> bool {
    let dev = obj.device(); //~ WRONG
    //= let dev: ARef<Device<Mini>> = obj.device().into();
    drop(obj);
    dev.enter(|_| ()).is_some()
}
