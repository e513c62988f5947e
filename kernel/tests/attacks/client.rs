// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! The clients, and the ioctls that request attacks.

use crate::{
    buffer::Object,
    children,
    driver::{
        Attacked,
        Hardware, //
    },
    fences,
    kept::Kept,
    objects,
    space,
    trap::{
        self,
        DropTrap, //
    },
    uapi::{
        self,
        drm_attack, //
    },
    LocalModule, //
};
use drm::{
    bus::Parent,
    file::FdInfo,
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
    driver::Registration,
    module::this_module,
    new_mutex,
    prelude::*,
    sync::{
        atomic::Relaxed,
        Mutex, //
    },
    time::{
        delay::fsleep,
        Delta, //
    },
    InPlaceModule, //
};

#[pin_data]
pub(crate) struct Client {
    #[pin]
    pub(crate) hoard: Mutex<Kept>,
    drop_trap: DropTrap,
}

/// The offset of the node at which registers are mapped.
const REGISTERS: u64 = 1 << 48;

#[vtable]
impl drm::DriverFile for Client {
    type Driver = Attacked;

    fn open(dev: &Device<Attacked, Registered>) -> impl PinInit<Self, Error> {
        trap::with_device(trap::FILE_OPEN, dev);
        try_pin_init!(Self {
            hoard <- new_mutex!(Kept::default()),
            drop_trap: DropTrap(trap::FILE_DROP, dev.into()),
        })
    }

    fn close(self: Pin<&Self>, dev: &Device<Attacked, Registered>) {
        trap::with_device(trap::FILE_CLOSE, dev);
        let attack = dev.at_close.lock().take();
        if let Some((what, value)) = attack {
            let answer = Self::without_file(dev, what, value);
            pr_info!(
                "{}: at close: {}\n",
                dev.id,
                answer.map_or_else(Error::to_errno, |()| 0)
            );
        }
        pr_info!("{}: file closed\n", dev.id);
    }

    fn fdinfo(&self, dev: &Device<Attacked, Registered>, _out: &mut FdInfo<'_>) {
        trap::with_device(trap::FDINFO, dev);
    }

    fn register_page(&self, offset: u64) -> Option<u32> {
        trap::with_device(trap::FILE_PAGE, &self.drop_trap.1);
        (offset >= REGISTERS).then(|| ((offset - REGISTERS) >> 12) as u32)
    }
}

impl Client {
    /// Implements `DRM_IOCTL_ATTACK_TRAP`.
    pub(crate) fn trap(
        dev: &Device<Attacked, Registered>,
        arg: &mut drm_attack,
        _file: &File<Self>,
    ) -> Result {
        dev.trap.set(arg.what);
        if arg.what == uapi::ATTACK_IN_WORK {
            dev.queue_work(|dev| trap::with_device(trap::WORK, dev))?;
        }
        Ok(())
    }

    /// Implements `DRM_IOCTL_ATTACK_RUN`.
    pub(crate) fn run(
        dev: &Device<Attacked, Registered>,
        arg: &mut drm_attack,
        file: &File<Self>,
    ) -> Result {
        match arg.what {
            uapi::ATTACK_MAKE => {
                let object = Object::new(dev, gem::Size::round_up(arg.value)?, ())?;
                arg.handle = object.create_handle(file)?;
                Ok(())
            }
            uapi::ATTACK_VMAP_BOUNDS => objects::map_bounds(&*Object::lookup(file, arg.handle)?),
            uapi::ATTACK_OFFSET => {
                arg.value = Object::lookup(file, arg.handle)?.mmap_offset()?;
                Ok(())
            }
            uapi::ATTACK_EXCLUSIVE => {
                arg.handle = objects::exclusive(dev, file)?;
                Ok(())
            }
            uapi::ATTACK_CROWDED => fences::crowded(dev, file),
            uapi::ATTACK_HOARD => file.hoard.lock().add_one_of_each(file),
            uapi::ATTACK_KEEP => dev.kept.lock().add_one_of_each(file),
            uapi::ATTACK_HANDLES => objects::handles(file, arg.value),
            uapi::ATTACK_AT_CLOSE => {
                *dev.at_close.lock() = Some((arg.handle, arg.value));
                Ok(())
            }
            what => Self::without_file(dev, what, arg.value),
        }
    }

