// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The parameters of one boot, which a command or a suite chooses.

use std::path::PathBuf;
use std::sync::Arc;

use crate::debugger::Session;
use crate::gpu::Wanted;
use crate::image;
use crate::qemu::Accel;
use drydock_base::error::Result;
use drydock_toolchain::module_tree::ModuleTree;

/// A directory of the host that a client sees.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Share {
    /// The directory on the host.
    pub host: PathBuf,
    /// Its absolute path in the client's root.
    pub at: String,
    /// Whether clients may write to it.
    pub writable: bool,
}

/// The file system that a client sees below what it writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientRoot {
    /// The guest's own small one, which is also the agent's.
    Guest,
    /// The host's, which clients cannot change.
    Host,
    /// An image of erofs.
    Image(PathBuf),
}

/// The parameters of a boot.
#[derive(Clone, Debug)]
pub struct Boot {
    /// The number of processors.
    pub cpus: u32,
    /// Memory in MiB.
    pub memory: u32,
    /// Count instructions instead of time.
    pub counting: bool,
    /// The system will sleep. That requires slower choices: a packed kernel started in real mode, as firmware does,
    /// because another one cannot resume, and an agent on a serial line.
    pub sleeps: bool,
    /// Show the kernel's log on stderr as it comes.
    pub show_log: bool,
    /// Further devices, each the value of one `-device`.
    pub devices: Vec<String>,
    /// An emulated GPU.
    pub gpu: Option<Wanted>,
    /// Further words of the kernel's command line.
    pub words: Vec<String>,
    /// Additional programs: their paths in the guest, and their files.
    pub programs: Vec<(String, PathBuf)>,
    /// The scenario runs a user's program, which may leave processes behind that hold the driver. They are reported and
    /// killed. For our own programs that is a failure.
    pub may_leave_holders: bool,
    /// The file system of the client.
    pub root: ClientRoot,
    /// Directories of the host that the client sees.
    pub shares: Vec<Share>,
    /// The modules that a program in the client's root can find and load.
    pub module_tree: Option<ModuleTree>,
    /// A debugger for the guest's kernel.
    pub debugger: Option<Arc<Session>>,
}

impl Default for Boot {
    fn default() -> Self {
        Self {
            cpus: 2,
            memory: 1024,
            counting: false,
            sleeps: false,
            show_log: false,
            devices: Vec::new(),
            gpu: None,
            words: Vec::new(),
            programs: Vec::new(),
            may_leave_holders: false,
            root: ClientRoot::Guest,
            shares: Vec::new(),
            module_tree: None,
            debugger: None,
        }
    }
}

impl Boot {
    /// Returns how its instructions are executed, on a host where `usual` is the best way.
    pub(super) fn accel(&self, usual: Accel) -> Accel {
        if self.counting { Accel::Counting } else { usual }
    }

    /// Makes the archives that only this boot has.
    pub(super) fn archives(&self) -> Result<Vec<u8>> {
        let firmware = self.gpu.as_ref().and_then(|gpu| gpu.firmware.as_ref());
        let mut archives = firmware.map(image::firmware).transpose()?.unwrap_or_default();
        if !self.programs.is_empty() {
            archives.extend(image::programs(&self.programs)?);
        }
        Ok(archives)
    }
}
