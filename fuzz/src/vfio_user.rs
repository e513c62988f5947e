// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! A model's server and a client that follows the protocol for a while: messages, with descriptors and without, and
//! then any bytes.
//!
//! Source: the vfio-user specification; the crate `vfio_user` for how it cuts a stream into messages.

use std::fs::File;
use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::net::Shutdown;
use std::os::fd::{AsFd, OwnedFd};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener, UnixStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use drydock_models::fault::Plan;
use drydock_models::mali::Mali;
use drydock_models::nova::{DEFAULT_VRAM, Nova};
use drydock_models::server::{Socket, serve};
use drydock_models::{Device, Gpu};
use rustix::event::{EventfdFlags, eventfd};
use rustix::fs::MemfdFlags;
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};

use crate::Target;
use crate::bytes::Bytes;
use crate::device::address;

/// The most messages. With their answers they fit the socket, so that neither side waits for the other.
const MOST: usize = 40;
/// The most bytes that a message requests.
const MOST_DATA: u32 = 1 << 10;

/// The flag for a message without an answer. With commands where that makes no sense, the crate refuses it, and takes
/// their bodies for messages.
const NO_REPLY: u32 = 1 << 4;
const WANT_REPLY: [u16; 5] = [1, 4, 5, 7, 9];
/// The number of regions. The crate takes the data of a write to another region for messages.
const REGIONS: u32 = 9;

pub(crate) const TARGET: Target = Target {
    name: "vfio-user",
    run,
    show: |bytes| {
        let (gpu, messages, tail) = parse(bytes);
        let messages = messages.iter().map(|message| format!("{message:x?}\n"));
        format!("{gpu:?}\n{}{tail:x?}\n", messages.collect::<String>())
    },
};

#[derive(Clone, Copy, Debug)]
enum Name {
    Nova,
    Mali,
}

/// A message: command, flags, body, and the number of descriptors that it carries.
#[derive(Debug)]
struct Message {
    command: u16,
    flags: u32,
    body: Vec<u8>,
    descriptors: Descriptors,
}

#[derive(Clone, Copy, Debug)]
enum Descriptors {
    None,
    Memory,
    Events(u8),
}

impl Message {
    fn from(bytes: &mut Bytes<'_>) -> Self {
        let mut message = Self::whole(bytes);
        if message.flags & NO_REPLY != 0 && WANT_REPLY.contains(&message.command) {
            message.body.clear();
        }
        message
    }

    fn whole(bytes: &mut Bytes<'_>) -> Self {
        // A reply is requested or not, or the flags are nonsense.
        let flags = bytes.one_of(&[0, 0, NO_REPLY, 1, u32::MAX]);
        let plain = |command, body| Self { command, flags, body, descriptors: Descriptors::None };
        match bytes.u8() % 10 {
            0 => plain(1, version(bytes)),
            1 => {
                let body = words(&[0x20, bytes.u8().into()], &[offset(bytes), address(bytes) & !0xfff, size(bytes)]);
                let descriptors = if bytes.bool() { Descriptors::Memory } else { Descriptors::None };
                Self { command: 2, flags, body, descriptors }
            }
            2 => plain(3, words(&[0x18, bytes.u8().into()], &[address(bytes) & !0xfff, size(bytes)])),
            3 => plain(4, words(&[0x10, 0, 0, 0], &[])),
            4 => plain(5, words(&[0x20, 0, bytes.u8().into(), 0], &[0, 0])),
            5 => plain(7, words(&[0x10, 0, bytes.u8().into(), 0], &[])),
            6 => {
                let action = bytes.one_of(&[1 << 2 | 1 << 5, 1 | 1 << 5, 1 | 1 << 3, 1 << 1 | 1 << 5, 0]);
                let (index, start, count) = (bytes.u8() % 6, bytes.u8(), bytes.u8());
                let large = if bytes.u8() == 0xff { u32::MAX } else { 0 };
                let body = words(&[0x14, action, index.into(), start.into(), u32::from(count) | large], &[]);
                Self { command: 8, flags, body, descriptors: Descriptors::Events(bytes.u8() % 5) }
            }
            7 => plain(9, region(bytes, &[])),
            8 => {
                let length = bytes.one_of(&[4, 4, 4, 1, 2, 8, 0, 300]);
                let data = [bytes.take(length), &[0; 300]].concat();
                plain(10, region(bytes, &data[..length]))
            }
            _ => plain(bytes.one_of(&[13, 13, 0, 6, 11, 12, 14, 15, 255]), Vec::new()),
        }
    }

    fn header(&self) -> Vec<u8> {
        let size = 16 + self.body.len() as u32;
        let (command, size, flags) = (self.command.to_le_bytes(), size.to_le_bytes(), self.flags.to_le_bytes());
        [&[1, 0], &command[..], &size, &flags, &[0; 4]].concat()
    }
}

fn words(halves: &[u32], wholes: &[u64]) -> Vec<u8> {
    let halves = halves.iter().flat_map(|word| word.to_le_bytes());
    halves.chain(wholes.iter().flat_map(|word| word.to_le_bytes())).collect()
}

fn version(bytes: &mut Bytes<'_>) -> Vec<u8> {
    let text = match bytes.u8() % 4 {
        0 => b"{\"capabilities\": {\"max_msg_fds\": 8, \"migration\": {\"pgsize\": 4096}}}\0".to_vec(),
        1 => b"{\"capabilities\": {}}\0".to_vec(),
        2 => Vec::new(),
        _ => {
            let length = bytes.u8().into();
            bytes.take(length).to_vec()
        }
    };
    [words(&[1 << 16], &[]), text].concat()
}

