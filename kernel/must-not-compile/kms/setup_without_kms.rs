// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A driver without mode setting has a function that creates objects.

include!("../driver.rs");
include!("../display.rs");

fn set_up(_: &Setup<'_, Mini>) -> Result { //~ WRONG
//= fn set_up(_: &Setup<'_, Display>) -> Result {
    Ok(())
}
