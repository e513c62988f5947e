// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! A row of a table: an operation of a client, with its preparation and its undoing.
//!
//! Source: none.

use std::fs;
use std::os::fd::{AsFd, AsRawFd};
use std::path::PathBuf;

use rustix::io::Errno;
use sys::Answer;

use crate::harness::check::{Outcome, fail};
use crate::subjects::device::DrmFile;
use crate::sweeps::calls::Stood;
use crate::works;

/// The kernel functions within which calls are made to fail.
pub(crate) const IOCTL: &str = "__x64_sys_ioctl";
pub(crate) const MMAP: &str = "__x64_sys_mmap";
pub(crate) const OPEN: &str = "drm_open";
pub(crate) const TELL: &str = "seq_read";
pub(crate) const EVENT: &str = "drm_read";
pub(crate) const FAULT: &str = "handle_mm_fault";

/// A tree of numbers first tries to allocate a node without waiting, and then takes one that was made ahead
/// (`idr_preload`).
pub(crate) const NUMBERS: Stood = ("kmem_cache_alloc_noprof", 1);
/// An xarray first tries to allocate nodes without waiting, and then again with waiting (`xas_nomem`).
pub(crate) const NODES: Stood = ("kmem_cache_alloc_lru_noprof", 4);
/// A `KVVec` that fails to get memory tries again, from vmalloc if it is large (`kvrealloc`). Rust's allocations are
/// calls of this function.
pub(crate) const ARRAY: Stood = ("__kmalloc_node_track_caller_noprof", 1);

/// Errors of an operation on an object with memory: `shmem_get_inode` reports every lack as lack of room.
pub(crate) const OF_MEMORY: &[Errno] = &[Errno::NOMEM, Errno::NOSPC];

/// An open file of a driver under test.
pub(crate) trait Client: Sized + 'static {
    /// Returns the file by which the DRM core's ioctls are made.
    fn file(&self) -> &DrmFile;

    /// Wraps another file in the same type.
    fn like(&self, file: DrmFile) -> Self;

    /// Creates an object and returns its handle.
    fn object(&self) -> Answer<u32>;

    /// Makes typical use of the device, undoes it, and returns the numbers that it got.
    fn works(&self) -> Outcome<String>;

    /// Returns the state of the file: its memory statistics, and the numbers that are free.
    fn state(&self) -> Outcome<String> {
        let numbers = self.works()?;
        let told = self.file().fdinfo()?;
        let memory: Vec<_> = told.lines().filter(|line| line.starts_with("drm-") && line.contains("-memory")).collect();
        Ok(format!("{numbers}; {}", memory.join("; ")))
    }

    /// Returns the node that the file was opened on.
    fn node(&self) -> Outcome<PathBuf> {
        Ok(fs::read_link(format!("/proc/self/fd/{}", self.file().as_fd().as_raw_fd()))?)
    }

    /// Returns the device's render node.
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

    /// Opens the same node again.
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

/// Makes a call, with or without a failure in it. Returns whether the call was executed, or `None` if that cannot be
/// known.
pub(crate) type Attempt<'a> = &'a mut dyn FnMut(&mut dyn FnMut() -> Answer) -> Outcome<Option<bool>>;

/// A row of a table.
pub(crate) struct Operation<F> {
    pub(crate) name: &'static str,
    /// The kernel function that executes the operation, within which calls are made to fail.
    pub(crate) within: &'static str,
    /// The errors that the operation may return when memory is short, in C's various forms.
    pub(crate) wants: &'static [Errno],
    /// The failures that the operation absorbs.
    pub(crate) stands: &'static [Stood],
    step: Box<Step<F>>,
}

type Step<F> = dyn Fn(&F, Attempt<'_>) -> Outcome;

impl<F: Client> Operation<F> {
    /// Describes an ioctl. `after` checks whether it was executed completely or not at all, and undoes it together with
    /// `before`.
    pub(crate) fn new<T: 'static>(
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

    /// Describes an operation without an effect to check.
    pub(crate) fn alone(name: &'static str, run: impl Fn(&F) -> Answer + 'static) -> Self {
        Self::new(name, |_| Ok(()), move |file, ()| run(file), |_, (), _| Ok(()))
    }

    /// Describes an operation that is always refused with the same error, whatever fails in it.
    pub(crate) fn refused(name: &'static str, errno: Errno, run: impl Fn(&F) -> Answer + 'static) -> Self {
        Self::alone(name, move |file: &F| match run(file) {
            Err(answer) if answer == errno => Ok(()),
            // No row expects this error: a call that succeeds needs a row of its own.
            Ok(()) => Err(Errno::EXIST),
            Err(other) => Err(other),
        })
    }

    /// Describes an operation that leaves its object unchanged.
    pub(crate) fn on_object(name: &'static str, run: impl Fn(&F, u32) -> Answer + 'static) -> Self {
        let before = |file: &F| Ok(works!(file.object()));
        Self::new(name, before, move |file, handle| run(file, *handle), |file, handle, _| close(file, handle))
    }

    /// Sets the kernel function of a call that is not an ioctl.
    pub(crate) fn within(self, function: &'static str) -> Self {
        Self { within: function, ..self }
    }

    /// Sets other errors that the operation may return.
    pub(crate) fn wants(self, errnos: &'static [Errno]) -> Self {
        Self { wants: errnos, ..self }
    }

    /// Sets the failures that the operation absorbs.
    pub(crate) fn stands(self, functions: &'static [Stood]) -> Self {
        Self { stands: functions, ..self }
    }

    /// Runs the operation, from `before` to `after`.
    pub(crate) fn step(&self, file: &F, attempt: Attempt<'_>) -> Outcome {
        (self.step)(file, attempt)
    }
}

/// Closes a handle.
pub(crate) fn close<F: Client>(file: &F, handle: u32) -> Outcome {
    works!(file.file().gem_close(handle));
    Ok(())
}
