// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! A device on its sockets: vfio-user for the virtual machine monitor, lines of JSON for commands, and a clock.
//!
//! Three threads share the device's lock. All of them sleep when nothing happens.
//!
//! Source: vfio-user specification; the crate `vfio_user`, which has two peculiarities: it answers an error even where
//! no answer was requested, so its backend never returns one; it panics on some malformed messages, which ends the
//! connection.

mod backend;
mod clock;
mod control;

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::Instant;

use vfio_user::Server;

use crate::device::Device;
use crate::gpu::Gpu;

/// The socket to which the virtual machine monitor connects.
#[derive(Debug)]
pub enum Socket {
    /// A path, which must not exist; it is removed at the end.
    Path(PathBuf),
    /// A socket that listens already.
    Listening(OwnedFd),
}

/// The source of commands, which also receives events.
#[derive(Debug)]
pub enum Control {
    /// Any program that connects to the listener.
    Listener(UnixListener),
    /// A single connection.
    Connected(UnixStream),
}

/// The reason why a device cannot be served, or not any longer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The socket cannot be made, or breaks.
    #[error("vfio-user: {0}")]
    Protocol(#[from] vfio_user::Error),
    /// The client sent something that is no message.
    #[error("vfio-user: the client does not keep to the protocol")]
    Malformed,
    /// The control socket cannot be used.
    #[error("control socket: {0}")]
    Control(io::Error),
}

/// A device, and the condition for which its clock waits.
struct Shared<G: Gpu> {
    device: Mutex<Device<G>>,
    changed: Condvar,
    /// Whether the client has disconnected. Changes under the device's lock.
    ended: AtomicBool,
}

impl<G: Gpu> Shared<G> {
    fn lock(&self) -> MutexGuard<'_, Device<G>> {
        self.device.lock().expect("a model does not panic")
    }

    /// Uses the device at this moment, and wakes the clock if it must check again.
    fn with<T>(&self, act: impl FnOnce(&mut Device<G>, Instant) -> T) -> T {
        let mut device = self.lock();
        let before = device.due();
        let out = act(&mut device, Instant::now());
        if device.due() != before {
            self.changed.notify_one();
        }
        out
    }
}

/// Serves one client until it disconnects. Returns the number of violations.
///
/// # Errors
/// See [`Error`].
pub fn serve<G: Gpu>(device: Device<G>, socket: Socket, control: Option<Control>) -> Result<u64, Error> {
    let (irqs, regions) = (backend::interrupts(device.function()), backend::regions(device.function()));
    let server = match socket {
        Socket::Path(path) => Server::new(&path, true, irqs, regions)?,
        Socket::Listening(fd) => Server::from_owned_fd(fd, true, irqs, regions),
    };
    let shared = Shared { device: Mutex::new(device), changed: Condvar::new(), ended: AtomicBool::new(false) };
    let shared = Arc::new(shared);
    clock::start(&shared);
    if let Some(control) = control {
        control::start(&shared, control).map_err(Error::Control)?;
    }
    let mut backend = backend::Backend::new(&shared);
    let ended = catch_unwind(AssertUnwindSafe(|| server.run(&mut backend)));
    let violations = shared.with(|device, _| {
        device.finish();
        shared.ended.store(true, Ordering::Relaxed);
        device.bus().violations()
    });
    shared.changed.notify_one();
    match ended {
        Ok(ended) => ended.map(|()| violations).map_err(Error::from),
        Err(_) => Err(Error::Malformed),
    }
}
