// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Executes a program in this process, and undoes everything that it did.
//!
//! Source: ioctl(2), mmap(2).

use std::os::fd::{AsRawFd, IntoRawFd, OwnedFd, RawFd};

use random::layout::{Laid, Place, lay_out};
use random::program::{Address, Call, Program, Value};
use random::spec::{self, Class, Does, Driver, Field};
use rustix::fs::OFlags;
use rustix::io::Errno;
use sys::display::Objects;
use sys::{Answer, Disposition, foreign};
use uapi::PAGE;

use crate::arena::Arena;
use crate::device::{self, Device};
use crate::raw;

/// Descriptors below this number are the process's own.
const FIRST: RawFd = 32;

/// A call that sleeps longer than this many milliseconds is interrupted, again and again.
const TICK: i64 = 200;

/// Executes programs.
pub(crate) struct Runner {
    device: Device,
    arena: Arena,
    /// The numbers that calls returned, by class.
    given: [Vec<u64>; Class::COUNT],
    /// The address and length of each mapping.
    mappings: Vec<(usize, usize)>,
    zero: OwnedFd,
}

/// The places of a program's structures, and the numbers that its calls returned.
struct Here<'r> {
    arena: &'r mut Arena,
    given: &'r [Vec<u64>; Class::COUNT],
    mappings: &'r [(usize, usize)],
    display: Option<&'r Objects>,
}

impl Place for Here<'_> {
    fn object(&mut self, class: Class, ago: u8) -> u64 {
        // What belongs to the display itself has a number before a call has returned it.
        let own = self.display.filter(|_| self.given[class as usize].is_empty()).map_or(&[][..], |all| of(all, class));
        match own.len() {
            0 => ago_of(self.given, class, ago),
            len => own[usize::from(ago) % len].into(),
        }
    }

    fn property(&mut self, name: &str) -> u32 {
        self.display.map_or(0, |display| display.property(name))
    }

    fn put(&mut self, at: Address, bytes: &[u8]) -> usize {
        match (at, self.mappings.last()) {
            // A mapping has a page at least, and the kernel writes less than that through one address.
            (Address::Mapped, Some((start, _))) => *start,
            _ => self.arena.put(at, bytes),
        }
    }
}

/// Returns the number that was given `ago` times ago. If there are fewer, the count wraps around.
fn ago_of(given: &[Vec<u64>; Class::COUNT], class: Class, ago: u8) -> u64 {
    let given = &given[class as usize];
    match given.len() {
        0 => class.nothing(),
        len => given[len - 1 - usize::from(ago) % len],
    }
}

impl Runner {
    /// Prepares for a driver's device, which must be bound. Closes all higher descriptors of this process.
    pub(crate) fn new(driver: Driver) -> Result<Self, String> {
        let device = Device::find(driver)?;
        let cannot = |what: &str, errno: Errno| format!("cannot {what}: {errno}");
        let arena = Arena::new().map_err(|errno| cannot("map memory", errno))?;
        let open = |path: &str| sys::open(path, OFlags::RDWR).map_err(|errno| cannot(path, errno));
        let (zero, null) = (open("/dev/zero")?, open("/dev/null")?);
        reserve(&null).map_err(|errno| cannot("reserve descriptors", errno))?;
        sys::dispose(libc::SIGALRM, Disposition::Interrupts).map_err(|errno| cannot("handle SIGALRM", errno))?;
        Ok(Self { device, arena, given: Default::default(), mappings: Vec::new(), zero })
    }

    /// Executes all calls and undoes their effects. Returns each call's errno, or 0.
    pub(crate) fn run(&mut self, program: &Program) -> Vec<i32> {
        raw::tick(TICK);
        let errnos = program.calls.iter().map(|call| self.call(call).err().map_or(0, Errno::raw_os_error)).collect();
        raw::tick(0);
        self.clean();
        errnos
    }

