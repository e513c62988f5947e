// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A client of the driver counter: calls its ioctl, and checks that it counts.

#![forbid(unsafe_code)]

use calls::{Device, Ioctl};

calls::argument! {
    struct Next { value: u64 }
}

const NEXT: Ioctl<Next> = Ioctl::iowr(0x00);

fn main() {
    let device = Device::open("counter");
    let first = device.call(NEXT, Next { value: 0 });
    let first = first.expect("the ioctl works").value;
    println!("the ioctl returns {first}");

    // Another client: the count belongs to the device, not to the file.
    let other = Device::open("counter");
    let second = other.call(NEXT, Next { value: 0 });
    assert_eq!(second, Ok(Next { value: first + 1 }));
    println!("another client gets {}", first + 1);
}
