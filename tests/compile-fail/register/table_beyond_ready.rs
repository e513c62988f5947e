// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! The addresses of a buffer that were asked for in the probe are used after the device was handed over.
//!
//! From then on it may be unplugged at any moment, and its mappings be undone (L5).

include!("../driver.rs");

fn probe<'bound>(cx: &platform::Probe<'bound>) -> Result<(usize, Ready<'bound, Mini>)> {
    let dev = UnregisteredDevice::<Mini>::new(cx, Ok(()))?;
    let object = Object::new(&dev, gem::Size::PAGE, ())?;
    let table = object.sg_table_in_probe(&dev)?;
    let (ready, pieces) = (dev.ready(Hardware::new(cx))?, table.iter().count()); //~ WRONG
    //= let (pieces, ready) = (table.iter().count(), dev.ready(Hardware::new(cx))?);
    Ok((pieces, ready))
}
