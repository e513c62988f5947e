// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! An address space for each client, like a GPU's: the client maps parts of buffers in it.
//!
//! Drivers of GPUs call such an ioctl `VM_BIND`. Here another ioctl reads a word, in place of a GPU.
//!
//! C header: `include/drm/drm_gpuvm.h`

#![forbid(unsafe_code)]

use drm::gem::{self, Class};
use drm::gpuvm::{DriverVm, Layout, Mapping, Owner, Unmap, VaRange, Vm};
use drm::{ioctl, Device, File, Registered};
use kernel::page::PAGE_SIZE;
use kernel::prelude::*;
use kernel::sync::aref::ARef;

/// Maps a part of a buffer at `address`, in place of what is mapped there.
#[repr(C)]
#[derive(FromBytes, IntoBytes)]
struct Bind {
    address: u64,
    length: u64,
    /// Where the part begins in the buffer.
    offset: u64,
    buffer: u32,
    pad: u32,
}

/// Unmaps everything in a range.
#[repr(C)]
#[derive(FromBytes, IntoBytes)]
struct Unbind {
    address: u64,
    length: u64,
}

/// Reads a word as the GPU would.
#[repr(C)]
#[derive(FromBytes, IntoBytes)]
struct Read {
    address: u64,
    value: u32,
    pad: u32,
}

const BIND: u32 = ioctl::iow::<Bind>(0x00);
const UNBIND: u32 = ioctl::iow::<Unbind>(0x01);
const READ: u32 = ioctl::iowr::<Read>(0x02);

const PAGE: u64 = PAGE_SIZE as u64;
/// The number of pages in an address space.
const PAGES: u64 = 64;

struct Atlas;

type Object = gem::shmem::Object<drm::Plain<Atlas>>;

/// An address space. The layer keeps the list of mappings, and calls the driver to change the page
/// tables. Here they are a `u64`, in which the bit of each mapped page is set.
struct Space;

impl DriverVm for Space {
    type Driver = Atlas;
    type Tables = u64;
    type Flags = ();
    type Context<'a> = ();

    fn map(_vm: &Vm<Self>, tables: &mut u64, new: &Mapping<'_, Self>, _cx: &mut ()) {
        *tables |= bits(new.range());
    }

    /// Unmaps a mapping, or the part of it that is unmapped or replaced.
    fn unmap(_vm: &Vm<Self>, tables: &mut u64, old: VaRange, _cx: &mut ()) {
        *tables &= !bits(old);
    }

    fn clear(_vm: &Vm<Self>, tables: &mut u64) {
        *tables = 0;
    }
}

/// Returns the bits of the pages in `range`, which [`pages`] has checked.
fn bits(range: VaRange) -> u64 {
    let pages = range.start() / PAGE..range.end() / PAGE;
    pages.fold(0, |bits, page| bits | 1 << page)
}

/// Returns a range of whole pages.
fn pages(address: u64, length: u64) -> Result<VaRange> {
    if address % PAGE != 0 || length % PAGE != 0 {
        return Err(EINVAL);
    }
    VaRange::new(address, length)
}

/// A client. Its address space ends with it.
struct Client {
    space: Owner<Space>,
}

#[vtable]
impl drm::DriverFile for Client {
    type Driver = Atlas;

    fn open(dev: &Device<Atlas, Registered>) -> impl PinInit<Self, Error> {
        let all = VaRange::new(0, PAGES * PAGE);
        let space =
            all.and_then(|all| Owner::<Space>::new(dev, c"atlas", Layout::new(all), Ok(Space), 0));
        space.map(|space| Self { space })
    }
}

impl Client {
    /// Creating a request allocates all the memory that it needs, so it may fail. Then changing the
    /// tables cannot fail.
    fn bind(_dev: &Device<Atlas, Registered>, arg: &Bind, file: &File<Self>) -> Result {
        if arg.pad != 0 || arg.offset % PAGE != 0 {
            return Err(EINVAL);
        }
        let range = pages(arg.address, arg.length)?;
        let buffer = Object::lookup(file, arg.buffer)?;
        let request = drm::gpuvm::Map::new(&file.space, range, &buffer, arg.offset, ())?;
        let done = file.space.lock(|space| space.map(request, &mut ()));
        // Drops what was mapped before, after the lock is released.
        done.into_result()
    }

    fn unbind(_dev: &Device<Atlas, Registered>, arg: &Unbind, file: &File<Self>) -> Result {
        let request = Unmap::new(&file.space, pages(arg.address, arg.length)?)?;
        let done = file.space.lock(|space| space.unmap(request, &mut ()));
        done.into_result()
    }

    fn read(_dev: &Device<Atlas, Registered>, arg: &mut Read, file: &File<Self>) -> Result {
        let word = VaRange::new(arg.address, size_of::<u32>() as u64)?;
        if arg.pad != 0 || arg.address % word.len() != 0 || word.end() > PAGES * PAGE {
            return Err(EINVAL);
        }
        let (buffer, offset) = file.space.lock(|space| {
            if *space.tables() & 1 << (arg.address / PAGE) == 0 {
                return Err(EFAULT);
            }
            // It is there if the steps above keep the tables right.
            let mapping = space.find(word).ok_or(EIO)?;
            let buffer: ARef<Object> = mapping.object().ok_or(EIO)?.into();
            Ok((
                buffer,
                mapping.offset() + (arg.address - mapping.range().start()),
            ))
        })?;
        // Mapping the buffer allocates memory, which is not allowed while the lock is held.
        arg.value = buffer.vmap()?.read_word(offset as usize)?;
        Ok(())
    }
}

#[vtable]
impl drm::Driver for Atlas {
    type Data = ();
    type RegistrationData<'bound> = ();
    type File = Client;
    type Object = Object;
    type Kms = drm::NoKms;

    const INFO: drm::DriverInfo =
        drm::DriverInfo::new(c"atlas", c"An address space for each client");
    const FEATURES: drm::Features = drm::Features::GEM.render();

    drm::ioctls! {
        BIND: Bind, RENDER_ALLOW => Client::bind;
        UNBIND: Unbind, RENDER_ALLOW => Client::unbind;
        READ: Read, RENDER_ALLOW => Client::read;
    }
}

impl drm::platform::Driver for Atlas {
    type IdInfo = ();

    fn probe<'bound>(
        cx: &drm::platform::Probe<'bound>,
        _id: Option<&'bound ()>,
    ) -> Result<drm::Ready<'bound, Self>> {
        drm::UnregisteredDevice::<Self>::new(cx, Ok(()))?.ready(Ok(()))
    }
}

drm::module_platform_driver! {
    virtual_device: c"atlas",
    type: Atlas,
    name: "atlas",
    authors: ["The Drydock authors"],
    description: "An address space for each client",
    license: "Dual MIT/GPL",
}
