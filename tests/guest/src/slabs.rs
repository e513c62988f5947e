// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! How many objects of each slab cache are in use.
//!
//! Source: slabinfo(5); mm/damon/stat.c; `shrink_store`, `get_slabinfo` in mm/slub.c; `vmap_node_shrink_scan` in mm/vmalloc.c
//! (Linux 7.3).

use std::collections::BTreeMap;
use std::fs;
use std::os::fd::OwnedFd;

use rustix::fs::OFlags;
use rustix::io::Errno;

use crate::check::{Outcome, fail, name};
use crate::failnth;
use crate::sys;
use crate::works;

/// Whether the kernel gathers statistics of accesses to all memory.
const DAMON: &str = "/sys/module/damon_stat/parameters/enabled";

/// A write of `2` has what can give objects back do so; of interest is what vmalloc() keeps of the places that were given back to it.
const DROP: &str = "/proc/sys/vm/drop_caches";

/// What is made of names that are looked up, in /proc and sysfs for the most part, and kept until memory is wanted.
const NAMES: [&str; 4] = ["dentry", "inode_cache", "lsm_inode_cache", "proc_inode_cache"];

/// Counts by the cache's name.
pub(crate) type Counts = BTreeMap<String, u64>;

/// Counts by what the kernel tells.
#[derive(Debug)]
pub(crate) struct Slabs {
    /// One for each cache; a write has it give back what is free. They stay open, since each that is opened is an object as well.
    shrink: Vec<OwnedFd>,
}

impl Slabs {
    /// The caches that there are, in a kernel that leaves them alone: one with DAMON gathers statistics of its own accord.
    pub(crate) fn new() -> Outcome<Self> {
        match sys::write(DAMON, "N") {
            Ok(()) | Err(Errno::NOENT) => {}
            Err(errno) => return fail(format!("`{DAMON}` cannot be written: {}", name(errno))),
        }
        let mut shrink = Vec::new();
        for cache in fs::read_dir("/sys/kernel/slab")?.flatten() {
            // Other names of a cache are links.
            if cache.file_type()?.is_dir() {
                shrink.push(works!(sys::open(cache.path().join("shrink"), OFlags::WRONLY)));
            }
        }
        Ok(Self { shrink })
    }

    /// Counts them, exactly: what processors keep for the next allocation counts as used until it is given back, and so does what
    /// waits for a grace period, some of which is kept by processors, too. The module `failnth` has to be loaded.
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

/// By how many there are more than before.
pub(crate) fn grown(before: &Counts, after: &Counts) -> Counts {
    let growth = |(cache, count): (&String, &u64)| {
        let growth = count.checked_sub(*before.get(cache).unwrap_or(&0)).filter(|growth| *growth > 0);
        growth.map(|growth| (cache.clone(), growth))
    };
    after.iter().filter_map(growth).collect()
}

/// Two lines of heading; then a cache's name and its objects in use begin a line.
fn counts(slabinfo: &str) -> Counts {
    let count = |line: &str| {
        let mut words = line.split_whitespace();
        Some((words.next()?.to_owned(), words.next()?.parse().ok()?))
    };
    let is_name = |(cache, _): &(String, u64)| NAMES.contains(&cache.as_str());
    slabinfo.lines().skip(2).filter_map(count).filter(|count| !is_name(count)).collect()
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
