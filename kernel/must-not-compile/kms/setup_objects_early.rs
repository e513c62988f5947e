// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! The set-up asks for its own result.
//!
//! The objects are stored when the set-up has returned (K5).

include!("../driver.rs");
include!("../display.rs");

fn set_up(setup: &Setup<'_, Display>) -> Result {
    let () = setup.device().objects(); //~ WRONG
    objects(setup)
}
