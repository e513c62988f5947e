// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! Buffers that a client creates, maps and shares, and that the driver reads and writes too.
//!
//! C headers: `include/drm/drm_gem.h`, `include/drm/drm_gem_shmem_helper.h`; kernel document:
//! Documentation/gpu/drm-mm.rst

#![forbid(unsafe_code)]

use drm::gem::{self, Class};
use drm::{ioctl, Device, File, Plugged, Registered};
use kernel::prelude::*;

/// Creates a buffer in which every word is `background`.
#[repr(C)]
#[derive(FromBytes, IntoBytes)]
struct Create {
    size: u64,
    background: u32,
    /// Returned: the number by which the client names the buffer.
    handle: u32,
}

/// Returns the offset at which a client maps a buffer, with `mmap` of the device's node.
#[repr(C)]
#[derive(FromBytes, IntoBytes)]
struct Map {
    handle: u32,
    pad: u32,
    offset: u64,
}

/// Fills a buffer with its background.
#[repr(C)]
#[derive(FromBytes, IntoBytes)]
struct Clear {
    handle: u32,
    pad: u32,
}

const CREATE: u32 = ioctl::iowr::<Create>(0x00);
const MAP: u32 = ioctl::iowr::<Map>(0x01);
const CLEAR: u32 = ioctl::iow::<Clear>(0x02);

/// The largest buffer in bytes: painting it allocates all of its pages.
const LARGEST: u64 = 16 << 20;

struct Canvas;

/// The driver's data in each buffer. All buffers of a driver have the same type, so every handle of
/// this driver names a buffer with this data.
struct Buffer {
    background: u32,
}

type Object = gem::shmem::Object<Buffer>;

#[vtable]
impl gem::DriverObject for Buffer {
    type Driver = Canvas;
    type Args = u32;

    fn new(_dev: &Device<Canvas>, _size: gem::Size, background: u32) -> impl PinInit<Self, Error> {
        Ok(Self { background })
    }

    /// Accepts buffers of other devices, with 0 as their background. Without this method a client
    /// could only import buffers of this device.
    fn import(_dev: &Plugged<'_, Canvas>, _size: gem::Size) -> Result<u32> {
        Ok(0)
    }
}

#[vtable]
impl drm::Driver for Canvas {
    type Data = ();
    type RegistrationData<'bound> = ();
    type File = drm::Plain<Self>;
    type Object = Object;
    type Kms = drm::NoKms;

    const INFO: drm::DriverInfo = drm::DriverInfo::new(c"canvas", c"Buffers to paint and to share");
    const FEATURES: drm::Features = drm::Features::GEM.render();

    drm::ioctls! {
        CREATE: Create, RENDER_ALLOW => Canvas::create;
        MAP: Map, RENDER_ALLOW => Canvas::map;
        CLEAR: Clear, RENDER_ALLOW => Canvas::clear;
    }
}

type Client = File<drm::Plain<Canvas>>;

/// The handlers take a `Device` and not a `Plugged`. They need only memory, so they also work after
/// the device was unplugged.
impl Canvas {
    fn create(dev: &Device<Canvas, Registered>, arg: &mut Create, file: &Client) -> Result {
        if arg.size > LARGEST {
            return Err(EINVAL);
        }
        // Fails if the size is zero: a `Size` is one page or more.
        let buffer = Object::new(dev, gem::Size::round_up(arg.size)?, arg.background)?;
        paint(&buffer)?;
        arg.size = buffer.size().bytes() as u64;
        // This comes last: from here on, other threads of the client can use the buffer.
        arg.handle = buffer.create_handle(file)?;
        Ok(())
    }

    fn map(_dev: &Device<Canvas, Registered>, arg: &mut Map, file: &Client) -> Result {
        if arg.pad != 0 {
            return Err(EINVAL);
        }
        arg.offset = Object::lookup(file, arg.handle)?.mmap_offset()?;
        Ok(())
    }

    fn clear(_dev: &Device<Canvas, Registered>, arg: &Clear, file: &Client) -> Result {
        if arg.pad != 0 {
            return Err(EINVAL);
        }
        let buffer = Object::lookup(file, arg.handle)?;
        paint(&buffer)
    }
}

/// Fills `buffer` with its background, through a mapping in the kernel.
fn paint(buffer: &Object) -> Result {
    let memory = buffer.vmap()?;
    for offset in (0..buffer.size().bytes()).step_by(size_of::<u32>()) {
        memory.write_word(offset, buffer.background)?;
    }
    Ok(())
}

impl drm::platform::Driver for Canvas {
    type IdInfo = ();

    fn probe<'bound>(
        cx: &drm::platform::Probe<'bound>,
        _id: Option<&'bound ()>,
    ) -> Result<drm::Ready<'bound, Self>> {
        drm::UnregisteredDevice::<Self>::new(cx, Ok(()))?.ready(Ok(()))
    }
}

drm::module_platform_driver! {
    virtual_device: c"canvas",
    type: Canvas,
    name: "canvas",
    authors: ["The Drydock authors"],
    description: "Buffers to paint and to share",
    license: "Dual MIT/GPL",
}
