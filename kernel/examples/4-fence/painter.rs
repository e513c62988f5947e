// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A fence: the driver's work goes on after the ioctl, and the fence tells when it is done.
//!
//! A client asks the driver to paint a buffer. A work item of the kernel does so, in place of a GPU.
//! The client waits for the fence through a sync object, or through the buffer's dma-buf.
//!
//! C headers: `include/linux/dma-fence.h`, `include/drm/drm_syncobj.h`; kernel document:
//! Documentation/driver-api/dma-buf.rst

#![forbid(unsafe_code)]

use drm::fence::{self, Pending, Timeout};
use drm::gem::{self, Class};
use drm::syncobj::Syncobj;
use drm::{ioctl, resv, Device, File, Plugged, Registered};
use kernel::prelude::*;
use kernel::time::{delay::fsleep, Delta};

/// Paints a buffer with `color` after some time. Puts the fence into the sync object.
#[repr(C)]
#[derive(FromBytes, IntoBytes)]
struct Paint {
    buffer: u32,
    syncobj: u32,
    color: u32,
    milliseconds: u32,
}

const PAINT: u32 = ioctl::iow::<Paint>(0x00);

/// The kind of fences that this driver issues.
static FENCES: fence::Class = fence::Class::of::<Painter>(c"paint");

/// A fence must end in reasonable time, even if the work hangs. After this time it expires.
const LIMIT: Timeout = Timeout::from_secs(10);
/// The longest time that a client may ask for.
const LONGEST: u32 = 2000;

struct Painter;

type Object = gem::shmem::Object<drm::Plain<Painter>>;

#[vtable]
impl drm::Driver for Painter {
    type Data = ();
    /// The fences of unfinished work. `unplugged` below ends them.
    type RegistrationData<'bound> = Pending;
    type File = drm::Plain<Self>;
    type Object = Object;
    type Kms = drm::NoKms;

    const INFO: drm::DriverInfo =
        drm::DriverInfo::new(c"painter", c"Paints buffers in the background");
    const FEATURES: drm::Features = drm::Features::GEM.render().syncobj();

    drm::ioctls! { PAINT: Paint, RENDER_ALLOW => Painter::paint; }

    /// Tells all clients that their work will not be done.
    fn unplugged(_dev: &Device<Self, Registered>, pending: &Pending) {
        pending.close(ENODEV);
    }
}

impl Painter {
    fn paint(
        dev: &Plugged<'_, Painter>,
        pending: &Pending,
        arg: &Paint,
        file: &File<drm::Plain<Painter>>,
    ) -> Result {
        if arg.milliseconds > LONGEST {
            return Err(EINVAL);
        }
        let buffer = Object::lookup(file, arg.buffer)?;
        let syncobj = Syncobj::find(file, arg.syncobj)?;

        // Everything is allocated before a client sees the fence. To free memory, the kernel may wait
        // for fences, so work that allocates could wait for its own fence.
        let memory = buffer.vmap()?;
        let signaler = pending.issue(&FENCES, Some(LIMIT))?;
        let fence = signaler.share();
        let (color, delay) = (arg.color, Delta::from_millis(arg.milliseconds.into()));
        let work = dev.prepare_work(move |_dev| {
            fsleep(delay);
            for offset in (0..memory.object().size().bytes()).step_by(size_of::<u32>()) {
                // This cannot fail: there is a word of the buffer at each offset.
                let _ = memory.write_word(offset, color);
            }
            // Returns `false` if the fence has already ended: it expired, or the device is gone.
            signaler.signal();
            // The mapping is dropped last, because that takes a lock. Others may hold the lock while
            // they wait for the fence.
        })?;

        buffer.resv().attach(&fence, resv::Usage::Write)?;
        syncobj.replace_fence(Some(&fence));
        work.queue();
        Ok(())
    }
}

impl drm::platform::Driver for Painter {
    type IdInfo = ();

    fn probe<'bound>(
        cx: &drm::platform::Probe<'bound>,
        _id: Option<&'bound ()>,
    ) -> Result<drm::Ready<'bound, Self>> {
        drm::UnregisteredDevice::<Self>::new(cx, Ok(()))?.ready(Pending::new())
    }
}

drm::module_platform_driver! {
    virtual_device: c"painter",
    type: Painter,
    name: "painter",
    authors: ["The Drydock authors"],
    description: "Paints buffers in the background",
    license: "Dual MIT/GPL",
}
