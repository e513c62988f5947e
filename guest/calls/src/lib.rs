// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The system calls of a client of a DRM driver: open, ioctl, mmap and poll, without `unsafe` for the client.
//!
//! ```no_run
//! use calls::{Device, Ioctl};
//!
//! calls::argument! {
//!     struct Next { value: u64 }
//! }
//! const NEXT: Ioctl<Next> = Ioctl::iowr(0x00);
//!
//! let device = Device::open("counter");
//! assert_eq!(device.call(NEXT, Next { value: 0 }), Ok(Next { value: 1 }));
//! ```
//!
//! Opening a device or mapping memory panics if it fails, because a client of a test has nothing else to do. An ioctl
//! returns its error, because tests provoke errors.
//!
//! Source: ioctl(2), mmap(2), poll(2).

mod argument;
mod common;
mod memory;
mod system;

pub use argument::Number;
pub use memory::Memory;
pub use system::Errno;
pub use uapi::{Plain, Request as Ioctl};

use std::fs::{self, File, OpenOptions};
use std::os::fd::AsFd;
use std::path::Path;
use std::time::Duration;

/// An open node of a DRM device: one client.
#[derive(Debug)]
pub struct Device(File);

impl Device {
    /// Opens the render node of the first device of `driver`.
    #[must_use]
    pub fn open(driver: &str) -> Self {
        Self::open_node(driver, "renderD")
    }

    /// Opens the primary node of the first device of `driver`. Dumb buffers exist only there.
    #[must_use]
    pub fn open_primary(driver: &str) -> Self {
        Self::open_node(driver, "card")
    }

    fn open_node(driver: &str, kind: &str) -> Self {
        let entries = fs::read_dir("/sys/class/drm").expect("the DRM core is loaded").flatten();
        let mut nodes: Vec<_> = entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
        nodes.sort();
        let is_of_driver = |node: &&String| {
            let link = fs::read_link(format!("/sys/class/drm/{node}/device/driver"));
            node.starts_with(kind) && link.is_ok_and(|driver_of| driver_of.ends_with(driver))
        };
        let Some(node) = nodes.iter().find(is_of_driver) else {
            panic!("no `{kind}` node of a device of driver `{driver}` among {nodes:?}")
        };
        let path = Path::new("/dev/dri").join(node);
        let opened = OpenOptions::new().read(true).write(true).open(&path);
        Self(opened.unwrap_or_else(|error| panic!("failed to open `{}`: {error}", path.display())))
    }

    /// Makes an ioctl with `argument`, and returns the argument as the kernel left it.
    ///
    /// # Errors
    ///
    /// Returns the kernel's error.
    pub fn call<A: Plain>(&self, ioctl: Ioctl<A>, mut argument: A) -> Result<A, Errno> {
        system::ioctl(self.0.as_fd(), &ioctl, &mut argument)?;
        Ok(argument)
    }

    /// Maps `bytes` of the node from `offset`, which the driver has returned for a buffer.
    #[must_use]
    pub fn map(&self, offset: u64, bytes: usize) -> Memory {
        Memory::new(self.0.as_fd(), offset, bytes)
    }
}

/// Waits until `file` is readable: an event has arrived, or the fence of a sync file or a dma-buf is signalled. Returns
/// `false` if that takes longer than `limit`.
#[must_use]
pub fn wait(file: &impl AsFd, limit: Duration) -> bool {
    system::poll(file.as_fd(), limit)
}