    fn clean(&mut self) {
        for (address, length) in self.mappings.drain(..) {
            // The program may have unmapped it.
            let _ = raw::munmap(address, length);
        }
        // A failure here cannot be handled.
        let _ = raw::close_from(FIRST);
        self.arena.clear();
        self.given.iter_mut().for_each(Vec::clear);
        // If this fails, the next program that opens a node reports it, and the supervisor handles that.
        let _ = self.device.bind();
        self.device.connect_all();
    }

    fn call(&mut self, call: &Call) -> Answer<u64> {
        let spec = call.spec();
        let number = |name: &str| self.number(spec.fields, &call.values, name);
        let gives = match spec.does {
            Does::Ioctl { on, .. } => return self.ioctl(on, call),
            Does::Open => {
                let fd = sys::open(self.device.node(number("node")), OFlags::RDWR)?;
                (Class::File, fd.into_raw_fd() as u64)
            }
            Does::OpenDisplay => {
                let fd = sys::open(self.device.node(0), OFlags::RDWR)?;
                sys::display::ask_for_all(&fd)?;
                (Class::File, fd.into_raw_fd() as u64)
            }
            Does::Close => return self.close(number("fd")),
            Does::Mmap => {
                let mapped = self.mmap(&["fd", "offset", "length", "protection", "private"].map(number))?;
                (Class::Mapping, mapped as u64)
            }
            Does::Munmap => return self.munmap(number("address")),
            Does::Touch => return self.touch(number("address"), number("offset"), number("write") & 1 == 1),
            Does::Poll => {
                let (fd, events, limit) = (number("fd"), number("events"), number("timeout"));
                return raw::poll(fd as i32, events as i16, limit.min(10) as i32).map(|events| events as u64);
            }
            Does::Read => {
                // Without an event the read would wait for one.
                let (fd, length) = (number("fd") as i32, number("length").min(4096) as usize);
                if raw::poll(fd, libc::POLLIN, 0)? & libc::POLLIN == 0 {
                    return Err(Errno::AGAIN);
                }
                let room = self.arena.put(Address::Good, &vec![0; length]);
                return raw::read_to(fd, room, length);
            }
            Does::Fdinfo => {
                let file = sys::open(format!("/proc/self/fdinfo/{}", number("fd") as i32), OFlags::RDONLY)?;
                let room = self.arena.put(Address::Good, &[0; 4096]);
                return raw::read_to(file.as_raw_fd(), room, 4096);
            }
            Does::Eventfd => (Class::EventFile, raw::eventfd((number("flags") & 0o4001) as i32)?),
            Does::Foreign => {
                let (heap, pages) = (number("heap") & 1 == 1, number("pages") as usize);
                (Class::DmaBuf, device::foreign(heap, pages)?.into_raw_fd() as u64)
            }
            Does::Unbind => {
                let level = number("level");
                return self.undisturbed(|device| device.unbind(level));
            }
            Does::Bind => return self.undisturbed(Device::bind),
            Does::Connect => return self.device.connect(number("output"), number("status")),
        };
        self.given[gives.0 as usize].push(gives.1);
        Ok(gives.1)
    }

    /// Changes the device without interrupts: an interrupted probe behaves differently, and after an unbind the caller
    /// must know that it is done.
    fn undisturbed(&mut self, change: impl FnOnce(&mut Device) -> Answer<u64>) -> Answer<u64> {
        raw::tick(0);
        let answer = change(&mut self.device);
        raw::tick(TICK);
        answer
    }

    fn ioctl(&mut self, on: Class, call: &Call) -> Answer<u64> {
        let spec = call.spec();
        let fd = ago_of(&self.given, on, 0) as i32;
        if spec.name == "dma_buf_sync" && is_udmabuf(fd) {
            return Err(Errno::OPNOTSUPP);
        }
        let display = self.device.display();
        let mut here = Here { arena: &mut self.arena, given: &self.given, mappings: &self.mappings, display };
        let Laid { bytes, outputs, filled, .. } = lay_out(spec.fields, &call.values, &mut here);
        let number = spec::ioctl_number(spec, call.size).expect("the call is an ioctl");
        let room = bytes.len().max(usize::from(call.size.unwrap_or(0)));
        let padded: Vec<u8> = bytes.into_iter().chain(std::iter::repeat(0)).take(room).collect();
        let address = here.put(call.at, &padded);
        let answer = raw::ioctl(fd, number, address)?;
        for (offset, size, class) in outputs {
            let Some(found) = self.arena.get(address + offset, size) else { continue };
            let mut word = [0; 8];
            word[..size].copy_from_slice(&found);
            self.given[class as usize].push(u64::from_le_bytes(word));
        }
        for array in filled {
            let read =
                |address| self.arena.get(address, 4).and_then(|bytes| bytes.try_into().ok()).map(u32::from_le_bytes);
            let numbers = array.each().filter_map(read).map(u64::from);
            self.given[array.class as usize].extend(numbers.filter(|number| array.has(*number)));
        }
        Ok(answer)
    }

