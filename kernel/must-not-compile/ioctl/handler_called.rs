// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A guarded ioctl calls the handler of an unguarded one.
//!
//! The handler could then wait for locks in a section that every unplug waits for (K36).

include!("../driver.rs");

type Kind = ioctl::kind::UnguardedCall<()>;

fn look(_: &ioctl::Unguarded<'_, Mini>, _: &mut u32, _: &File<Client>) -> Result {
    Ok(())
}

fn guarded(dev: &Plugged<'_, Mini>, arg: &mut u32, file: &File<Client>) -> i32 {
    let call = ioctl::Call { dev, arg, file }; //~ WRONG
    //= let _ = (look, dev, arg, file);
    ioctl::Handler::<Mini, u32, ioctl::Direction<true>, Kind>::handle(look, call) //~ WRONG
    //= 0
}
