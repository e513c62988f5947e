// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! The driver's type, its probe, and its ioctls.

use crate::{
    hardware::{
        Bar,
        Hardware,
        Interrupt,
        Job,
        BUFFER_SIZE, //
    },
    shared::Shared,
    uapi, //
};
use drm::{
    gem::{
        self,
        Class, //
    },
    Device,
    File,
    Plugged,
    Registered, //
};
use kernel::{
    dma::DmaMask,
    irq::Flags,
    page::PAGE_SIZE,
    pci::{
        IrqType,
        IrqTypes, //
    },
    prelude::*,
    sync::{
        atomic::Relaxed,
        Arc, //
    },
};

pub(crate) struct Edu;

// The test only checks that the number beside the id arrives.
kernel::pci_device_table!(
    DEVICES,
    <Edu as drm::pci::Driver>::IdInfo,
    [(drm::pci::device_id(0x1234, 0x11e8), 0x11e8)]
);

impl drm::pci::Driver for Edu {
    /// The device number that goes with the entry.
    type IdInfo = u16;

    const ID_TABLE: drm::pci::IdTable<u16> = drm::pci::IdTable::new(&DEVICES);

    fn probe<'bound>(
        cx: &drm::pci::Probe<'bound>,
        id: Option<&'bound u16>,
    ) -> Result<drm::Ready<'bound, Self>> {
        if id != Some(&cx.device_id()) {
            return Err(ENODEV);
        }
        // Checked before the device is enabled, which C refuses if a BAR has no address.
        if !pages(cx) {
            dev_err!(cx, "a page of what is no BAR is not refused\n");
            return Err(EIO);
        }
        cx.enable_device_mem()?;
        // The device's default is 28 bits. The machine sets more (its property `dma_mask`).
        cx.set_dma_mask(DmaMask::new::<32>())?;
        let bar: Arc<Bar<'bound>> =
            Arc::new(cx.device().iomap_region_sized(0, c"edu_rust")?, GFP_KERNEL)?;

        Hardware::wait_until_idle(&bar)?;
        cx.set_master()?;

        let dev = drm::UnregisteredDevice::<Self>::new(cx, Shared::new())?;
        let types = IrqTypes::default().with(IrqType::Msi).with(IrqType::Intx);
        let vectors = cx.irq_vectors(1, 1, types)?;
        let handler = Interrupt {
            bar: bar.clone(),
            dev: (&*dev).into(),
        };
        cx.request_threaded_irq(vectors.request(0)?, Flags::SHARED, c"edu_rust", Ok(handler))?;
        rules(cx)?;

        let hardware = Hardware {
            bar,
            message_irq: matches!(vectors.irq_type(), IrqType::Msi),
        };
        hardware.set_interrupt(true);
        dev.ready(Ok(hardware))
    }
}

/// Returns whether pages of registers can be taken from the device's BAR with memory, and from
/// nothing else.
fn pages(cx: &drm::pci::Probe<'_>) -> bool {
    const MEGABYTE: u64 = 1 << 20;
    let there = [(0, 0), (0, MEGABYTE - PAGE_SIZE as u64)];
    // A part of a page, a page beyond the BAR, the BARs of `bars.c`, an empty BAR, the ROM, a
    // bridge's window, and a BAR number beyond all devices.
    let not_there = [
        (0, 1),
        (0, MEGABYTE),
        (0, u64::MAX),
        (1, 0),
        (2, 0),
        (5, 0),
        (6, 0),
        (7, 0),
        (u32::MAX, 0),
    ];
    there
        .iter()
        .all(|&(bar, offset)| cx.register_page(bar, offset).is_ok())
        && not_there
            .iter()
            .all(|&(bar, offset)| cx.register_page(bar, offset).is_err_and(|e| e == EINVAL))
}

/// Checks what is refused from here on: a mask while a handler may run, and a second set of
/// vectors.
fn rules(cx: &drm::pci::Probe<'_>) -> Result {
    let refused = cx.set_dma_mask(DmaMask::new::<64>()) == Err(EBUSY)
        && cx.set_max_segment(4096) == Err(EBUSY)
        && cx
            .irq_vectors(1, 1, IrqTypes::all())
            .is_err_and(|e| e == EBUSY);
    if refused {
        Ok(())
    } else {
        dev_err!(cx, "what must be refused is not\n");
        Err(EINVAL)
    }
}

#[vtable]
impl drm::Driver for Edu {
    type Data = Shared;
    type RegistrationData<'bound> = Hardware<'bound>;
    type File = Client;
    type Object = gem::shmem::Object<Buffer>;
    type Kms = drm::NoKms;

