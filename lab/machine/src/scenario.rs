// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Runs a scenario in a guest: builds, boots, acts, and judges the kernel's log.
//!
//! ```no_run
//! let stage = Stage::prepare(&plan, events)?;
//! let ended = stage.play(&Boot::default(), events, |scene| {
//!     scene.insmod("vgem_rust")?;
//!     scene.guest().check(&["drmdevice"], LIMIT)?;
//!     scene.rmmod("vgem_rust")
//! })?;
//! ```

mod boot;
mod client_root;
mod content;
pub mod debugged;
mod hardware;
mod launch;
pub mod leaks;
mod names;
pub mod scene;
mod screen;
mod stage;
mod stock_device;
pub mod verdict;

pub use boot::{Boot, ClientRoot, Share};
pub use content::{Content, Program};
pub use hardware::{gpu_of, has_firmware, kind_of_gpu, with_hardware};
pub use scene::{Scene, driver_module, driver_modules};
pub use screen::picture;
pub use stage::{Plan, Stage};
pub use stock_device::StockDevice;

use std::time::Duration;

/// The time limit for a program that should end in a moment, generous enough for a slow machine.
pub const LIMIT: Duration = Duration::from_secs(60);
