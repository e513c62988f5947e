// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! A row of a table: an operation of a client, with what has to be there before and what is undone after it.
//!
//! Source: none.

use std::fs;
use std::os::fd::{AsFd, AsRawFd};
use std::path::PathBuf;

use rustix::io::Errno;

use crate::check::{Outcome, fail};
use crate::device::DrmFile;
use crate::sweep::Stood;
use crate::sys::Answer;
use crate::works;

/// Where failures are made: within these functions of the kernel.
pub(super) const IOCTL: &str = "__x64_sys_ioctl";
pub(super) const MMAP: &str = "__x64_sys_mmap";
pub(super) const OPEN: &str = "drm_open";
pub(super) const TELL: &str = "seq_read";
pub(super) const EVENT: &str = "drm_read";
pub(super) const FAULT: &str = "handle_mm_fault";

/// A node of a tree of numbers is asked for without waiting, and then taken from those that were made ahead (`idr_preload`).
pub(super) const NUMBERS: Stood = ("kmem_cache_alloc_noprof", 1);
/// Nodes of an array of anything are asked for without waiting, and then again (`xas_nomem`).
pub(super) const NODES: Stood = ("kmem_cache_alloc_lru_noprof", 4);
/// An array that need not lie together (`KVVec`) is asked for again, of vmalloc if it is large (`kvrealloc`); what Rust allocates
/// is a call of this.
pub(super) const ARRAY: Stood = ("__kmalloc_node_track_caller_noprof", 1);

/// All that an object that has memory may answer: `shmem_get_inode` knows no other want than that of room.
pub(super) const OF_MEMORY: &[Errno] = &[Errno::NOMEM, Errno::NOSPC];

/// An open file of a driver under test.
pub(super) trait Client: Sized + 'static {
    /// As the DRM core knows it.
    fn file(&self) -> &DrmFile;

    /// The same of another file.
    fn like(&self, file: DrmFile) -> Self;

    /// A handle of a new object.
    fn object(&self) -> Answer<u32>;

    /// Does a little of what the device is for, undoes it, and says which numbers it was given.
    fn works(&self) -> Outcome<String>;

    /// All that the file has: what it tells of its memory, and the numbers that are free.
    fn state(&self) -> Outcome<String> {
        let numbers = self.works()?;
        let told = self.file().fdinfo()?;
        let memory: Vec<_> = told.lines().filter(|line| line.starts_with("drm-") && line.contains("-memory")).collect();
        Ok(format!("{numbers}; {}", memory.join("; ")))
    }

    /// The node that it is a file of.
    fn node(&self) -> Outcome<PathBuf> {
        Ok(fs::read_link(format!("/proc/self/fd/{}", self.file().as_fd().as_raw_fd()))?)
    }

    /// The device's render node.
    fn render_node(&self) -> Outcome<PathBuf> {
        let node = self.node()?;
        let name = node.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let nodes = fs::read_dir(format!("/sys/class/drm/{name}/device/drm"))?.flatten();
        let render = nodes.map(|entry| entry.file_name()).find(|name| name.to_string_lossy().starts_with("renderD"));
        match render {
            Some(render) => Ok(node.with_file_name(render)),
            None => fail("the device has no render node"),
        }
    }

    /// Another file of the same node.
    fn another(&self) -> Outcome<Self> {
        Ok(self.like(works!(DrmFile::open(self.node()?))))
    }
}

impl Client for DrmFile {
    fn file(&self) -> &DrmFile {
        self
    }

    fn like(&self, file: DrmFile) -> Self {
        file
    }

    fn object(&self) -> Answer<u32> {
        self.pages(1)
    }

    fn works(&self) -> Outcome<String> {
        let handle = works!(self.pages(1));
        works!(self.map_offset(handle));
        works!(self.gem_close(handle));
        Ok(format!("object {handle}"))
    }
}

/// Makes a call, with or without a failure in it. Says whether it was carried out; nothing if that cannot be known.
pub(super) type Attempt<'a> = &'a mut dyn FnMut(&mut dyn FnMut() -> Answer) -> Outcome<Option<bool>>;

/// A row.
pub(super) struct Operation<F> {
    pub(super) name: &'static str,
    /// The function of the kernel that it is, beneath which failures are made.
    pub(super) within: &'static str,
    /// What it answers for want of memory, and what else C makes of that.
    pub(super) wants: &'static [Errno],
    /// What it is carried out without.
    pub(super) stands: &'static [Stood],
    step: Box<Step<F>>,
}

type Step<F> = dyn Fn(&F, Attempt<'_>) -> Outcome;

impl<F: Client> Operation<F> {
    /// An ioctl. `after` looks if it was done, or not at all, and undoes it together with `before`.
    pub(super) fn new<T: 'static>(
        name: &'static str,
        before: impl Fn(&F) -> Outcome<T> + 'static,
        run: impl Fn(&F, &mut T) -> Answer + 'static,
        after: impl Fn(&F, T, bool) -> Outcome + 'static,
    ) -> Self {
        let step = move |file: &F, attempt: Attempt<'_>| {
            let mut things = before(file)?;
            match attempt(&mut || run(file, &mut things))? {
                Some(done) => after(file, things, done),
                None => Ok(()),
            }
        };
        Self { name, within: IOCTL, wants: &[Errno::NOMEM], stands: &[], step: Box::new(step) }
    }

    /// One that leaves nothing to look at.
    pub(super) fn alone(name: &'static str, run: impl Fn(&F) -> Answer + 'static) -> Self {
        Self::new(name, |_| Ok(()), move |file, ()| run(file), |_, (), _| Ok(()))
    }

    /// One that is always refused in the same way, whatever happens to it.
    pub(super) fn refused(name: &'static str, errno: Errno, run: impl Fn(&F) -> Answer + 'static) -> Self {
        Self::alone(name, move |file: &F| match run(file) {
            Err(answer) if answer == errno => Ok(()),
            // No row wants this: it is a call that has to have a row of its own.
            Ok(()) => Err(Errno::EXIST),
            Err(other) => Err(other),
        })
    }

    /// One on an object, which it leaves as it was.
    pub(super) fn on_object(name: &'static str, run: impl Fn(&F, u32) -> Answer + 'static) -> Self {
        let before = |file: &F| Ok(works!(file.object()));
        Self::new(name, before, move |file, handle| run(file, *handle), |file, handle, _| close(file, handle))
    }

    /// Another call than an ioctl.
    pub(super) fn within(self, function: &'static str) -> Self {
        Self { within: function, ..self }
    }

    /// Answered with other errors.
    pub(super) fn wants(self, errnos: &'static [Errno]) -> Self {
        Self { wants: errnos, ..self }
    }

    /// Carried out without some of its memory.
    pub(super) fn stands(self, functions: &'static [Stood]) -> Self {
        Self { stands: functions, ..self }
    }

    /// Carries it out, from `before` to `after`.
    pub(super) fn step(&self, file: &F, attempt: Attempt<'_>) -> Outcome {
        (self.step)(file, attempt)
    }
}

/// Closes a handle.
pub(super) fn close<F: Client>(file: &F, handle: u32) -> Outcome {
    works!(file.file().gem_close(handle));
    Ok(())
}
