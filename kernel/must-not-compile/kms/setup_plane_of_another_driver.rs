// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A plane is given the data of another driver's planes.
//!
//! All planes of a driver are of one class, so a plane that C passes to a hook needs no check (K2).

include!("../driver.rs");
include!("../display.rs");

fn set_up(setup: &Setup<'_, Display>) -> Result {
    setup.primary(&FORMATS, Ok(PanelLayer)).map(drop) //~ WRONG
    //= setup.primary(&FORMATS, Ok(Layer)).map(drop)
}
