// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! Two clients of the driver canvas, which share a buffer.

#![forbid(unsafe_code)]

use calls::{Device, Errno, Ioctl};

calls::argument! {
    struct Create { size: u64, background: u32, handle: u32 }
}
calls::argument! {
    struct Map { handle: u32, pad: u32, offset: u64 }
}
calls::argument! {
    struct Clear { handle: u32, pad: u32 }
}

const CREATE: Ioctl<Create> = Ioctl::iowr(0x00);
const MAP: Ioctl<Map> = Ioctl::iowr(0x01);
const CLEAR: Ioctl<Clear> = Ioctl::iow(0x02);

const PAGE: u64 = 4096;
const GREY: u32 = 0x8080_8080;
const RED: u32 = 0x00ff_0000;

fn create(device: &Device, size: u64) -> Result<Create, Errno> {
    let wanted = Create {
        size,
        background: GREY,
        handle: 0,
    };
    device.call(CREATE, wanted)
}

fn map(device: &Device, handle: u32) -> Result<Map, Errno> {
    let wanted = Map {
        handle,
        ..Map::default()
    };
    device.call(MAP, wanted)
}

fn main() {
    let (ours, theirs) = (Device::open("canvas"), Device::open("canvas"));

    let buffer = create(&ours, 2 * PAGE - 1).expect("a buffer is created");
    assert_eq!(buffer.size, 2 * PAGE, "sizes are rounded up to pages");
    let offset = map(&ours, buffer.handle).expect("it has an offset").offset;
    let memory = ours.map(offset, 2 * PAGE as usize);
    assert!(memory.is_all(GREY), "the driver painted the buffer");
    println!("created and mapped a buffer; the driver has painted it");

    assert_eq!(create(&ours, 0), Err(Errno::EINVAL));
    assert_eq!(create(&ours, 1 << 40), Err(Errno::EINVAL));
    // A handle is valid only for the client that created it.
    assert_eq!(map(&theirs, buffer.handle), Err(Errno::ENOENT));
    println!("wrong sizes and the handle of another client are refused");

    memory.write(PAGE as usize, RED);
    let shared = ours.export(buffer.handle).expect("it can be exported");
    let handle = theirs.import(&shared).expect("it can be imported");
    let offset = map(&theirs, handle).expect("it has an offset").offset;
    let same = theirs.map(offset, 2 * PAGE as usize);
    assert_eq!(same.read(PAGE as usize), RED);
    println!("the other client reads what this one wrote");

    let cleared = theirs.call(CLEAR, Clear { handle, pad: 0 });
    cleared.expect("the other client may clear it");
    assert!(memory.is_all(GREY), "both see the same memory");
    println!("the driver has painted it again, and both clients see that");

    // A mapping alone keeps the buffer alive.
    ours.close_handle(buffer.handle).expect("handles close");
    theirs.close_handle(handle).expect("handles close");
    drop((shared, ours, theirs));
    memory.write(0, RED);
    assert_eq!(same.read(0), RED);
    println!("the buffer outlives its handles and its clients");
}
