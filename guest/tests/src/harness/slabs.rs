// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Counts the objects in use in each slab cache.
//!
//! Source: slabinfo(5); mm/damon/stat.c; `shrink_store`, `get_slabinfo` in mm/slub.c; `vmap_node_shrink_scan` in
//! mm/vmalloc.c (Linux 7.3).

use std::collections::BTreeMap;
use std::fs;
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::OFlags;
use rustix::io::Errno;

use crate::harness::check::{Outcome, fail, name};
use crate::harness::failnth;
use crate::works;

/// The switch of the kernel's statistics about accesses to all memory.
const DAMON: &str = "/sys/module/damon_stat/parameters/enabled";

/// Writing `2` makes the shrinkers free objects. What matters here are the freed areas that vmalloc() keeps.
const DROP: &str = "/proc/sys/vm/drop_caches";

/// Caches of looked-up names, mostly of /proc and sysfs, which the kernel keeps until it needs memory.
const NAMES: [&str; 4] = ["dentry", "inode_cache", "lsm_inode_cache", "proc_inode_cache"];

/// Counts by the cache's name.
pub(crate) type Counts = BTreeMap<String, u64>;

/// Reads the counts that the kernel reports.
#[derive(Debug)]
pub(crate) struct Slabs {
    /// A file for each cache; writing to it makes the cache free its unused memory. The files stay open, since opening
    /// one allocates an object.
    shrink: Vec<OwnedFd>,
}

impl Slabs {
    /// Finds the caches, and turns off DAMON, which gathers statistics on its own and so disturbs the counts.
    pub(crate) fn new() -> Outcome<Self> {
        match sys::write(DAMON, "N") {
            Ok(()) | Err(Errno::NOENT) => {}
            Err(errno) => return fail(format!("`{DAMON}` cannot be written: {}", name(errno))),
        }
        let mut shrink = Vec::new();
        for cache in fs::read_dir("/sys/kernel/slab")?.flatten() {
            // Aliases of a cache are links.
            if cache.file_type()?.is_dir() {
                shrink.push(works!(sys::open(cache.path().join("shrink"), OFlags::WRONLY)));
            }
        }
        Ok(Self { shrink })
    }

    /// Counts the objects exactly. Free objects that a processor keeps for its next allocation count as used until they
    /// are given back. So do objects that wait for a grace period, some of which processors keep too. Needs the module
    /// `failnth`.
    pub(crate) fn in_use(&self) -> Outcome<Counts> {
        self.shrink()?;
        failnth::settle()?;
        works!(sys::write(DROP, "2"));
        self.shrink()?;
        Ok(counts(&fs::read_to_string("/proc/slabinfo")?))
    }

    fn shrink(&self) -> Outcome {
        for cache in &self.shrink {
            works!(rustix::io::pwrite(cache, b"1", 0));
        }
        Ok(())
    }
}

/// Returns the caches that have grown, and by how many objects.
pub(crate) fn grown(before: &Counts, after: &Counts) -> Counts {
    let growth = |(cache, count): (&String, &u64)| {
        let growth = count.checked_sub(*before.get(cache).unwrap_or(&0)).filter(|growth| *growth > 0);
        growth.map(|growth| (cache.clone(), growth))
    };
    after.iter().filter_map(growth).collect()
}

/// Skips two lines of heading; every other line begins with a cache's name and its objects in use.
fn counts(slabinfo: &str) -> Counts {
    let count = |line: &str| {
        let mut words = line.split_whitespace();
        Some((words.next()?.to_owned(), words.next()?.parse().ok()?))
    };
    let is_name = |(cache, _): &(String, u64)| NAMES.contains(&cache.as_str());
    slabinfo.lines().skip(2).filter_map(count).filter(|count| !is_name(count)).collect()
}

/// Whether the kernel finds leaked memory (kmemleak of the debug kernel). Such a kernel also delays the reuse of freed
/// memory.
pub(crate) fn finds_leaks() -> bool {
    Path::new("/sys/kernel/debug/kmemleak").exists()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_number_is_that_of_objects_in_use() {
        let text = "slabinfo - version: 2.1\n# name <active_objs>\nfilp  12 32 256 16 1 : tunables 0 0 0\ndentry 9 9\n";
        assert_eq!(counts(text), Counts::from([("filp".to_owned(), 12)]));
    }

    #[test]
    fn only_what_has_become_more_is_told() {
        let of = |counts: &[(&str, u64)]| counts.iter().map(|(cache, count)| ((*cache).to_owned(), *count)).collect();
        let (before, after): (Counts, Counts) = (of(&[("a", 3), ("b", 5)]), of(&[("a", 7), ("b", 4), ("c", 1)]));
        assert_eq!(grown(&before, &after), of(&[("a", 4), ("c", 1)]));
    }
}
