// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Lists the cases by area: one file per area, one function per case.
//!
//! Source: each area names its own.

mod attacks;
mod auth;
pub(crate) mod bus;
pub(crate) mod compat;
mod display;
mod dmabuf;
mod dumb;
mod fdinfo;
mod fence;
mod file;
mod foreign;
mod gate;
mod gem;
mod identity;
mod ioctl;
mod life;
mod lifecycle;
mod map;
mod module;
mod nova;
mod prime;
mod probe;
mod race;
mod storm;
mod sweep;
mod sync;
mod tyr;
mod unsupported;
mod vkms;

use crate::harness::check::Outcome;
use crate::subjects::driver::Driver;
use crate::subjects::guest::Guest;

/// A case: its name, its function, and its time limit.
#[derive(Debug)]
pub(crate) struct Case {
    /// The area and the claim, `area::claim`.
    pub(crate) name: &'static str,
    /// The driver that the case is about. `None` is vgem, ours and the kernel's own.
    driver: Option<Driver>,
    /// The function that runs the case.
    pub(crate) run: fn(&Guest) -> Outcome,
    /// Time limit in seconds. A case that takes longer is killed and has failed.
    pub(crate) seconds: u64,
}

/// The time limit in seconds from which a case is long.
const LONG: u64 = 120;

impl Case {
    /// Whether the case takes so long that a short run leaves it out: sweeps over each failure, races and repetitions.
    pub(crate) fn is_long(&self) -> bool {
        self.seconds >= LONG
    }

    /// Whether the case is about this driver.
    pub(crate) fn is_for(&self, driver: Driver) -> bool {
        match self.driver {
            Some(only) => driver.subject() == only,
            None => driver.subject() == Driver::Rust,
        }
    }
}

/// Defines the table of an area: the driver that its cases are about, unless that is vgem, and its functions, with a time
/// limit where the default is too short.
///
/// ```text
/// cases! {
///     "tyr_query" for Tyr:
///     gpu_info_names_the_gpu, unknown_query_is_refused within 60,
/// }
/// ```
macro_rules! cases {
    ($area:literal: $($cases:tt)*) => {
        $crate::cases::cases!(@table $area, None; $($cases)*);
    };
    ($area:literal for $driver:ident: $($cases:tt)*) => {
        $crate::cases::cases!(@table $area, Some($crate::subjects::driver::Driver::$driver); $($cases)*);
    };
    (@table $area:literal, $driver:expr; $($name:ident $(within $seconds:literal)?),* $(,)?) => {
        /// The cases of this area.
        pub(crate) const CASES: &[$crate::cases::Case] = &[$(
            $crate::cases::Case {
                name: concat!($area, "::", stringify!($name)),
                driver: $driver,
                run: $name,
                seconds: $crate::cases::limit!($($seconds)?),
            }
        ),*];
    };
}
pub(crate) use cases;

macro_rules! limit {
    () => {
        15
    };
    ($seconds:literal) => {
        $seconds
    };
}
pub(crate) use limit;

