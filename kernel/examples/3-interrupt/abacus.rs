// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A driver for a PCI device: it uses registers and an interrupt, for which a client waits.
//!
//! The device is QEMU's `edu`, which computes factorials. The file `devices` beside this one puts it
//! into the guest.
//!
//! Source: docs/specs/edu.rst of QEMU; kernel document: Documentation/PCI/pci.rst

#![forbid(unsafe_code)]

use drm::{ioctl, Device, File, Registered};
use kernel::io::Io;
use kernel::irq::{Flags, IrqReturn, ThreadedHandler, ThreadedIrqReturn};
use kernel::pci::IrqTypes;
use kernel::prelude::*;
use kernel::sync::{aref::ARef, Arc, CondVar, Mutex};
use kernel::{new_condvar, new_mutex};

/// Computes `n!`, modulo 2 to the 32, on the device.
#[repr(C)]
#[derive(FromBytes, IntoBytes)]
struct Compute {
    n: u32,
    result: u32,
}

const COMPUTE: u32 = ioctl::iowr::<Compute>(0x00);

// The device's registers.
const FACTORIAL: usize = 0x08;
const STATUS: usize = 0x20;
const INTERRUPT_STATUS: usize = 0x24;
const INTERRUPT_ACKNOWLEDGE: usize = 0x64;
/// The bit of `STATUS` with which the device raises an interrupt at the end of a computation.
const STATUS_INTERRUPT: u32 = 0x80;

struct Abacus;

type Bar<'bound> = kernel::pci::Bar<'bound, 0x100>;

/// The state of the device's computation. The device makes one at a time.
enum Job {
    Idle,
    Running,
    /// The client no longer waits, but the device still computes.
    Abandoned,
    Done(u32),
    /// The device is unplugged.
    Gone,
}

/// The device's data. It lives on after an unplug, while clients may still wait on it.
#[pin_data]
struct Shared {
    #[pin]
    job: Mutex<Job>,
    #[pin]
    changed: CondVar,
}

/// The handler of the interrupt. It shares the registers with the driver.
struct Interrupt<'bound> {
    bar: Arc<Bar<'bound>>,
    dev: ARef<Device<Abacus>>,
}

impl ThreadedHandler for Interrupt<'_> {
    /// Runs in interrupt context: acknowledges the interrupt, and leaves the rest to a thread.
    fn handle(&self) -> ThreadedIrqReturn {
        let reasons = self.bar.read32(INTERRUPT_STATUS);
        // All ones: the device has been pulled out.
        if reasons == 0 || reasons == u32::MAX {
            return ThreadedIrqReturn::None;
        }
        self.bar.write32(reasons, INTERRUPT_ACKNOWLEDGE);
        ThreadedIrqReturn::WakeThread
    }

    /// Runs in that thread, and may sleep for the lock.
    fn handle_threaded(&self) -> IrqReturn {
        let mut job = self.dev.job.lock();
        *job = match *job {
            Job::Running => Job::Done(self.bar.read32(FACTORIAL)),
            Job::Gone => Job::Gone,
            _ => Job::Idle,
        };
        self.dev.changed.notify_all();
        IrqReturn::Handled
    }
}

#[vtable]
impl drm::Driver for Abacus {
    type Data = Shared;
    type RegistrationData<'bound> = Arc<Bar<'bound>>;
    type File = drm::Plain<Self>;
    type Object = drm::gem::shmem::Object<drm::Plain<Self>>;
    type Kms = drm::NoKms;

    const INFO: drm::DriverInfo = drm::DriverInfo::new(c"abacus", c"Computes on QEMU's edu device");
    const FEATURES: drm::Features = drm::Features::GEM.render();

    drm::ioctls! { COMPUTE: Compute, RENDER_ALLOW => Abacus::compute; }

    /// Turns the interrupt off, and wakes the client that waits for it.
    fn unplugged(dev: &Device<Self, Registered>, bar: &Arc<Bar<'_>>) {
        bar.write32(0, STATUS);
        *dev.job.lock() = Job::Gone;
        dev.changed.notify_all();
    }
}

impl Abacus {
    /// Starts a computation and waits for its end.
    ///
    /// This takes a `Device` and not a `Plugged`, because it sleeps: an unplug waits until every
    /// `Plugged` is gone. With `enter`, it has one only while it writes the register.
    fn compute(
        dev: &Device<Abacus, Registered>,
        arg: &mut Compute,
        _file: &File<drm::Plain<Abacus>>,
    ) -> Result {
        let mut job = dev.job.lock();
        if !matches!(*job, Job::Idle) {
            return Err(EBUSY);
        }
        let n = arg.n;
        dev.enter(|plugged| plugged.registration(|bar| bar.write32(n, FACTORIAL)))
            .ok_or(ENODEV)?;
        *job = Job::Running;

        loop {
            match *job {
                Job::Done(result) => {
                    *job = Job::Idle;
                    arg.result = result;
                    return Ok(());
                }
                Job::Gone => return Err(ENODEV),
                _ => {}
            }
            // Releases the lock while it sleeps. Returns `true` if the client was sent a signal.
            if dev.changed.wait_interruptible(&mut job) && matches!(*job, Job::Running) {
                *job = Job::Abandoned;
                return Err(EINTR);
            }
        }
    }
}

kernel::pci_device_table!(
    DEVICES,
    <Abacus as drm::pci::Driver>::IdInfo,
    [(drm::pci::device_id(0x1234, 0x11e8), ())]
);

impl drm::pci::Driver for Abacus {
    type IdInfo = ();

    const ID_TABLE: drm::pci::IdTable<()> = drm::pci::IdTable::new(&DEVICES);

    fn probe<'bound>(
        cx: &drm::pci::Probe<'bound>,
        _id: Option<&'bound ()>,
    ) -> Result<drm::Ready<'bound, Self>> {
        cx.enable_device_mem()?;
        // Lets the device write to memory, which is how it sends message-signalled interrupts.
        cx.set_master()?;
        let bar: Arc<Bar<'bound>> =
            Arc::new(cx.device().iomap_region_sized(0, c"abacus")?, GFP_KERNEL)?;

        let shared = try_pin_init!(Shared {
            job <- new_mutex!(Job::Idle),
            changed <- new_condvar!(),
        }? Error);
        let dev = drm::UnregisteredDevice::<Self>::new(cx, shared)?;
        let interrupt = Interrupt {
            bar: bar.clone(),
            dev: ARef::from(&*dev),
        };
        let vectors = cx.irq_vectors(1, 1, IrqTypes::all())?;
        cx.request_threaded_irq(vectors.request(0)?, Flags::SHARED, c"abacus", Ok(interrupt))?;

        bar.write32(STATUS_INTERRUPT, STATUS);
        dev.ready(Ok(bar))
    }
}

drm::module_pci_driver! {
    type: Abacus,
    name: "abacus",
    authors: ["The Drydock authors"],
    description: "Computes on QEMU's edu device",
    license: "Dual MIT/GPL",
}
