// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A driver with mode setting and the fewest objects that it can have, to test the gate `init_kms` (L1).

#![forbid(unsafe_code)]

use drm::{
    gem,
    kms::{
        self,
        connector::ConnectorType,
        vblank,
        Connector,
        EncoderType,
        Framebuffer,
        Hw,
        Modes,
        New,
        Plane,
        PlaneState, //
    }, //
};
use kernel::prelude::*;

struct Gate;

#[vtable]
impl drm::Driver for Gate {
    type Data = ();
    type RegistrationData<'bound> = ();
    type File = drm::Plain<Self>;
    type Object = gem::shmem::Object<drm::Plain<Self>>;
    type Kms = kms::Kms;

    const INFO: drm::DriverInfo =
        drm::DriverInfo::new(c"lifecycle_kms", c"Test driver of the gate of mode setting");
    const FEATURES: drm::Features = drm::Features::GEM;
    const IOCTLS: drm::ioctl::Table<Self> = drm::ioctl::Table::empty();
}

impl kms::Driver for Gate {
    type Plane = Layer;
    type Crtc = Screen;
    type Connector = Monitor;
    type Objects = ();
}

struct Layer;

#[vtable]
impl kms::DriverPlane for Layer {
    type Driver = Gate;
    type State = ();
    type Prepared = ();

    fn prepare(
        _: &Plane<Self>,
        _: &New<PlaneState<Self>>,
        _: &Framebuffer<Gate>,
    ) -> Result<Self::Prepared> {
        Ok(())
    }
}

struct Screen;

#[vtable]
impl kms::DriverCrtc for Screen {
    type Driver = Gate;
    type State = ();
    type Vblank = vblank::Timer;
}

struct Monitor;

#[vtable]
impl kms::DriverConnector for Monitor {
    type Driver = Gate;

    fn modes(_: &Connector<Self>, modes: &mut Modes<'_>, _: &Hw<'_, Gate>) -> Result {
        modes.common((1024, 768), (1024, 768))
    }
}

/// `DRM_FORMAT_XRGB8888` of `include/uapi/drm/drm_fourcc.h`.
const XRGB8888: u32 = u32::from_le_bytes(*b"XR24");

impl drm::platform::Driver for Gate {
    type IdInfo = ();

    fn probe<'bound>(
        cx: &drm::platform::Probe<'bound>,
        _id: Option<&'bound ()>,
    ) -> Result<drm::Ready<'bound, Self>> {
        let dev = drm::UnregisteredDevice::<Self>::new(cx, Ok(()))?;

        // An object and a reference from before the gate stay valid after it.
        let scratch = gem::shmem::Object::<drm::Plain<Self>>::new(&dev, gem::Size::PAGE, ())?;
        let dev = dev.init_kms(|setup| {
            dev_info!(cx, "inside the gate of mode setting\n");
            setup.framebuffer_limits((16, 16), (4096, 2048))?;
            let primary = setup.primary(&[XRGB8888], Ok(Layer))?;
            let screen = setup.crtc(primary, None, Ok(Screen))?;
            let encoder = setup.encoder(EncoderType::VIRTUAL, screen, &[])?;
            setup
                .connector(ConnectorType::VIRTUAL, encoder, &[], Ok(Monitor))
                .map(drop)
        })?;
        drop(scratch);
        dev.ready(Ok(()))
    }
}

drm::module_platform_driver! {
    virtual_device: c"lifecycle_kms",
    type: Gate,
    name: "lifecycle_kms",
    authors: ["The Drydock authors"],
    description: "Test driver of the gate of mode setting",
    license: "Dual MIT/GPL",
}
