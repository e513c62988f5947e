// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! An interrupt handler borrows a variable of the probe.
//!
//! The handler is called until the device is unbound, long after the probe has returned.

include!("../driver.rs");

struct Handler<'a>(&'a SetOnce<u32>);

impl kernel::irq::Handler for Handler<'_> {
    fn handle(&self) -> kernel::irq::IrqReturn {
        kernel::irq::IrqReturn::Handled
    }
}

fn request<'bound>(cx: &platform::Probe<'bound>) -> Result {
    let seen = SetOnce::new(); //~ WRONG
    //= static seen: SetOnce<u32> = SetOnce::new();
    let request = cx.device().irq_by_index(0)?;
    cx.request_irq(request, kernel::irq::Flags::SHARED, c"mini", Ok(Handler(&seen)))
}
