// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! `drydock setup`, and what every command that needs a toolchain begins with: do what is missing, and only that.

use std::path::{Path, PathBuf};
use std::process::Command;

use clap::Args;
use serde::Serialize;

use crate::apt::Apt;
use crate::cache::{CacheLayout, Lock};
use crate::error::Result;
use crate::events::Events;
use crate::kernels::Kernel;
use crate::root::{self, Binds};
use crate::{exit, metadata, repo};

/// Options of `drydock setup`.
#[derive(Debug, Args)]
pub struct Options {
    /// Prepare this kernel, by its release or series, and use it from now on
    #[arg(long, value_name = "NAME")]
    kernel: Option<String>,
    /// Ask the mirror for newer packages and kernels, even if nothing is missing
    #[arg(long)]
    update: bool,
}

/// Everything prepared: what builds modules and boots kernels.
#[derive(Clone)]
pub struct Toolchain {
    /// The toolchain root.
    pub root: PathBuf,
    /// The kernel in use.
    pub kernel: Kernel,
    /// Where everything else lies.
    pub cache: CacheLayout,
    /// The checkout that is worked on; `/src` inside the root.
    pub repo: PathBuf,
    /// Nobody changes the cache while this value lives.
    _lock: Lock,
}

impl Toolchain {
    /// A command that runs `program` inside the root. It sees the checkout at `/src` and the kernel at `/kernel`, both
    /// read-only, and what `binds` adds; its environment is empty but for the usual; it dies with us.
    pub fn command(&self, program: &str, binds: &Binds) -> Command {
        let usual = Binds::none().read(&self.repo, "/src").read(self.cache.kernel(&self.kernel.release), "/kernel");
        root::command(&self.root, program, &usual.and(binds))
    }

    /// What is built from this checkout.
    pub fn work(&self) -> PathBuf {
        self.cache.work(&self.repo)
    }
}

/// What `setup` has made, for its reader.
#[derive(Debug, Serialize)]
struct Prepared<'a> {
    root: &'a Path,
    kernel: &'a str,
    tree: &'a Path,
    seconds: f64,
}

/// Prepares what is missing.
pub fn ensure(events: &Events) -> Result<Toolchain> {
    prepare(&Options { kernel: None, update: false }, events)
}

/// Prepares what is missing for the kernel that `name` (a release or a series) means, for this run only.
pub fn ensure_kernel(name: Option<&str>, events: &Events) -> Result<Toolchain> {
    prepare(&Options { kernel: name.map(str::to_owned), update: false }, events)
}

fn prepare(options: &Options, events: &Events) -> Result<Toolchain> {
    let cache = CacheLayout::of_user()?;
    let repo = repo::root()?;
    let lock = Lock::shared(&cache, events)?;
    let wanted = options.kernel.as_deref();
    if !options.update && root::is_made(&cache) {
        if let Some(kernel) = metadata::prepared(&cache, wanted)? {
            return Ok(Toolchain { root: cache.root(), kernel, cache, repo, _lock: lock });
        }
    }
    drop(lock);
    let lock = Lock::exclusive(&cache, events)?;
    let kernel = make_missing(&cache, options, events)?;
    lock.downgrade()?;
    Ok(Toolchain { root: cache.root(), kernel, cache, repo, _lock: lock })
}

fn make_missing(cache: &CacheLayout, options: &Options, events: &Events) -> Result<Kernel> {
    let wanted = options.kernel.as_deref();
    root::check_namespaces()?;
    // Another run may have done it while we waited for the lock.
    if !options.update && root::is_made(cache) {
        if let Some(kernel) = metadata::prepared(cache, wanted)? {
            return Ok(kernel);
        }
    }
    let apt = Apt::new(cache)?;
    let step = events.step("asking the mirror for its packages");
    apt.update(&step)?;
    step.done_with(apt.mirror());
    root::ensure(cache, &apt, options.update, events)?;
    metadata::ensure(cache, &apt, wanted, events)
}

/// Carries out `drydock setup`.
pub fn main(options: Options, events: &Events) -> Result<u8> {
    let started = std::time::Instant::now();
    let toolchain = prepare(&options, events)?;
    let kernel = &toolchain.kernel;
    let seconds = started.elapsed().as_secs_f64();
    let prepared = Prepared { root: &toolchain.root, kernel: &kernel.release, tree: &kernel.tree, seconds };
    events.result(&prepared, |_| format!("everything is prepared: kernel {}, {seconds:.1} s", kernel.release));
    Ok(exit::OK)
}
