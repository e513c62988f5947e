// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! `drydock setup`, and the start of every command that needs a toolchain: does only the missing steps.

use std::path::{Path, PathBuf};
use std::process::Command;

use clap::Args;
use serde::Serialize;

use crate::apt::Apt;
use crate::cache::{CacheLayout, Lock, room};
use crate::debug_kernel::Variant;
use crate::error::Result;
use crate::events::Events;
use crate::kernels::{self, Kernel};
use crate::root::{self, Binds};
use crate::{debug_kernel, exit, metadata, repo};

/// Prepare everything the other commands need, and nothing else
#[derive(Debug, Args)]
pub struct Options {
    /// Prepare this kernel, by its release or series, and use it from now on; `debug` or `kcsan` builds a debug kernel
    #[arg(long, value_name = "NAME")]
    kernel: Option<String>,
    /// Fetch newer packages and kernels from the mirror, even if nothing is missing
    #[arg(long)]
    update: bool,
}

/// Everything that builds modules and boots kernels.
#[derive(Clone)]
pub struct Toolchain {
    /// The toolchain root.
    pub root: PathBuf,
    /// The kernel in use.
    pub kernel: Kernel,
    /// The paths of everything else.
    pub cache: CacheLayout,
    /// The checkout to work on; `/src` inside the root.
    pub repo: PathBuf,
    /// Keeps other runs from changing the cache while this value lives.
    _lock: Lock,
}

impl Toolchain {
    /// Returns a command that runs `program` inside the root. It sees the checkout at `/src` and the kernel at
    /// `/kernel`, both read-only, and the directories in `binds`. Its environment holds only the defaults, and it dies
    /// with us.
    pub fn command(&self, program: &str, binds: &Binds) -> Command {
        let usual = Binds::none().read(&self.repo, "/src").read(self.cache.kernel(&self.kernel.release), "/kernel");
        root::command(&self.root, program, &usual.and(binds))
    }

    /// Returns the directory for results built from this checkout.
    pub fn work(&self) -> PathBuf {
        self.cache.work(&self.repo)
    }
}

/// The result of `setup`, for the user.
#[derive(Debug, Serialize)]
struct Prepared<'a> {
    root: &'a Path,
    kernel: &'a str,
    tree: &'a Path,
    seconds: f64,
}

/// Prepares everything that is missing.
pub fn ensure(events: &Events) -> Result<Toolchain> {
    prepare(&Options { kernel: None, update: false }, events)
}

/// Prepares what is missing for the kernel `name` (a release, a series, `stock`, `debug` or `kcsan`), for this run
/// only.
pub fn ensure_kernel(name: Option<&str>, events: &Events) -> Result<Toolchain> {
    prepare(&Options { kernel: name.map(str::to_owned), update: false }, events)
}

/// Returns whether the debug kernel `variant` is built, so that [`ensure_kernel`] need not build it.
pub fn has_debug_kernel(variant: &'static Variant) -> Result<bool> {
    let cache = CacheLayout::of_user()?;
    if !root::is_made(&cache) {
        return Ok(false);
    }
    let stock = metadata::prepared(&cache, None)?;
    Ok(stock.map(|stock| debug_kernel::prepared(&cache, variant, &stock)).transpose()?.flatten().is_some())
}

fn prepare(options: &Options, events: &Events) -> Result<Toolchain> {
    options.kernel.as_deref().map_or(Ok(()), debug_kernel::check_name)?;
    if let Some(variant) = options.kernel.as_deref().and_then(debug_kernel::named) {
        let stock = prepare_stock(&Options { kernel: None, update: options.update }, events)?;
        return with_debug_kernel(stock, variant, events);
    }
    prepare_stock(options, events)
}

/// Returns the toolchain with the debug kernel in place of the stock kernel that it is derived from.
fn with_debug_kernel(toolchain: Toolchain, variant: &'static Variant, events: &Events) -> Result<Toolchain> {
    let Toolchain { root, kernel: stock, cache, repo, _lock: mut lock } = toolchain;
    let kernel = match debug_kernel::prepared(&cache, variant, &stock)? {
        Some(kernel) => kernel,
        None => {
            if debug_kernel::needs_fetch(&cache, variant, &stock)? {
                drop(lock);
                lock = Lock::exclusive(&cache, events)?;
                room::ensure(cache.base(), &room::DEBUG_KERNEL)?;
                updated_apt(&cache, events)
                    .and_then(|apt| debug_kernel::fetch(&cache, &apt, variant, &stock, events))
                    .map_err(|error| room::explain(error, cache.base()))?;
                lock.downgrade()?;
            }
            // The build is long and has its own directory, so other runs may use the cache meanwhile.
            debug_kernel::build(&cache, variant, &stock, events).map_err(|error| room::explain(error, cache.base()))?
        }
    };
    Ok(Toolchain { root, kernel, cache, repo, _lock: lock })
}

/// Returns the private apt after updating its lists from the mirror.
fn updated_apt(cache: &CacheLayout, events: &Events) -> Result<Apt> {
    let apt = Apt::new(cache)?;
    let step = events.step("fetching the mirror's package lists");
    apt.update(&step)?;
    step.done_with(apt.mirror());
    Ok(apt)
}

/// Returns the requested release or series, or `None` for the kernel in use.
fn wanted(options: &Options) -> Option<&str> {
    options.kernel.as_deref().filter(|name| *name != kernels::STOCK)
}

fn prepare_stock(options: &Options, events: &Events) -> Result<Toolchain> {
    let cache = CacheLayout::of_user()?;
    let repo = repo::root()?;
    let lock = Lock::shared(&cache, events)?;
    let wanted = wanted(options);
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
    let wanted = wanted(options);
    root::check_namespaces()?;
    // Another run may have done it while we waited for the lock.
    if !options.update && root::is_made(cache) {
        if let Some(kernel) = metadata::prepared(cache, wanted)? {
            return Ok(kernel);
        }
    }
    let needed = if root::is_made(cache) { room::KERNEL } else { room::WHOLE };
    room::ensure(cache.base(), &needed)?;
    let make = || {
        let apt = updated_apt(cache, events)?;
        root::ensure(cache, &apt, options.update, events)?;
        metadata::ensure(cache, &apt, wanted, events)
    };
    make().map_err(|error| room::explain(error, cache.base()))
}

/// Runs `drydock setup`.
pub fn main(options: Options, events: &Events) -> Result<u8> {
    let started = std::time::Instant::now();
    let toolchain = prepare(&options, events)?;
    let kernel = &toolchain.kernel;
    let seconds = started.elapsed().as_secs_f64();
    let prepared = Prepared { root: &toolchain.root, kernel: &kernel.release, tree: &kernel.tree, seconds };
    events.result(&prepared, |_| format!("everything is prepared: kernel {}, {seconds:.1} s", kernel.release));
    Ok(exit::OK)
}
