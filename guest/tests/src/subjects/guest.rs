// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Gives a case its driver under test and the ways to its device.
//!
//! Source: none beyond the files it ties together.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use sys::pace;

use crate::harness::check::{Outcome, fail, lacks};
use crate::harness::modules::Modules;
use crate::subjects::device::DrmFile;
use crate::subjects::differences;
use crate::subjects::driver::{Driver, Nodes, module_users};

/// The guest as a case sees it.
#[derive(Clone, Debug)]
pub(crate) struct Guest {
    /// The driver under test.
    pub(crate) driver: Driver,
    /// The seed of a case's random choices.
    pub(crate) seed: u64,
    /// The module files, if the command line named them.
    pub(crate) modules: Option<Modules>,
    /// Factor on every time limit.
    pub(crate) patience: u32,
    /// The full name of the case.
    pub(crate) case: &'static str,
}

impl Guest {
    /// Returns the nodes of the device.
    pub(crate) fn nodes(&self) -> Outcome<Nodes> {
        match self.driver.find() {
            Some(nodes) => Ok(nodes),
            None => fail(format!("no DRM node belongs to driver `{}`", self.driver.name())),
        }
    }

    /// Opens the primary node.
    pub(crate) fn open(&self) -> Outcome<DrmFile> {
        self.open_node(self.nodes()?.primary)
    }

    /// Opens the render node.
    pub(crate) fn open_render(&self) -> Outcome<DrmFile> {
        self.open_node(self.nodes()?.render)
    }

    fn open_node(&self, node: PathBuf) -> Outcome<DrmFile> {
        match DrmFile::open(&node) {
            Ok(file) => Ok(file),
            Err(errno) => fail(format!("`{}` cannot be opened: {errno}", node.display())),
        }
    }

    /// Returns the module files, for cases that load and unload the module.
    pub(crate) fn modules(&self) -> Outcome<&Modules> {
        match &self.modules {
            Some(modules) => Ok(modules),
            None => lacks("the module's files were not named (`--modules`)"),
        }
    }

    /// Returns this driver's word in the table of differences.
    pub(crate) fn expected(&self) -> &'static str {
        differences::expected(self.case, self.driver).expect("the case has a row in the table")
    }

    /// Binds the device again if an earlier case unbound it; the cases of other drivers than vgem do so themselves.
    pub(crate) fn restore(&self) -> Outcome {
        if self.driver.subject() != Driver::Rust || self.driver.find().is_some() {
            return Ok(());
        }
        if let Some(modules) = &self.modules {
            if let Err(errno) = modules.load() {
                return fail(format!("the modules cannot be loaded: {errno}"));
            }
        }
        if self.driver.find().is_none() && self.driver.can_unbind() {
            // The error says less than the missing node that the next line reports.
            let _ = self.driver.bind();
        }
        self.nodes().map(drop)
    }

    /// Returns how many users the driver's module has. The case is skipped if the driver is built in.
    pub(crate) fn users(&self) -> Outcome<u32> {
        match module_users(self.driver.module())? {
            Some(users) => Ok(users),
            None => lacks(format!("module `{}` is not loaded", self.driver.module())),
        }
    }

    /// Starts another process of this program that runs a part of a case, with a pipe as its stdin.
    pub(crate) fn worker(&self, part: &str, seed: u64) -> std::io::Result<std::process::Child> {
        Command::new("/proc/self/exe")
            .args(["--driver", self.driver.name(), "--seed", &seed.to_string()])
            .args(["--patience", &pace::patience().to_string(), "--worker", part])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
    }
}
