// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A CRTC keeps the device that is bound.
//!
//! The CRTC lives as long as the DRM device, which may be longer. A hook has `Hw::parent` (L7).

include!("../driver.rs");
include!("../display.rs");

classes!(Show, ShowClient, ShowBuffer, ShowLayer, ShowScreen, ShowMonitor);
layer!(ShowLayer, Show);
monitor!(ShowMonitor, Show);

struct ShowScreen {
    parent: &'static Parent, //~ WRONG
    //= parent: ARef<kernel::device::Device>,
}

#[vtable]
impl DriverCrtc for ShowScreen {
    type Driver = Show;
    type State = ();
    type Vblank = vblank::Timer;
}

fn probe<'bound>(cx: &platform::Probe<'bound>) -> Result {
    UnregisteredDevice::<Show>::new(cx, Ok(()))?.init_kms(|setup| {
        let parent = cx.parent(); //~ WRONG
        //= let parent = (&**cx.parent()).into();
        setup.crtc(setup.primary(&FORMATS, Ok(ShowLayer))?, None, Ok(ShowScreen { parent }))?;
        Ok(())
    })?;
    Ok(())
}
