// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! The driver's type, its probe and its teardown.

use crate::{
    buffer::Buffer,
    children,
    client::Client,
    fences::holds,
    kept::Kept,
    trap::{
        self,
        DropTrap,
        Trap, //
    },
    uapi, //
};
use drm::{
    bus::{
        Bus,
        Probe, //
    },
    fence::{
        Class,
        Pending, //
    },
    gem,
    registers::RegisterPage,
    Device,
    Plugged,
    Registered,
    UnregisteredDevice, //
};
use kernel::{
    io::{
        poll::read_poll_timeout,
        Io, //
    },
    irq::{
        Flags,
        IrqReturn,
        ThreadedHandler,
        ThreadedIrqReturn, //
    },
    new_mutex,
    pci::{
        self,
        IrqTypes, //
    },
    prelude::*,
    sync::{
        aref::ARef,
        atomic::{
            Atomic,
            Relaxed, //
        },
        Arc,
        Mutex, //
    },
    time::Delta,
};

pub(crate) struct Attacked;

pub(crate) static FENCES: Class = Class::of::<Attacked>(c"attacks");

/// The device's data from its allocation to its release.
#[pin_data]
pub(crate) struct Data {
    pub(crate) id: u32,
    pub(crate) trap: Arc<Trap>,
    pub(crate) interrupts: Atomic<i32>,
    #[pin]
    pub(crate) kept: Mutex<Kept>,
    /// The attack, with its value, that the next file to be closed carries out.
    #[pin]
    pub(crate) at_close: Mutex<Option<(u32, u64)>>,
    _last: Last,
}

/// Carries out an attack when the data is dropped.
struct Last(Arc<Trap>);

impl Drop for Last {
    fn drop(&mut self) {
        self.0.without_device(trap::DATA_DROP);
        pr_info!("{}: data dropped\n", self.0.id());
    }
}

fn data(id: u32) -> impl PinInit<Data, Error> {
    try_pin_init!(Data {
        id,
        trap: Arc::new(Trap::new(*id), GFP_KERNEL)?,
        interrupts: Atomic::new(0),
        kept <- new_mutex!(Kept::default()),
        at_close <- new_mutex!(None),
        _last: Last(trap.clone()),
    })
}

type Bar<'bound> = pci::Bar<'bound, 0x100>;

/// The device's data while it is registered.
pub(crate) struct Hardware<'bound> {
    pub(crate) pending: Pending,
    /// Another device of the driver, from the same probe, which is never registered.
    pub(crate) sibling: ARef<Device<Attacked>>,
    page: Option<RegisterPage<'bound>>,
    bar: Option<Arc<Bar<'bound>>>,
    drop_trap: DropTrap,
}

#[vtable]
impl drm::Driver for Attacked {
    type Data = Data;
    type RegistrationData<'bound> = Hardware<'bound>;
    type File = Client;
    type Object = gem::shmem::Object<Buffer>;
    type Kms = drm::NoKms;

    const INFO: drm::DriverInfo =
        drm::DriverInfo::new(c"attacks", c"Attacks on the DRM layer by safe code");
    const FEATURES: drm::Features = drm::Features::GEM.render().syncobj_timeline();

    drm::ioctls! {
        uapi::DRM_IOCTL_ATTACK_RUN: uapi::drm_attack, RENDER_ALLOW => Client::run;
        uapi::DRM_IOCTL_ATTACK_PLUGGED: uapi::drm_attack, RENDER_ALLOW => Client::plugged;
        uapi::DRM_IOCTL_ATTACK_TRAP: uapi::drm_attack, RENDER_ALLOW => Client::trap;
    }

    fn register_page<'a, 'bound: 'a>(
        data: &'a Hardware<'bound>,
        index: u32,
    ) -> Option<&'a RegisterPage<'bound>> {
        let dev = &data.drop_trap.1;
        trap::with_device(trap::DRIVER_PAGE, dev);
        if dev.trap.hide.take() {
            dev.enter(|plugged| plugged.show_registers(false));
        }
        data.page.as_ref().filter(|_| index == 0)
    }

    fn suspend(dev: &Plugged<'_, Self>, _data: &Hardware<'_>) -> Result {
        trap::with_device(trap::SUSPEND, dev.device());
        Ok(())
    }

    fn resume(dev: &Plugged<'_, Self>, _data: &Hardware<'_>) -> Result {
        trap::with_device(trap::RESUME, dev.device());
        Ok(())
    }

    fn unplugged(dev: &Device<Self, Registered>, data: &Hardware<'_>) {
        trap::with_device(trap::UNPLUGGED, dev);
        if dev.trap.leak.take() {
            core::mem::forget(ARef::<Device<Self>>::from(dev));
        }
        if dev.trap.interrupt.take() {
            let told = data.interrupt();
            pr_info!("{}: interrupted when unplugged: {}\n", dev.id, told.is_ok());
        }
        pr_info!("{}: unplugged\n", dev.id);
    }
}

