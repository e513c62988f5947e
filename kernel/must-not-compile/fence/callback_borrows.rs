// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A fence's callback borrows a local variable.
//!
//! C may call it after the function has returned.

include!("../driver.rs");

fn watch(fence: &Fence) -> Result {
    let count = kernel::sync::atomic::Atomic::new(0); //~ WRONG
    //= static count: kernel::sync::atomic::Atomic<i32> = kernel::sync::atomic::Atomic::new(0);
    let callback = fence.on_signal::<LocalModule, _>(|_| {
        count.store(1, kernel::sync::atomic::Relaxed);
    })?;
    drop(callback);
    Ok(())
}
