// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! Addresses of a buffer that are valid in the probe are used after it.
//!
//! After `ready` the device may be unplugged at any moment, and its mappings undone (L5).

include!("../driver.rs");

fn probe<'bound>(cx: &platform::Probe<'bound>) -> Result<(usize, Ready<'bound, Mini>)> {
    let dev = UnregisteredDevice::<Mini>::new(cx, Ok(()))?;
    let object = Object::new(&dev, gem::Size::PAGE, ())?;
    let table = object.sg_table_in_probe(&dev)?;
    let (ready, pieces) = (dev.ready(Hardware::new(cx))?, table.iter().count()); //~ WRONG
    //= let (pieces, ready) = (table.iter().count(), dev.ready(Hardware::new(cx))?);
    Ok((pieces, ready))
}
