// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A client of the driver painter: waits for a fence before it reads a buffer.

#![forbid(unsafe_code)]

use calls::{Device, Errno, Ioctl};
use std::time::{Duration, Instant};

calls::argument! {
    struct Paint { buffer: u32, syncobj: u32, color: u32, milliseconds: u32 }
}

const PAINT: Ioctl<Paint> = Ioctl::iow(0x00);

const BLUE: u32 = 0x0000_00ff;
const GREEN: u32 = 0x0000_ff00;
/// The shortest time that the work can take.
const TIME: Duration = Duration::from_millis(300);
/// A limit for each wait, far above the time that anything here takes.
const LIMIT: Duration = Duration::from_secs(60);

fn main() {
    let device = Device::open_primary("painter");
    let (buffer, memory) = device.dumb_buffer(4).expect("a buffer is created");
    let syncobj = device.syncobj().expect("a sync object is created");
    let paint = |buffer, color, milliseconds| {
        let wanted = Paint {
            buffer,
            syncobj,
            color,
            milliseconds,
        };
        device.call(PAINT, wanted).map(drop)
    };

    // An empty sync object has no fence.
    assert_eq!(device.sync_file(syncobj).err(), Some(Errno::EINVAL));
    let begin = Instant::now();
    paint(buffer, BLUE, 300).expect("the work begins");
    let fence = device.sync_file(syncobj).expect("there is a fence");
    assert!(calls::wait(&fence, LIMIT), "the fence is signalled");
    assert!(begin.elapsed() >= TIME, "it is not signalled too early");
    assert!(memory.is_all(BLUE), "the work is done");
    println!("the fence was signalled when the buffer was painted");

    // Any program that has the buffer can wait for it, without the sync object.
    let shared = device.export(buffer).expect("it can be exported");
    let begin = Instant::now();
    paint(buffer, GREEN, 300).expect("the work begins");
    assert!(calls::wait(&shared, LIMIT), "the buffer can be read");
    assert!(begin.elapsed() >= TIME, "it cannot be read too early");
    assert!(memory.is_all(GREEN), "the work is done");
    println!("the buffer itself told when it could be read");

    assert_eq!(paint(buffer, BLUE, 100_000), Err(Errno::EINVAL));
    assert_eq!(paint(buffer + 1, BLUE, 0), Err(Errno::ENOENT));
    assert!(memory.is_all(GREEN), "nothing has changed");
    println!("too long a time and a wrong handle are refused");
}
