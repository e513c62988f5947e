// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A fence: work that goes on after the ioctl, and tells its client when it is done.
//!
//! A client asks for a buffer to be painted. A work item of the kernel does it, in place of a GPU. The
//! client waits for the fence, with a sync object of its own or with the buffer's dma-buf.
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

/// Paints a buffer with `color` after some time. The sync object gets the fence.
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

/// A fence must end in reasonable time, whatever happens to the work. This one expires.
const LIMIT: Timeout = Timeout::from_secs(10);
/// The longest time that a client may ask for.
const LONGEST: u32 = 2000;

struct Painter;

type Object = gem::shmem::Object<drm::Plain<Painter>>;

#[vtable]
impl drm::Driver for Painter {
    type Data = ();
    /// The fences of work that is not done. The set ends them when the device is unplugged.
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

        // All that can fail comes before the first client sees the fence: the work must not need
        // memory that the kernel gets only by waiting for fences.
        let memory = buffer.vmap()?;
        let signaler = pending.issue(&FENCES, Some(LIMIT))?;
        let fence = signaler.share();
        let (color, delay) = (arg.color, Delta::from_millis(arg.milliseconds.into()));
        let work = dev.prepare_work(move |_dev| {
            fsleep(delay);
            for offset in (0..memory.object().size().bytes()).step_by(size_of::<u32>()) {
                // The offsets are those of words of the buffer.
                let _ = memory.write_word(offset, color);
            }
            // Returns `false` if the fence has already ended: it expired, or the device is gone.
            signaler.signal();
            // Here the mapping is dropped, which takes a lock. Others may hold that lock while they
            // wait for the fence.
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
