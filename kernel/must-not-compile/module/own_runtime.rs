// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A driver names a module of its own making as its owner.
//!
//! The owner stays loaded while files are open; only the module macros can say which module that is (L15).

include!("../driver.rs");

struct Stranger;

impl drm::module::ModuleRuntime for Stranger { //~ WRONG
//= impl Stranger {
    fn runtime() -> &'static drm::module::Runtime {
        static RUNTIME: drm::module::Runtime = drm::module::Runtime::new();
        &RUNTIME
    }
}
