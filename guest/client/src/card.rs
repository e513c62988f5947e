// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! An open device node, found by the name of its driver.
//!
//! Source: the example of `drm::Device`.

use std::fs::{File, OpenOptions};
use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use drm::Device;

/// An open primary node.
#[derive(Debug)]
pub(crate) struct Card(File);

impl AsFd for Card {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl Device for Card {}
impl drm::control::Device for Card {}

impl Card {
    /// Opens a node to read and write.
    pub(crate) fn open(path: &Path) -> anyhow::Result<Self> {
        let file = OpenOptions::new().read(true).write(true).open(path);
        Ok(Self(file.with_context(|| format!("failed to open `{}`", path.display()))?))
    }

    /// Whether the driver has this name.
    pub(crate) fn is_driven_by(&self, driver: &str) -> bool {
        self.get_driver().is_ok_and(|found| found.name() == driver)
    }

    /// Returns name, version and description of the driver, as the driver reports them.
    pub(crate) fn describe(&self) -> anyhow::Result<String> {
        let driver = self.get_driver().context("failed to ask for the driver")?;
        let (name, about) = (driver.name().to_string_lossy(), driver.description().to_string_lossy());
        let (major, minor, patch) = driver.version;
        Ok(format!("`{name}` {major}.{minor}.{patch} ({about})"))
    }
}

/// Returns the nodes of all cards.
fn nodes() -> Vec<PathBuf> {
    let mut nodes: Vec<PathBuf> = match std::fs::read_dir("/dev/dri") {
        Ok(entries) => entries.flatten().map(|entry| entry.path()).filter(|path| is_card(path)).collect(),
        Err(_) => Vec::new(),
    };
    nodes.sort();
    nodes
}

/// Returns the first card with a connector.
pub(crate) fn find_display() -> anyhow::Result<PathBuf> {
    let nodes = nodes();
    for node in &nodes {
        let resources = drm::control::Device::resource_handles(&Card::open(node)?);
        if resources.is_ok_and(|resources| !resources.connectors().is_empty()) {
            return Ok(node.clone());
        }
    }
    bail!("no device with a connector among the {} in `/dev/dri`", nodes.len())
}

/// Returns the first card whose driver has one of these names.
pub(crate) fn find(drivers: &[&str]) -> anyhow::Result<PathBuf> {
    let nodes = nodes();
    for node in &nodes {
        let card = Card::open(node)?;
        if drivers.iter().any(|driver| card.is_driven_by(driver)) {
            return Ok(node.clone());
        }
    }
    bail!("no device of driver `{}` among the {} in `/dev/dri`", drivers.join("` or `"), nodes.len())
}

fn is_card(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str());
    name.is_some_and(|name| name.starts_with("card"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn render_nodes_are_not_cards() {
        assert!(is_card(Path::new("/dev/dri/card0")));
        assert!(!is_card(Path::new("/dev/dri/renderD128")));
        assert!(!is_card(Path::new("/dev/dri")));
    }

    #[test]
    fn a_driver_that_nobody_has_is_not_found() {
        let error = find(&["no-such-driver"]).unwrap_err().to_string();
        assert!(error.starts_with("no device of driver `no-such-driver`"), "{error}");
    }
}