    /// Returns the named field's number.
    fn number(&self, fields: &[Field], values: &[Value], name: &str) -> u64 {
        let found = fields.iter().zip(values).find(|(field, _)| field.name == name);
        found.map_or(0, |(field, value)| match (field.kind.takes(), value) {
            (_, Value::Number(number)) => *number,
            (Some(class), Value::Ago(ago)) => ago_of(&self.given, class, *ago),
            _ => 0,
        })
    }

    fn close(&self, fd: u64) -> Answer<u64> {
        // The process's own descriptors stay open.
        if fd < FIRST as u64 { Err(Errno::PERM) } else { raw::close(fd as i32) }
    }

    fn mmap(&mut self, [fd, offset, length, protection, private]: &[u64; 5]) -> Answer<usize> {
        let length = *length as usize;
        let flags = if private & 1 == 1 { libc::MAP_PRIVATE } else { libc::MAP_SHARED };
        let address = raw::mmap(*fd as i32, length, (protection & 3) as i32, flags, *offset as i64)?;
        self.mappings.push((address, length));
        Ok(address)
    }

    fn munmap(&mut self, address: u64) -> Answer<u64> {
        let at = self.mappings.iter().position(|(start, _)| *start as u64 == address).ok_or(Errno::INVAL)?;
        let (address, length) = self.mappings.remove(at);
        raw::munmap(address, length)
    }

    /// Makes the kernel access the byte, so that a fault is an errno.
    fn touch(&self, address: u64, offset: u64, write: bool) -> Answer<u64> {
        let found = self.mappings.iter().find(|(start, length)| *start as u64 == address && offset < *length as u64);
        let (start, _) = found.ok_or(Errno::INVAL)?;
        let at = start + offset as usize;
        match write {
            true => raw::read_to(self.zero.as_raw_fd(), at, 1),
            // A write to /dev/null would not read the byte.
            false => {
                let memory = sys::memory_file(PAGE)?;
                raw::write_from(memory.as_raw_fd(), at, 1)
            }
        }
    }

    /// Whether the device's primary node can be opened: the device is bound, and no program has broken it.
    pub(crate) fn is_whole(&self) -> Answer {
        sys::open(self.device.node(0), OFlags::RDWR).map(drop)
    }
}

/// Returns the display's own objects of a class.
fn of(objects: &Objects, class: Class) -> &[u32] {
    match class {
        Class::Crtc => &objects.crtcs,
        Class::Plane => &objects.planes,
        Class::Connector => &objects.connectors,
        Class::Encoder => &objects.encoders,
        Class::Blob => &objects.blobs,
        _ => &[],
    }
}

/// Whether a descriptor is a dma-buf of udmabuf.
fn is_udmabuf(fd: RawFd) -> bool {
    std::fs::read_to_string(format!("/proc/self/fdinfo/{fd}")).is_ok_and(|text| foreign::is_udmabuf(&text))
}

/// Takes all free descriptors below [`FIRST`], so that a program's are above.
fn reserve(null: &OwnedFd) -> Answer {
    raw::close_from(FIRST)?;
    for fd in 0..FIRST {
        // SAFETY: the call takes no address.
        if unsafe { libc::fcntl(fd, libc::F_GETFD) } < 0 {
            raw::duplicate(null, fd)?;
        }
    }
    Ok(())
}
