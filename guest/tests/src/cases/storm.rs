// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! A short storm over each driver, the same each time; `drydock storm` runs long ones.
//!
//! Source: `storm.rs`.

use std::time::Duration;

use crate::harness::check::{Outcome, Stop, fail};
use crate::storm::{self, Plan};
use crate::subjects::guest::Guest;

/// The seed of the short storms.
const SEED: u64 = 1;
/// The duration of a short storm.
const TIME: Duration = Duration::from_secs(20);

/// A storm of twenty seconds passes: nothing hangs, no call has an impossible answer, and everything is as before
/// afterwards.
fn twenty_seconds(guest: &Guest) -> Outcome {
    let guest = Guest { seed: SEED, ..guest.clone() };
    let hangs = |why: &str| -> ! {
        println!("fail {why} (seed {SEED})");
        std::process::exit(0)
    };
    match storm::run(&guest, &Plan { time: TIME, unplugs: None, processes: 4, tell: |_| {}, hangs }) {
        Ok(figures) => match figures.lacks() {
            Some(what) => fail(format!("there were no {what} (seed {SEED})")),
            None => Ok(()),
        },
        Err(Stop::Fail(why)) => fail(format!("{why} (seed {SEED})")),
        Err(skip) => Err(skip),
    }
}

pub(crate) mod vgem {
    use super::twenty_seconds;

    crate::cases::cases! { "storm": twenty_seconds within 120 }
}

pub(crate) mod nova {
    use super::twenty_seconds;

    crate::cases::cases! { "nova_storm" for Nova: twenty_seconds within 120 }
}

pub(crate) mod tyr {
    use super::twenty_seconds;

    crate::cases::cases! { "tyr_storm" for Tyr: twenty_seconds within 180 }
}

pub(crate) mod vkms {
    use super::twenty_seconds;

    crate::cases::cases! { "vkms_storm" for Vkms: twenty_seconds within 180 }
}