/// The areas in the order in which they run: an area that can break the device comes last.
const AREAS: &[&[Case]] = &[
    identity::CASES,
    fdinfo::CASES,
    ioctl::CASES,
    compat::CASES,
    unsupported::CASES,
    file::CASES,
    auth::CASES,
    dumb::CASES,
    gem::CASES,
    map::CASES,
    prime::CASES,
    dmabuf::CASES,
    foreign::CASES,
    fence::arguments::CASES,
    fence::CASES,
    fence::waiting::CASES,
    fence::sync_file::CASES,
    bus::edu::CASES,
    bus::auxiliary::CASES,
    bus::faux::CASES,
    bus::twins::CASES,
    sync::fence::CASES,
    sync::syncobj::CASES,
    sync::event::CASES,
    sync::stress::CASES,
    life::CASES,
    life::memory::CASES,
    life::again::CASES,
    module::CASES,
    lifecycle::failure::CASES,
    lifecycle::teardown::CASES,
    lifecycle::unplug::CASES,
    lifecycle::lifetime::CASES,
    lifecycle::belonging::CASES,
    lifecycle::file::CASES,
    lifecycle::work::CASES,
    lifecycle::memory::CASES,
    display::CASES,
    display::off::CASES,
    display::commits::CASES,
    gate::CASES,
    probe::CASES,
    probe::client::CASES,
    probe::registration::CASES,
    sweep::vgem::CASES,
    sweep::events::CASES,
    race::CASES,
    storm::vgem::CASES,
    attacks::callbacks::CASES,
    attacks::objects::CASES,
    attacks::spaces::CASES,
    attacks::fences::CASES,
    attacks::clients::CASES,
    attacks::registration::CASES,
    attacks::registers::CASES,
    attacks::children::CASES,
    attacks::displays::CASES,
    attacks::modules::CASES,
    nova::identity::CASES,
    nova::param::CASES,
    nova::object::CASES,
    nova::client::CASES,
    nova::life::CASES,
    nova::order::CASES,
    nova::flight::CASES,
    nova::faults::CASES,
    nova::probe::CASES,
    sweep::nova::CASES,
    nova::race::CASES,
    storm::nova::CASES,
    tyr::identity::CASES,
    tyr::query::CASES,
    tyr::ioctl::CASES,
    tyr::compat::CASES,
    tyr::client::CASES,
    tyr::vm::CASES,
    tyr::bo::CASES,
    tyr::bind::CASES,
    tyr::queue::CASES,
    tyr::prime::CASES,
    tyr::flush::CASES,
    tyr::view::CASES,
    tyr::sequence::CASES,
    tyr::life::CASES,
    tyr::sleep::CASES,
    tyr::faults::CASES,
    tyr::hangs::CASES,
    tyr::page_faults::CASES,
    tyr::probe::CASES,
    sweep::tyr::CASES,
    tyr::race::CASES,
    storm::tyr::CASES,
    vkms::enumeration::CASES,
    vkms::atomic::CASES,
    vkms::wrong::CASES,
    vkms::fence::CASES,
    vkms::framebuffer::CASES,
    vkms::legacy::CASES,
    vkms::cursor::CASES,
    vkms::vblank::CASES,
    vkms::clients::CASES,
    vkms::compat::CASES,
    vkms::lease::CASES,
    vkms::outputs::CASES,
    vkms::crowd::CASES,
    vkms::devices::CASES,
    vkms::screen::CASES,
    vkms::render::CASES,
    vkms::faults::CASES,
    vkms::c::CASES,
    vkms::sleep::CASES,
    vkms::teardown::CASES,
    storm::vkms::CASES,
    vkms::console::CASES,
    vkms::probe::CASES,
    sweep::vkms::CASES,
];

/// Areas that have a boot of their own: they run only if `--only` names them.
pub(crate) const APART: &[&str] = &["attacks"];

/// Returns the parts of cases that run in processes of their own.
pub(crate) fn workers() -> impl Iterator<Item = &'static Worker> {
    race::WORKERS.iter().chain(nova::race::WORKERS).chain(tyr::race::WORKERS)
}

/// A part of a case: its name, and the function that its process runs.
pub(crate) type Worker = (&'static str, fn(&Guest) -> Outcome);

/// Returns all cases.
pub(crate) fn all() -> impl Iterator<Item = &'static Case> {
    AREAS.iter().copied().flatten()
}

#[cfg(test)]
mod tests {
    use crate::subjects::differences::EXPECTED_DIFFERENCES;

    use super::*;

    #[test]
    fn names_are_unique_and_have_an_area() {
        let mut names: Vec<_> = all().map(|case| case.name).collect();
        assert!(names.iter().all(|name| name.split("::").count() == 2));
        names.sort_unstable();
        let count = names.len();
        names.dedup();
        assert_eq!(names.len(), count);
    }

    #[test]
    fn case_of_a_gpu_runs_for_its_driver_only() {
        let drivers = |area: &str| {
            let case = all().find(|case| case.name.starts_with(area)).expect("the area has cases");
            let all = [Driver::Rust, Driver::C, Driver::Nova, Driver::Tyr, Driver::Vkms, Driver::CVkms];
            all.into_iter().filter(|driver| case.is_for(*driver)).collect::<Vec<_>>()
        };
        assert_eq!(drivers("gem::"), [Driver::Rust, Driver::C]);
        assert_eq!(drivers("nova_object::"), [Driver::Nova]);
        assert_eq!(drivers("tyr_bo::"), [Driver::Tyr]);
    }

    #[test]
    fn every_difference_names_a_case() {
        for row in EXPECTED_DIFFERENCES {
            let area = row.case.strip_suffix('*');
            let found = all().any(|case| match area {
                Some(area) => case.name.starts_with(area),
                None => case.name == row.case,
            });
            assert!(found, "no case is named `{}`", row.case);
        }
    }
}
