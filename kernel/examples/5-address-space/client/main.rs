// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A client of the driver atlas: maps parts of two buffers, and reads through its address space.

#![forbid(unsafe_code)]

use calls::{Device, Errno, Ioctl};

calls::argument! {
    struct Bind { address: u64, length: u64, offset: u64, buffer: u32, pad: u32 }
}
calls::argument! {
    struct Unbind { address: u64, length: u64 }
}
calls::argument! {
    struct Read { address: u64, value: u32, pad: u32 }
}

const BIND: Ioctl<Bind> = Ioctl::iow(0x00);
const UNBIND: Ioctl<Unbind> = Ioctl::iow(0x01);
const READ: Ioctl<Read> = Ioctl::iowr(0x02);

const PAGE: u64 = 0x1000;

/// A client with its address space.
struct Client(Device);

impl Client {
    fn new() -> Self {
        Self(Device::open_primary("atlas"))
    }

    fn bind(&self, address: u64, buffer: u32, offset: u64, length: u64) -> Result<(), Errno> {
        let wanted = Bind {
            address,
            length,
            offset,
            buffer,
            pad: 0,
        };
        self.0.call(BIND, wanted).map(drop)
    }

    fn unbind(&self, address: u64, length: u64) -> Result<(), Errno> {
        self.0.call(UNBIND, Unbind { address, length }).map(drop)
    }

    fn read(&self, address: u64) -> Result<u32, Errno> {
        let wanted = Read {
            address,
            ..Read::default()
        };
        self.0.call(READ, wanted).map(|read| read.value)
    }
}

fn main() {
    let client = Client::new();
    let (one, memory) = client.0.dumb_buffer(3).expect("a buffer is created");
    for page in 0..3 {
        memory.write(page * PAGE as usize + 8, 100 + page as u32);
    }
    let (two, memory) = client.0.dumb_buffer(1).expect("a buffer is created");
    memory.write(8, 200);

    assert_eq!(client.read(0x8008), Err(Errno::EFAULT));
    client
        .bind(0x8000, one, 0, 3 * PAGE)
        .expect("the buffer is mapped");
    assert_eq!(
        [0x8008, 0x9008, 0xa008].map(|at| client.read(at)),
        [Ok(100), Ok(101), Ok(102)]
    );
    assert_eq!(client.read(0xb008), Err(Errno::EFAULT));
    println!("mapped three pages of a buffer and read them");

    client
        .bind(0x9000, two, 0, PAGE)
        .expect("the other buffer is mapped");
    assert_eq!(
        [0x8008, 0x9008, 0xa008].map(|at| client.read(at)),
        [Ok(100), Ok(200), Ok(102)]
    );
    println!("mapped another buffer in the middle, which split the mapping");

    client
        .unbind(0x8000, 2 * PAGE)
        .expect("two pages are unmapped");
    let fault = Err(Errno::EFAULT);
    assert_eq!(
        [0x8008, 0x9008, 0xa008].map(|at| client.read(at)),
        [fault, fault, Ok(102)]
    );
    println!("unmapped two pages; the third is still there");

    // A mapping keeps its buffer alive.
    client.0.close_handle(one).expect("handles close");
    assert_eq!(client.read(0xa008), Ok(102));
    assert_eq!(Client::new().read(0xa008), Err(Errno::EFAULT));
    println!("the mapping outlives the buffer's handle; another client does not have it");

    let refused = [
        client.bind(0x8000, one, 0, PAGE),
        client.bind(0x8000, two, 0, 2 * PAGE),
        client.bind(0x8004, two, 0, PAGE),
        client.bind(64 * PAGE, two, 0, PAGE),
        client.unbind(0x8000, 0),
    ];
    let expected = [
        Errno::ENOENT,
        Errno::EINVAL,
        Errno::EINVAL,
        Errno::EINVAL,
        Errno::EINVAL,
    ];
    assert_eq!(refused, expected.map(Err));
    println!("a closed handle and wrong ranges are refused");
}
