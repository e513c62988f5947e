// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A fence's callback owns a value that belongs to one thread.
//!
//! The callback runs in whatever context the fence is signalled.

include!("../driver.rs");

fn watch(fence: &Fence) -> Result {
    let mine = kernel::types::NotThreadSafe; //~ WRONG
    //= let mine = 0;
    let callback = fence.on_signal::<LocalModule, _>(move |_| drop(mine))?;
    drop(callback);
    Ok(())
}
