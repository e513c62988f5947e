// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The start of every command that needs a toolchain: does only the missing steps.

use std::path::PathBuf;
use std::process::Command;

use crate::apt::Apt;
use crate::debug_kernel::Variant;
use crate::kernels::{self, Kernel};
use crate::root::{self, Binds};
use crate::{debug_kernel, metadata};
use drydock_base::cache::{CacheLayout, Lock, room};
use drydock_base::error::Result;
use drydock_base::events::Events;
use drydock_base::repo;

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

/// Prepares everything that is missing.
pub fn ensure(events: &Events) -> Result<Toolchain> {
    prepare(None, false, events)
}

/// Prepares what is missing for the kernel `name` (a release, a series, `stock`, `debug` or `kcsan`), for this run
/// only.
pub fn ensure_kernel(name: Option<&str>, events: &Events) -> Result<Toolchain> {
    prepare(name, false, events)
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

/// Prepares what is missing for the kernel `name`, as [`ensure_kernel`] does. With `update`, also fetches newer packages
/// and kernels if nothing is missing.
pub fn prepare(name: Option<&str>, update: bool, events: &Events) -> Result<Toolchain> {
    name.map_or(Ok(()), debug_kernel::check_name)?;
    if let Some(variant) = name.and_then(debug_kernel::named) {
        let stock = prepare_stock(None, update, events)?;
        return with_debug_kernel(stock, variant, events);
    }
    // The stock kernel in use has no other name.
    prepare_stock(name.filter(|name| *name != kernels::STOCK), update, events)
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
                Apt::updated(&cache, events)
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

/// Prepares the stock kernel of the release or series `wanted`, or the one in use.
fn prepare_stock(wanted: Option<&str>, update: bool, events: &Events) -> Result<Toolchain> {
    let cache = CacheLayout::of_user()?;
    let repo = repo::root()?;
    let lock = Lock::shared(&cache, events)?;
    if !update && root::is_made(&cache) {
        if let Some(kernel) = metadata::prepared(&cache, wanted)? {
            return Ok(Toolchain { root: cache.root(), kernel, cache, repo, _lock: lock });
        }
    }
    drop(lock);
    let lock = Lock::exclusive(&cache, events)?;
    let kernel = make_missing(&cache, wanted, update, events)?;
    lock.downgrade()?;
    Ok(Toolchain { root: cache.root(), kernel, cache, repo, _lock: lock })
}

fn make_missing(cache: &CacheLayout, wanted: Option<&str>, update: bool, events: &Events) -> Result<Kernel> {
    root::check_namespaces()?;
    // Another run may have done it while we waited for the lock.
    if !update && root::is_made(cache) {
        if let Some(kernel) = metadata::prepared(cache, wanted)? {
            return Ok(kernel);
        }
    }
    let needed = if root::is_made(cache) { room::KERNEL } else { room::WHOLE };
    room::ensure(cache.base(), &needed)?;
    let make = || {
        let apt = Apt::updated(cache, events)?;
        root::ensure(cache, &apt, update, events)?;
        metadata::ensure(cache, &apt, wanted, events)
    };
    make().map_err(|error| room::explain(error, cache.base()))
}
