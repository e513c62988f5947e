// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The thread that does everything that becomes due by itself.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Instant;

use super::Shared;
use crate::gpu::Gpu;

/// Starts the clock, which runs until the client has disconnected.
pub(super) fn start<G: Gpu>(shared: &Arc<Shared<G>>) {
    let shared = Arc::clone(shared);
    thread::spawn(move || run(&shared));
}

/// Does what is due, and sleeps until something is, or until there is a reason to check again.
fn run<G: Gpu>(shared: &Shared<G>) {
    let mut device = shared.lock();
    while !shared.ended.load(Ordering::Relaxed) {
        let now = Instant::now();
        device = match device.due() {
            None => shared.changed.wait(device).expect("a model does not panic"),
            Some(due) if due <= now => {
                device.tick(now);
                device
            }
            Some(due) => shared.changed.wait_timeout(device, due - now).expect("a model does not panic").0,
        };
    }
}
