// SPDX-License-Identifier: GPL-2.0-only OR MIT

// The driver `Mini`, complete and as small as possible, and a second one, `Other`. Every case includes them and adds
// its mistake.

#[allow(unused_imports, reason = "each case uses some of it")]
use drm::{
    event::{self, Event},
    fence::{self, Fence, Signaler},
    gem::{self, Class, DriverObject},
    ioctl, kms, platform,
    resv::{Resv, Usage},
    Device, DeviceContext, DriverFile, File, Init, Plugged, Ready, Registered, Uninit,
    UnregisteredDevice,
};
#[allow(unused_imports, reason = "each case uses some of it")]
use kernel::{
    ioctl::{_IOR, _IOW, _IOWR},
    prelude::*,
    sync::{aref::ARef, SetOnce},
};

type Parent = kernel::device::Device<kernel::device::Bound>;
type Object = gem::shmem::Object<Buffer>;
type OtherObject = gem::shmem::Object<OtherBuffer>;

/// Data of `Mini` while it is registered; it borrows for the time for which its parent is bound.
struct Hardware<'bound> {
    parent: &'bound Parent,
    revision: u32,
    itself: SetOnce<&'bound Hardware<'bound>>,
}

impl<'bound> Hardware<'bound> {
    fn new(cx: &platform::Probe<'bound>) -> impl PinInit<Self, Error> {
        Ok::<_, Error>(Self {
            parent: cx.parent(),
            revision: 1,
            itself: SetOnce::new(),
        })
    }
}

/// An ioctl's argument: eight bytes.
#[derive(FromBytes, IntoBytes)]
#[repr(C)]
struct Args {
    handle: u32,
    value: u32,
}

// The ioctls of `Mini`'s uapi.
const WRITE: u32 = _IOW::<Args>(b'd' as u32, 0x40);
const BOTH: u32 = _IOWR::<Args>(b'd' as u32, 0x41);

/// Declares the types of a driver, which does nothing, and implements it.
macro_rules! driver {
    ($driver:ident, $data:ty, $file:ident, $payload:ident, $kms:ty, $ioctls:expr) => {
        struct $driver;
        #[derive(Default)]
        struct $file;
        #[derive(Default)]
        struct $payload {
            number: u32,
        }
        implement!($driver, $data, $file, $payload, $kms, $ioctls);
    };
}

/// Implements a driver whose types exist already.
macro_rules! implement {
    ($driver:ty, $data:ty, $file:ty, $payload:ty, $kms:ty, $ioctls:expr) => {
        #[vtable]
        impl drm::Driver for $driver {
            type Data = ();
            type RegistrationData<'bound> = $data;
            type File = $file;
            type Object = gem::shmem::Object<$payload>;
            type Kms = $kms;

            const INFO: drm::DriverInfo = INFO;
            const FEATURES: drm::Features = drm::Features::GEM.render();
            const IOCTLS: ioctl::Table<Self> = $ioctls;
        }
        client!($file, $driver);
        payload!($payload, $driver);
    };
}

const INFO: drm::DriverInfo = drm::DriverInfo {
    major: 1,
    minor: 0,
    patchlevel: 0,
    name: c"mini",
    desc: c"A driver that does nothing",
};

/// The driver's data of a file: none.
macro_rules! client {
    ($file:ty, $driver:ty) => {
        #[vtable]
        impl DriverFile for $file {
            type Driver = $driver;

            fn open(_dev: &Device<$driver, Registered>) -> impl PinInit<Self, Error> {
                Ok::<_, Error>(<$file>::default())
            }
        }
    };
}

/// The driver's data of a buffer: none.
macro_rules! payload {
    ($payload:ty, $driver:ty) => {
        #[vtable]
        impl DriverObject for $payload {
            type Driver = $driver;
            type Args = ();

            fn new(_: &Device<$driver>, _: gem::Size, _: ()) -> impl PinInit<Self, Error> {
                Ok::<_, Error>(<$payload>::default())
            }
        }
    };
}

driver!(Mini, Hardware<'bound>, Client, Buffer, drm::NoKms, ioctl::Table::empty());
driver!(Other, (), OtherClient, OtherBuffer, drm::NoKms, ioctl::Table::empty());

impl platform::Driver for Mini {
    type IdInfo = ();

    fn probe<'bound>(
        cx: &platform::Probe<'bound>,
        _id: Option<&'bound ()>,
    ) -> Result<Ready<'bound, Self>> {
        UnregisteredDevice::<Self>::new(cx, Ok(()))?.ready(Hardware::new(cx))
    }
}

drm::module_platform_driver! {
    type: Mini,
    name: "mini",
    authors: ["The Drydock authors"],
    description: "A driver that does nothing",
    license: "Dual MIT/GPL",
}

// This comes last, so that the lines above keep their numbers in messages.
#[allow(unused_imports, reason = "each case uses some of it")]
use drm::gpuvm::{DriverVm, Layout, Locked, Map, Mapping, Owner, Unmap, VaRange, Vm};

/// Declares an address space of a driver. Its tables are a number.
macro_rules! space {
    ($space:ident, $driver:ty) => {
        struct $space;

        impl DriverVm for $space {
            type Driver = $driver;
            type Tables = u64;
            type Flags = bool;
            type Context<'a> = ();

            fn map(_: &Vm<Self>, pages: &mut u64, new: &Mapping<'_, Self>, _: &mut ()) {
                *pages += new.range().len() / 4096;
            }

            fn unmap(_: &Vm<Self>, pages: &mut u64, old: VaRange, _: &mut ()) {
                *pages -= old.len() / 4096;
            }

            fn clear(_: &Vm<Self>, pages: &mut u64) {
                *pages = 0;
            }
        }
    };
}

space!(MiniSpace, Mini);
space!(OtherSpace, Other);
