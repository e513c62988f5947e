// SPDX-License-Identifier: GPL-2.0-only OR MIT

// Two drivers with mode setting, for the cases that need one. It is included after `driver.rs`.

#[allow(unused_imports, reason = "each case uses some of it")]
use drm::kms::{
    connector::ConnectorType, crtc::CrtcCheck, crtc::CrtcCommit, framebuffer::Map as PixelMap, framebuffer::Pixels,
    plane::PlaneCheck, vblank, Connector, Crtc, CrtcState, DriverConnector, DriverCrtc, DriverPlane, Edit, Encoder,
    EncoderType, Flip, Framebuffer, Hw, Key, Mode, Modes, New, Old, Plane, PlaneState, Setup, Status,
};

/// Declares a driver with mode setting, and its classes of objects.
macro_rules! display {
    ($driver:ident, $file:ident, $payload:ident, $plane:ident, $crtc:ident, $connector:ident) => {
        classes!($driver, $file, $payload, $plane, $crtc, $connector);
        layer!($plane, $driver);
        screen!($crtc, $driver);
        monitor!($connector, $driver);
    };
}

/// Declares a driver with mode setting, whose classes of objects are declared elsewhere.
macro_rules! classes {
    ($driver:ident, $file:ident, $payload:ident, $plane:ident, $crtc:ident, $connector:ident) => {
        driver!($driver, (), $file, $payload, kms::Kms, ioctl::Table::empty());

        impl kms::Driver for $driver {
            type Plane = $plane;
            type Crtc = $crtc;
            type Connector = $connector;
            type Objects = ();
        }
    };
}

/// Declares a class of planes.
macro_rules! layer {
    ($plane:ident, $driver:ident) => {
        struct $plane;

        #[vtable]
        impl DriverPlane for $plane {
            type Driver = $driver;
            type State = u32;
            type Prepared = u32;

            fn prepare(_: &Plane<Self>, _: &New<PlaneState<Self>>, _: &Framebuffer<$driver>) -> Result<u32> {
                Ok(1)
            }
        }
    };
}

/// Declares a class of CRTCs.
macro_rules! screen {
    ($crtc:ident, $driver:ident) => {
        struct $crtc;

        #[vtable]
        impl DriverCrtc for $crtc {
            type Driver = $driver;
            type State = u32;
            type Vblank = vblank::Timer;
        }
    };
}

/// Declares a class of connectors.
macro_rules! monitor {
    ($connector:ident, $driver:ident) => {
        struct $connector;

        #[vtable]
        impl DriverConnector for $connector {
            type Driver = $driver;

            fn modes(_: &Connector<Self>, modes: &mut Modes<'_>, _: &Hw<'_, $driver>) -> Result {
                modes.common((1024, 768), (1024, 768))
            }
        }
    };
}

display!(Display, DisplayClient, DisplayBuffer, Layer, Screen, Monitor);
display!(Panel, PanelClient, PanelBuffer, PanelLayer, PanelScreen, PanelMonitor);

const FORMATS: [u32; 1] = [u32::from_le_bytes(*b"XR24")];

/// Creates the fewest objects that a display can have.
#[allow(dead_code, reason = "some cases use it")]
fn objects(setup: &Setup<'_, Display>) -> Result {
    let primary = setup.primary(&FORMATS, Ok(Layer))?;
    let screen = setup.crtc(primary, None, Ok(Screen))?;
    let encoder = setup.encoder(EncoderType::VIRTUAL, screen, &[])?;
    setup.connector(ConnectorType::VIRTUAL, encoder, &[], Ok(Monitor))?;
    Ok(())
}
