// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A driver makes up a type of connector.
//!
//! C takes the type for an index of its table of names, and looks beyond that (K1).

include!("../driver.rs");
include!("../display.rs");

fn set_up(setup: &Setup<'_, Display>, encoder: Key<Encoder<Display>>) -> Result {
    setup.connector(ConnectorType(0xffff), encoder, &[], Ok(Monitor)).map(drop) //~ WRONG
    //= setup.connector(ConnectorType::VGA, encoder, &[], Ok(Monitor)).map(drop)
}
