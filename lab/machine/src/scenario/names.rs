// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Gives the frames of a guest's call traces their names, and their lines in our modules and those of a kernel that was
//! built here.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;

use crate::symbols::{Addr2Line, Address, Frame, Symbols};
use drydock_base::process::output;
use drydock_toolchain::kernels::Flavour;
use drydock_toolchain::kmod::Stock;
use drydock_toolchain::root::Binds;
use drydock_toolchain::setup::Toolchain;

/// The path of a module's directory for `addr2line`.
const MODULE_DIR: &str = "/out";

/// The files that know the names.
pub(super) struct Names<'s> {
    /// The toolchain with the kernel and with `addr2line`.
    pub(super) toolchain: &'s Toolchain,
    /// The names and files of our modules.
    pub(super) ours: &'s BTreeMap<String, PathBuf>,
}

impl Names<'_> {
    /// Calls `f` with the symbols of the modules.
    pub(super) fn with_symbols<R>(&self, f: impl FnOnce(&Symbols<'_>) -> R) -> R {
        let addr2line = |address: &Address| self.addr2line(address);
        f(&self.symbols(&addr2line))
    }

    /// Returns a caller's frame as one line of text.
    pub(super) fn describe(&self, frame: &Frame) -> String {
        self.with_symbols(|symbols| symbols.describe(frame, true))
    }

    /// Returns the symbols of the modules: ours, and those of a kernel that was built here and has its debug information.
    fn symbols<'a>(&self, addr2line: &'a Addr2Line<'_>) -> Symbols<'a> {
        let built = match self.toolchain.kernel.flavour {
            Flavour::Stock => HashMap::new(),
            // Names without lines are better than no report.
            Flavour::Debug => Stock::index(&self.toolchain.kernel.modules_dir).map(Stock::files).unwrap_or_default(),
        };
        Symbols::new(built.into_iter().chain(self.ours.clone()).collect(), addr2line)
    }

    /// Runs the root's `addr2line` to get a file and line.
    fn addr2line(&self, address: &Address) -> Option<String> {
        let directory = address.file.parent()?;
        let name = address.file.file_name()?.to_string_lossy();
        let binds = Binds::none().read(directory, MODULE_DIR);
        let mut command = self.toolchain.command("addr2line", &binds);
        command.args(["-e", &format!("{MODULE_DIR}/{name}"), "-j", &address.section]);
        output(command.arg(format!("{:#x}", address.address))).ok()
    }
}
