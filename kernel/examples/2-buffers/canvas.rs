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
    /// Returned: the client's name for the buffer.
    handle: u32,
}

/// Returns the offset at which `mmap` of the node maps a buffer.
#[repr(C)]
#[derive(FromBytes, IntoBytes)]
struct Map {
    handle: u32,
    pad: u32,
    offset: u64,
}

/// Writes the background over everything.
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

/// The driver's data in each buffer. A driver has one class of buffers, so a handle cannot name
/// anything else.
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

    /// Accepts buffers of other devices. Without this method a client could only import buffers of
    /// this device.
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

/// The handlers take a `Device` and not a `Plugged`: they need memory only, so they work while the
/// device is unplugged too.
impl Canvas {
    fn create(dev: &Device<Canvas, Registered>, arg: &mut Create, file: &Client) -> Result {
        if arg.size > LARGEST {
            return Err(EINVAL);
        }
        // A size is a whole number of pages, and not zero.
        let buffer = Object::new(dev, gem::Size::round_up(arg.size)?, arg.background)?;
        paint(&buffer)?;
        arg.size = buffer.size().bytes() as u64;
        // This comes last: from here on another thread of the client may use the handle.
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

/// Writes the background over all of `buffer`, through a mapping in the kernel.
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
