// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A driver that makes no DRM device is given to a bus as one that does.
//!
//! The bus cannot register the value that its probe returns.

include!("../driver.rs");

struct Card;

#[vtable]
impl drm::parent::Driver for Card {
    type Data<'bound> = u32;
    const NAME: &'static CStr = c"card";
}

impl platform::Driver for Card { //~ WRONG
    //= impl platform::Driver<drm::bus::Parent> for Card {
    type IdInfo = ();

    fn probe<'bound>(
        cx: &platform::Probe<'bound>,
        _id: Option<&'bound ()>,
    ) -> Result<Pin<KBox<u32>>> {
        let _ = cx;
        Ok(KBox::pin(1, GFP_KERNEL)?)
    }
}
