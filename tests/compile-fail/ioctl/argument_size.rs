// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! An entry's argument has another size than its number says.
//!
//! C copies as many bytes as the number says, and the handler would read beyond them.

include!("../driver.rs");

fn handler<A>(_: &Device<Mini, Registered>, _: &A, _: &File<Client>) -> Result {
    Ok(())
}

driver!(Third, (), ThirdClient, ThirdBuffer, drm::NoKms, ioctl::Table::empty());

const ENTRY: ioctl::Entry<Mini> =
    ioctl::Entry::<Mini>::new::<[u64; 2], _, _>(WRITE, c"WRITE", ioctl::Flags::NONE, &handler::<[u64; 2]>); //~ WRONG
    //= ioctl::Entry::<Mini>::new::<u64, _, _>(WRITE, c"WRITE", ioctl::Flags::NONE, &handler::<u64>);
