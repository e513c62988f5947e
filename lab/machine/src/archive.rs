// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Writes the archive that the kernel unpacks as its initial file system.
//!
//! Equal inputs give equal bytes: the owner is always root, the time zero, and inode numbers count up. Several archives
//! may be written to one file. The kernel unpacks them in turn, and a later file replaces an earlier one of the same
//! name.
//!
//! Source: Documentation/driver-api/early-userspace/buffer-format.rst.

use std::{
    collections::BTreeSet,
    io::{self, Write},
};

use cpio::newc::{Builder, ModeFileType, trailer};

/// An archive under construction, written to `W`.
pub(crate) struct Archive<W: Write> {
    out: W,
    inode: u32,
    directories: BTreeSet<String>,
}

impl<W: Write> Archive<W> {
    /// Returns an empty archive.
    pub(crate) fn new(out: W) -> Self {
        Self { out, inode: 0, directories: BTreeSet::new() }
    }

    /// Adds a directory and its parents, each once. `path` is absolute in the guest.
    pub(crate) fn directory(&mut self, path: &str) -> io::Result<()> {
        let path = relative(path);
        for end in path.match_indices('/').map(|(at, _)| at).chain([path.len()]) {
            let part = &path[..end];
            if !part.is_empty() && self.directories.insert(part.to_owned()) {
                self.entry(part, ModeFileType::Directory, 0o755, &[])?;
            }
        }
        Ok(())
    }

    /// Adds a file and its parent directories.
    pub(crate) fn file(&mut self, path: &str, mode: u32, contents: &[u8]) -> io::Result<()> {
        self.parent(path)?;
        self.entry(relative(path), ModeFileType::Regular, mode, contents)
    }

    /// Adds a symbolic link and its parent directories.
    pub(crate) fn link(&mut self, path: &str, target: &str) -> io::Result<()> {
        self.parent(path)?;
        self.entry(relative(path), ModeFileType::Symlink, 0o777, target.as_bytes())
    }

    /// Adds a character device. The kernel opens `/dev/console` for the first process before anything is mounted.
    pub(crate) fn character_device(&mut self, path: &str, major: u32, minor: u32) -> io::Result<()> {
        self.parent(path)?;
        let header = self.header(relative(path), ModeFileType::Char, 0o600);
        header.rdev_major(major).rdev_minor(minor).write(&mut self.out, 0).finish().map(drop)
    }

    /// Ends the archive and returns the writer.
    pub(crate) fn finish(mut self) -> io::Result<W> {
        trailer(&mut self.out)?;
        Ok(self.out)
    }

    fn parent(&mut self, path: &str) -> io::Result<()> {
        path.rfind('/').map_or(Ok(()), |at| self.directory(&path[..at]))
    }

    fn entry(&mut self, path: &str, kind: ModeFileType, mode: u32, contents: &[u8]) -> io::Result<()> {
        let length = u32::try_from(contents.len())
            .map_err(|_| io::Error::other(format!("`{path}` is larger than an archive can hold")))?;
        let mut entry = self.header(path, kind, mode).write(&mut self.out, length);
        entry.write_all(contents)?;
        entry.finish().map(drop)
    }

    fn header(&mut self, path: &str, kind: ModeFileType, mode: u32) -> Builder {
        self.inode += 1;
        Builder::new(path).ino(self.inode).nlink(1).mode(mode).set_mode_file_type(kind)
    }
}

fn relative(path: &str) -> &str {
    path.trim_start_matches('/')
}

#[cfg(test)]
mod tests {
    use super::*;
    use cpio::newc::Reader;
    use std::io::Read;

    fn names_and_contents(bytes: &[u8]) -> Vec<(String, u32, Vec<u8>)> {
        let mut found = Vec::new();
        let mut rest = bytes;
        loop {
            let mut reader = Reader::new(rest).unwrap();
            if reader.entry().is_trailer() {
                return found;
            }
            let mut contents = Vec::new();
            reader.read_to_end(&mut contents).unwrap();
            found.push((reader.entry().name().to_owned(), reader.entry().mode(), contents));
            rest = reader.finish().unwrap();
        }
    }

    #[test]
    fn a_file_brings_its_directories_once_and_before_it() {
        let mut archive = Archive::new(Vec::new());
        archive.file("/usr/bin/a", 0o755, b"first").unwrap();
        archive.file("/usr/bin/b", 0o644, b"").unwrap();
        archive.link("/bin", "usr/bin").unwrap();
        let found = names_and_contents(&archive.finish().unwrap());
        let names: Vec<_> = found.iter().map(|(name, ..)| name.as_str()).collect();
        assert_eq!(names, ["usr", "usr/bin", "usr/bin/a", "usr/bin/b", "bin"]);
        assert_eq!(found[2].1, 0o100755);
        assert_eq!(found[2].2, b"first");
        assert_eq!(found[4].2, b"usr/bin");
    }

    #[test]
    fn equal_inputs_give_equal_bytes() {
        let make = || {
            let mut archive = Archive::new(Vec::new());
            archive.character_device("/dev/console", 5, 1).unwrap();
            archive.file("/init", 0o755, b"agent").unwrap();
            archive.finish().unwrap()
        };
        assert_eq!(make(), make());
    }
}
