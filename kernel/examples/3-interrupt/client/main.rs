// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A client of the driver abacus: lets the device compute.

#![forbid(unsafe_code)]

use calls::{Device, Ioctl};

calls::argument! {
    struct Compute { n: u32, result: u32 }
}

const COMPUTE: Ioctl<Compute> = Ioctl::iowr(0x00);

fn main() {
    let device = Device::open("abacus");
    for (n, result) in [(1, 1), (5, 120), (10, 3_628_800)] {
        let computed = device.call(COMPUTE, Compute { n, result: 0 });
        assert_eq!(computed, Ok(Compute { n, result }));
        println!("{n}! is {result}");
    }
}
