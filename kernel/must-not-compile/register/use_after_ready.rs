// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! The unregistered device is used after it was handed over.
//!
//! From `ready` on it is the bus adapter's. A counted reference, `ARef<Device<_>>`, stays valid (L1).

include!("../driver.rs");

fn probe<'bound>(cx: &platform::Probe<'bound>) -> Result<Ready<'bound, Mini>> {
    let dev = UnregisteredDevice::<Mini>::new(cx, Ok(()))?;
    let shared: ARef<Device<Mini>> = (&*dev).into();
    let ready = dev.ready(Hardware::new(cx))?;
    Object::new(&dev, gem::Size::PAGE, ())?; //~ WRONG
    //= Object::new(&shared, gem::Size::PAGE, ())?;
    Ok(ready)
}