    /// Carries out an attack that needs no file, either while a file is open or when it is closed.
    fn without_file(dev: &Device<Attacked>, what: u32, value: u64) -> Result {
        match what {
            uapi::ATTACK_VMAP_HUGE => objects::map_huge(dev, value),
            uapi::ATTACK_SPACES => space::requests(dev),
            uapi::ATTACK_SPACE_EXTREMES => space::extremes(dev, value),
            uapi::ATTACK_OWN_CALLBACK => fences::drops_its_own_signaler(),
            uapi::ATTACK_OWN_CALLBACK_DROP => fences::drops_its_own_callback(),
            uapi::ATTACK_STATUS_IN_CALLBACK => fences::asks_in_its_callback(),
            uapi::ATTACK_FOREVER => fences::forever(),
            uapi::ATTACK_CHAIN => fences::chain(value),
            uapi::ATTACK_LATE => fences::late(),
            uapi::ATTACK_WAIT => fences::wait(dev, value),
            uapi::ATTACK_LET_GO => {
                let kept = core::mem::take(&mut *dev.kept.lock());
                kept.use_up()
            }
            uapi::ATTACK_PREPARED => fences::prepared(dev),
            uapi::ATTACK_AGAIN => dev.queue_work(make_the_module_again),
            uapi::ATTACK_OTHER_CALLBACKS => fences::drops_the_other_callbacks(),
            uapi::ATTACK_REGISTER => register_another(),
            uapi::ATTACK_CHILDREN => {
                children::NEXT.store(value as u32, Relaxed);
                Ok(())
            }
            uapi::ATTACK_CHILD_FAILS => {
                children::FAILS.store(value as u32, Relaxed);
                Ok(())
            }
            uapi::ATTACK_SHOW_IN_PAGE => {
                dev.trap.hide.set();
                Ok(())
            }
            uapi::ATTACK_LEAK => {
                dev.trap.leak.set();
                Ok(())
            }
            uapi::ATTACK_INTERRUPT => {
                dev.trap.interrupt.set();
                Ok(())
            }
            _ => Err(EINVAL),
        }
    }

    /// Implements `DRM_IOCTL_ATTACK_PLUGGED`.
    pub(crate) fn plugged(
        dev: &Plugged<'_, Attacked>,
        data: &Hardware<'_>,
        arg: &mut drm_attack,
        file: &File<Self>,
    ) -> Result {
        match arg.what {
            uapi::ATTACK_SYNC_BOUNDS => {
                objects::sync_bounds(dev, data, &*Object::lookup(file, arg.handle)?)
            }
            uapi::ATTACK_SIBLING => objects::of_another_device(dev, data, file),
            uapi::ATTACK_WAIT => fences::wait(dev, arg.value),
            uapi::ATTACK_PENDING => {
                arg.handle = fences::pending(data, file)?;
                Ok(())
            }
            uapi::ATTACK_HIDE => {
                dev.show_registers(arg.value != 0);
                Ok(())
            }
            _ => Err(EINVAL),
        }
    }
}

/// `ATTACK_REGISTER`: registers a driver that the module does not declare. Its registration could
/// be forgotten.
fn register_another() -> Result {
    type Adapter = drm::platform::Adapter<Stray, Parent>;
    let another = Registration::<Adapter>::new(c"attacks", this_module::<LocalModule>());
    let answer = KBox::pin_init(another, GFP_KERNEL).map(drop);
    fences::holds(answer == Err(EBUSY))
}

/// A driver without devices.
struct Stray;

#[vtable]
impl drm::parent::Driver for Stray {
    type Data<'bound> = ();
    const NAME: &'static CStr = c"attacks_stray";
}

impl drm::platform::Driver<Parent> for Stray {
    type IdInfo = ();

    fn probe<'bound>(
        _cx: &drm::platform::Probe<'bound>,
        _id: Option<&'bound ()>,
    ) -> Result<Pin<KBox<()>>> {
        Err(ENODEV)
    }
}

/// Queues itself until the module's exit has begun, and then creates the module's value again, with
/// its registrations.
fn make_the_module_again(dev: &Device<Attacked>) {
    fsleep(Delta::from_millis(10));
    if dev.queue_work(make_the_module_again).is_err() {
        let again = <LocalModule as InPlaceModule>::init(this_module::<LocalModule>());
        let answer = KBox::pin_init(again, GFP_KERNEL).map(core::mem::forget);
        pr_info!(
            "{}: the module once more: {}\n",
            dev.id,
            answer.map_or_else(Error::to_errno, |()| 0)
        );
    }
}