    const INFO: drm::DriverInfo = drm::DriverInfo {
        major: 1,
        minor: 0,
        patchlevel: 0,
        name: c"edu_rust",
        desc: c"QEMU's edu device",
    };
    const FEATURES: drm::Features = drm::Features::GEM.render();

    drm::ioctls! {
        uapi::DRM_IOCTL_EDU_INFO: uapi::edu_drm_info, RENDER_ALLOW => Client::info;
        uapi::DRM_IOCTL_EDU_FACTORIAL: uapi::edu_drm_factorial, RENDER_ALLOW => Client::factorial;
        uapi::DRM_IOCTL_EDU_DMA: uapi::edu_drm_dma, RENDER_ALLOW => Client::dma;
    }

    fn unplugged(dev: &Device<Self, Registered>, hardware: &Hardware<'_>) {
        hardware.set_interrupt(false);
        dev.unplug();
        dev_info!(
            dev,
            "at rest after {} interrupts\n",
            dev.interrupts.load(Relaxed)
        );
    }

    fn suspend(_dev: &Plugged<'_, Self>, hardware: &Hardware<'_>) -> Result {
        hardware.set_interrupt(false);
        Ok(())
    }

    fn resume(dev: &Plugged<'_, Self>, hardware: &Hardware<'_>) -> Result {
        hardware.set_interrupt(true);
        dev.resumed.add(1, Relaxed);
        Ok(())
    }
}

pub(crate) struct Client;

#[vtable]
impl drm::DriverFile for Client {
    type Driver = Edu;

    fn open(_dev: &Device<Edu, Registered>) -> impl PinInit<Self, Error> {
        Ok(Self)
    }
}

impl Client {
    fn info(
        dev: &Plugged<'_, Edu>,
        hardware: &Hardware<'_>,
        info: &mut uapi::edu_drm_info,
        _file: &File<Self>,
    ) -> Result {
        info.identification = Hardware::identification(&hardware.bar);
        info.message_irq = hardware.message_irq.into();
        info.interrupts = dev.interrupts.load(Relaxed) as u32;
        info.resumed = dev.resumed.load(Relaxed) as u32;
        Ok(())
    }

    /// Computes a factorial. Unguarded: it waits for the device between two short sections.
    fn factorial(
        dev: &Device<Edu, Registered>,
        arg: &mut uapi::edu_drm_factorial,
        _file: &File<Self>,
    ) -> Result {
        let _turn = dev.turn.lock();
        let before = dev.done(Job::Factorial);

        dev.enter(|plugged| plugged.registration(|hardware| hardware.start_factorial(arg.n)))
            .unwrap_or(Err(ENODEV))?;
        dev.wait(Job::Factorial, before)?;
        arg.result = dev
            .enter(|plugged| plugged.registration(|hardware| hardware.factorial()))
            .ok_or(ENODEV)?;
        Ok(())
    }

    /// Copies data by DMA. Unguarded, like [`factorial`](Self::factorial).
    fn dma(dev: &Device<Edu, Registered>, arg: &uapi::edu_drm_dma, file: &File<Self>) -> Result {
        let buffer = Object::lookup(file, arg.handle)?;
        let _turn = dev.turn.lock();
        let before = dev.done(Job::Dma);

        dev.enter(|plugged| {
            let address = bus_address(&plugged, &buffer, arg)?;
            plugged.registration(|hardware| {
                hardware.start_dma(address.try_into()?, arg.length, arg.to_device != 0)
            })
        })
        .unwrap_or(Err(ENODEV))?;

        if arg.no_wait != 0 {
            return Ok(());
        }
        dev.wait(Job::Dma, before)
    }
}

/// Returns the address at which the device finds the bytes of the request. They must be contiguous.
fn bus_address(
    plugged: &Plugged<'_, Edu>,
    buffer: &Object,
    arg: &uapi::edu_drm_dma,
) -> Result<u64> {
    if arg.length == 0 || arg.length > BUFFER_SIZE {
        return Err(EINVAL);
    }
    let mut offset = arg.offset;
    for piece in buffer.sg_table(plugged)?.iter() {
        let length: u64 = piece.dma_len();
        if offset < length {
            let fits = length - offset >= arg.length.into();
            return if fits {
                Ok(piece.dma_address() + offset)
            } else {
                Err(EINVAL)
            };
        }
        offset -= length;
    }
    Err(EINVAL)
}

pub(crate) type Object = gem::shmem::Object<Buffer>;

pub(crate) struct Buffer;

#[vtable]
impl gem::DriverObject for Buffer {
    type Driver = Edu;
    type Args = ();

    fn new(_dev: &Device<Edu>, _size: gem::Size, _args: ()) -> impl PinInit<Self, Error> {
        Ok(Self)
    }

    fn dumb(_dev: &Device<Edu, Registered>, _size: gem::Size) -> Result {
        Ok(())
    }
}