impl Hardware<'_> {
    /// Makes the device interrupt, and waits until the handler has run.
    fn interrupt(&self) -> Result {
        let (bar, dev) = (self.bar.as_ref().ok_or(ENODEV)?, &self.drop_trap.1);
        let before = dev.interrupts.load(Relaxed);
        bar.write32(1, INTERRUPT_RAISE);
        read_poll_timeout(
            || Ok(dev.interrupts.load(Relaxed)),
            |now| *now != before,
            Delta::from_millis(1),
            Delta::from_secs(10),
        )
        .map(drop)
    }
}

// Registers of `edu`.
const INTERRUPT_STATUS: usize = 0x24;
const INTERRUPT_RAISE: usize = 0x60;
const INTERRUPT_ACKNOWLEDGE: usize = 0x64;

struct Interrupt<'bound> {
    bar: Arc<Bar<'bound>>,
    dev: ARef<Device<Attacked>>,
}

impl ThreadedHandler for Interrupt<'_> {
    fn handle(&self) -> ThreadedIrqReturn {
        match self.bar.read32(INTERRUPT_STATUS) {
            0 | u32::MAX => ThreadedIrqReturn::None,
            reasons => {
                self.bar.write32(reasons, INTERRUPT_ACKNOWLEDGE);
                ThreadedIrqReturn::WakeThread
            }
        }
    }

    fn handle_threaded(&self) -> IrqReturn {
        pr_info!(
            "{}: interrupt, entered: {}, work: {}\n",
            self.dev.id,
            self.dev.enter(|_| ()).is_some(),
            self.dev.queue_work(|_| ()).is_ok()
        );
        self.dev.interrupts.add(1, Relaxed);
        IrqReturn::Handled
    }
}

/// Prepares the device on any bus. The sibling comes first, so it exists when the other device
/// fails.
pub(crate) fn ready<'bound, B: Bus>(
    cx: &Probe<'bound, B>,
    id: u32,
    page: Option<RegisterPage<'bound>>,
    bar: Option<Arc<Bar<'bound>>>,
) -> Result<(UnregisteredDevice<'bound, Attacked>, Hardware<'bound>)> {
    let dev = UnregisteredDevice::<Attacked>::new(cx, data(id))?;
    let sibling = UnregisteredDevice::<Attacked>::new(cx, data(SIBLING + id))?;
    let trap = dev.trap.clone();
    dev.add_action(move || trap.without_device(trap::ACTION))?;
    let hardware = Hardware {
        pending: Pending::new()?,
        sibling: (&*sibling).into(),
        page,
        bar,
        drop_trap: DropTrap(trap::HARDWARE_DROP, (&*dev).into()),
    };
    Ok((dev, hardware))
}

/// The offset of a sibling's number from that of the device. It changes the last digit, so that the
/// lines of the log differ.
const SIBLING: u32 = 105;
/// The number of the `edu` device.
const EDU: u32 = 9;

impl drm::platform::Driver for Attacked {
    type IdInfo = ();

    fn probe<'bound>(
        cx: &drm::platform::Probe<'bound>,
        _id: Option<&'bound ()>,
    ) -> Result<drm::Ready<'bound, Self>> {
        let digit = cx.parent().name().to_bytes().last().copied();
        let id = u32::from(digit.unwrap_or(b'0') - b'0');
        let (dev, hardware) = ready(cx, id, None, None)?;
        children::make(cx, id);
        dev.ready(Ok(hardware))
    }
}

kernel::pci_device_table!(
    DEVICES,
    <Attacked as drm::pci::Driver>::IdInfo,
    [(drm::pci::device_id(0x1234, 0x11e8), ())]
);

impl drm::pci::Driver for Attacked {
    type IdInfo = ();

    const ID_TABLE: drm::pci::IdTable<()> = drm::pci::IdTable::new(&DEVICES);

    fn probe<'bound>(
        cx: &drm::pci::Probe<'bound>,
        _id: Option<&'bound ()>,
    ) -> Result<drm::Ready<'bound, Self>> {
        cx.enable_device_mem()?;
        let bar: Arc<Bar<'bound>> =
            Arc::new(cx.device().iomap_region_sized(0, c"attacks")?, GFP_KERNEL)?;
        cx.set_master()?;
        let page = cx.register_page(0, 0)?;
        let (dev, hardware) = ready(cx, EDU, Some(page), Some(bar.clone()))?;
        dev.set_idle_registers(IDLE)?;
        holds(dev.set_idle_registers(!IDLE) == Err(EBUSY))?;
        let vectors = cx.irq_vectors(1, 1, IrqTypes::all())?;
        let handler = || Interrupt {
            bar: bar.clone(),
            dev: (&*dev).into(),
        };
        // Names that /proc cannot have: C warns about them.
        for name in [c"", c".", c"..", c"attacks/irq"] {
            let irq = vectors.request(0)?;
            let answer = cx.request_threaded_irq(irq, Flags::SHARED, name, Ok(handler()));
            if answer != Err(EINVAL) {
                return Err(EIO);
            }
        }
        let handler = handler();
        cx.request_threaded_irq(vectors.request(0)?, Flags::SHARED, c"attacks", Ok(handler))?;
        dev.ready(Ok(hardware))
    }
}

/// The content of hidden registers.
const IDLE: u32 = 0x1d1e;