/// Returns the body of an access to a region.
fn region(bytes: &mut Bytes<'_>, data: &[u8]) -> Vec<u8> {
    let offset = match bytes.u8() % 4 {
        0 => bytes.u64(),
        1 => u64::from(bytes.u8()),
        _ => u64::from(bytes.u16() & !3),
    };
    let index = u32::from(bytes.u8() % 10);
    let count = if data.is_empty() { bytes.one_of(&[4, 4, 1, 2, 8, 0, 3, MOST_DATA]) } else { data.len() as u32 };
    let header = [&offset.to_le_bytes()[..], &index.to_le_bytes(), &count.to_le_bytes()].concat();
    let data = if index < REGIONS { data } else { &[] };
    [&header, data].concat()
}

fn offset(bytes: &mut Bytes<'_>) -> u64 {
    bytes.one_of(&[0, 0, 0x1000, 0x3000, 0x4000, 1, u64::MAX - 0xfff])
}

fn size(bytes: &mut Bytes<'_>) -> u64 {
    bytes.one_of(&[0x4000, 0x1000, 0x2000, 0, 1, 0xfff, u64::MAX])
}

fn parse(bytes: &[u8]) -> (Name, Vec<Message>, Vec<u8>) {
    let mut bytes = Bytes::new(bytes);
    let name = bytes.one_of(&[Name::Mali, Name::Nova]);
    let count = usize::from(bytes.u8()) % (MOST + 1);
    let messages = bytes.all(count, Message::from);
    (name, messages, tame(bytes.rest()))
}

/// Returns any bytes as messages. Sizes for which the crate would allocate gigabytes are made small: the crate trusts a
/// client's sizes, and a program that can be its client can allocate as much by itself.
fn tame(tail: &[u8]) -> Vec<u8> {
    let mut tail = tail[..tail.len().min(MOST_DATA as usize)].to_vec();
    let mut at = 0;
    while let Some(header) = tail.get(at..at + 16) {
        let command = u16::from_le_bytes([header[2], header[3]]);
        let flags = u32::from_le_bytes([header[8], header[9], header[10], header[11]]);
        let body = match command {
            _ if flags & NO_REPLY != 0 && WANT_REPLY.contains(&command) => 0,
            // This is the upper bytes of its size, and of the counts below.
            1 => {
                tail[at + 6..at + 8].fill(0);
                let size = usize::from(u16::from_le_bytes([tail[at + 4], tail[at + 5]]));
                size.saturating_sub(16).max(4)
            }
            2 => 32,
            3 => 24,
            4 | 7 => 16,
            5 => 32,
            8 => 20,
            9 | 10 => {
                let Some(count) = tail.get_mut(at + 28..at + 32) else { return tail };
                count[1] &= 3;
                count[2..].fill(0);
                let count = usize::from(u16::from_le_bytes([count[0], count[1]]));
                let there = tail[at + 24] < REGIONS as u8 && tail[at + 25..at + 28] == [0; 3];
                16 + if command == 10 && there { count } else { 0 }
            }
            _ => 0,
        };
        at += 16 + body;
    }
    // A part of a header would be taken for one that ends in zeros.
    tail.truncate(at);
    tail
}

fn run(bytes: &[u8]) {
    let (name, messages, tail) = parse(bytes);
    let now = Instant::now();
    match name {
        Name::Mali => talk(Device::new(Mali::new(now), Plan::default(), now), &messages, &tail),
        Name::Nova => {
            let nova = Nova::new(DEFAULT_VRAM, now).expect("the default is a size");
            talk(Device::new(nova, Plan::default(), now), &messages, &tail);
        }
    }
}

fn talk<G: Gpu>(device: Device<G>, messages: &[Message], tail: &[u8]) {
    let (listener, client) = connection();
    // The client sends everything before the server reads.
    for message in messages {
        send(&client, message).expect("there is room in the socket");
    }
    io::Write::write_all(&mut &client, tail).expect("there is room in the socket");
    client.shutdown(Shutdown::Write).expect("it is open");
    // An error ends the connection, as it should.
    let _ = serve(device, Socket::Listening(listener.into()), None);
    let answered = io::copy(&mut &client, &mut io::sink());
    assert!(answered.is_ok() || !tail.is_empty() || !messages.is_empty(), "who says nothing is left in peace");
}

/// Returns a listening socket, and one that is connected to it.
fn connection() -> (UnixListener, UnixStream) {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let name = format!("drydock-host-fuzz-{}-{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
    let address = SocketAddr::from_abstract_name(name).expect("a name is short");
    let listener = UnixListener::bind_addr(&address).expect("nobody else has this name");
    let client = UnixStream::connect_addr(&address).expect("it listens");
    (listener, client)
}

fn send(client: &UnixStream, message: &Message) -> io::Result<()> {
    let descriptors = match message.descriptors {
        Descriptors::None => Vec::new(),
        Descriptors::Memory => vec![memory()?],
        Descriptors::Events(count) => {
            let event = || eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK);
            (0..count).map(|_| event()).collect::<Result<_, _>>()?
        }
    };
    let borrowed: Vec<_> = descriptors.iter().map(AsFd::as_fd).collect();
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(4))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    if !borrowed.is_empty() {
        ancillary.push(SendAncillaryMessage::ScmRights(&borrowed));
    }
    let bytes = [message.header(), message.body.clone()].concat();
    sendmsg(client, &[IoSlice::new(&bytes)], &mut ancillary, SendFlags::empty())?;
    Ok(())
}

/// Creates a memory file of four pages.
fn memory() -> io::Result<OwnedFd> {
    let file = rustix::fs::memfd_create("guest", MemfdFlags::CLOEXEC)?;
    rustix::fs::ftruncate(&file, 4 << 12)?;
    Ok(File::from(file).into())
}
