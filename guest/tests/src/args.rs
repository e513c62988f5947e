// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The program's command line.
//!
//! Source: none.

use std::path::PathBuf;

use clap::Parser;

use crate::cases::APART;
use crate::harness::modules::Modules;
use crate::storm::MOST;
use crate::subjects::driver::Driver;
use crate::subjects::guest::Guest;

/// Tests a DRM device by system calls.
///
/// Prints one line per case: `ok NAME`, `FAIL NAME: why` or `skip NAME: why`. The exit code is 1
/// if a case failed and 2 if the tests could not be run.
#[derive(Clone, Debug, Parser)]
#[command(name = "drydock-guest-tests", version)]
pub(crate) struct Args {
    /// Whose device to test
    #[arg(long, value_enum, required_unless_present = "list")]
    pub(crate) driver: Option<Driver>,

    /// Run only the cases whose names contain this text
    pub(crate) filter: Option<String>,

    /// Skip the cases of these areas (an area is the first part of a case's name)
    #[arg(long, value_name = "AREA,…", value_delimiter = ',')]
    pub(crate) without: Vec<String>,

    /// Run only the cases of this area; some areas run only when this option names them
    #[arg(long, value_name = "AREA")]
    pub(crate) only: Option<String>,

    /// Print the names of the cases and do nothing else
    #[arg(long)]
    pub(crate) list: bool,

    /// Run a storm of this many seconds instead of cases: processes make random calls while the device is unbound and
    /// bound
    #[arg(long, value_name = "SECONDS", conflicts_with_all = ["filter", "without", "list"], requires = "modules")]
    pub(crate) storm: Option<u64>,

    /// End the storm after this many unplugs instead, however long they take
    #[arg(long, value_name = "N", requires = "storm")]
    pub(crate) unplugs: Option<u64>,

    /// Number of processes that make the calls of a storm
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = processes)]
    pub(crate) processes: usize,

    /// Folder of module files; its `modules.dep` or `dependencies` gives the order
    #[arg(long, value_name = "DIR")]
    pub(crate) modules: Option<PathBuf>,

    /// Module files in `--modules`, in the order of loading; replaces the folder's list
    #[arg(long, value_name = "FILE,…", value_delimiter = ',', requires = "modules")]
    pub(crate) load: Vec<String>,

    /// Seed of the random choices; a failed race prints the seed it used
    #[arg(long)]
    pub(crate) seed: Option<u64>,

    /// Factor on the time limit of each case, for a kernel that spends more time on checks than on work
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub(crate) patience: u32,

    /// Fail a case if the machine lacks what it needs, instead of skipping it; for a machine made for the tests
    #[arg(long)]
    pub(crate) complete: bool,

    /// Skip cases that might not end within this many seconds from now
    #[arg(long, value_name = "SECONDS")]
    pub(crate) within: Option<u64>,

    /// Leave out the cases that take long
    #[arg(long)]
    pub(crate) short: bool,

    /// Also run cases that the driver cannot run, such as those that bring down the kernel's own driver
    #[arg(long)]
    pub(crate) impossible: bool,

    /// Run this one case in this process (the runner starts each case this way)
    #[arg(long, hide = true)]
    pub(crate) case: Option<String>,

    /// Run this part of a case (a case starts another process this way)
    #[arg(long, hide = true, conflicts_with = "case")]
    pub(crate) worker: Option<String>,
}

/// Parses a number of processes for which there is room.
fn processes(text: &str) -> Result<usize, String> {
    let number = text.parse().ok().filter(|number| (1..=MOST).contains(number));
    number.ok_or_else(|| format!("`{text}` is not a number from 1 to {MOST}"))
}

impl Args {
    /// Whether the case belongs to an area that is run, and the filter selects it.
    pub(crate) fn selects(&self, case: &str) -> bool {
        let area = case.split_once("::").map_or(case, |(area, _)| area);
        let runs = match &self.only {
            Some(only) => area == only,
            None => !APART.contains(&area),
        };
        runs && self.filter.as_deref().is_none_or(|part| case.contains(part))
    }

    /// Whether the case belongs to an area that `--without` skips.
    pub(crate) fn leaves_out(&self, case: &str) -> bool {
        case.split_once("::").is_some_and(|(area, _)| self.without.iter().any(|left_out| left_out == area))
    }

    /// Returns the driver. clap makes sure that there is one unless the cases are only listed.
    pub(crate) fn driver(&self) -> Driver {
        self.driver.expect("clap requires `--driver` unless `--list` is given")
    }

    /// Returns the guest that a case sees, or an error if the modules cannot be found.
    pub(crate) fn guest(&self, case: &'static str, seed: u64) -> std::io::Result<Guest> {
        let driver = self.driver();
        let modules = match &self.modules {
            None => None,
            Some(folder) if self.load.is_empty() => Some(Modules::from_dependencies(folder, driver.module())?),
            Some(folder) => Some(Modules::listed(folder, &self.load)),
        };
        Ok(Guest { driver, seed, modules, patience: self.patience, case })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Args, clap::Error> {
        Args::try_parse_from(std::iter::once("drydock-guest-tests").chain(line.split(' ')))
    }

    #[test]
    fn the_driver_is_needed_unless_cases_are_listed() {
        assert!(parse("fence").is_err());
        assert!(parse("--list").unwrap().list);
        assert_eq!(parse("--driver c-vgem").unwrap().driver(), Driver::C);
    }

    #[test]
    fn a_filter_selects_by_a_part_of_the_name() {
        let args = parse("--driver vgem fence::").unwrap();
        assert!(args.selects("fence::signal_twice"));
        assert!(!args.selects("gem::close_twice"));
    }

    #[test]
    fn an_area_that_stands_apart_runs_only_when_it_is_named() {
        assert!(!parse("--driver vgem").unwrap().selects("attacks::late_signal"));
        let args = parse("--driver vgem --only attacks late").unwrap();
        assert!(args.selects("attacks::late_signal"));
        assert!(!args.selects("attacks::fdinfo") && !args.selects("event::too_late"));
    }

    #[test]
    fn an_area_is_left_out_by_its_whole_name() {
        let args = parse("--driver tyr --without tyr_probe,tyr_sequence").unwrap();
        assert!(args.leaves_out("tyr_probe::x") && args.leaves_out("tyr_sequence::x"));
        assert!(!args.leaves_out("probe::tyr_probe") && !parse("--driver tyr").unwrap().leaves_out("tyr_probe::x"));
    }

    #[test]
    fn listed_modules_keep_their_order() {
        let args = parse("--driver vgem --modules /m --load drm.ko.xz,vgem_rust.ko").unwrap();
        let modules = args.guest("x::y", 0).unwrap().modules.unwrap();
        assert_eq!(modules.names(), ["vgem_rust", "drm"]);
    }

    #[test]
    fn a_list_of_modules_needs_their_folder() {
        assert!(parse("--driver vgem --load drm.ko").is_err());
    }
}
