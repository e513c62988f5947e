// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Reads, writes and lists files for the lab, mostly in sysfs and procfs.
//!
//! Source: Documentation/filesystems/sysfs.rst (an attribute takes one value in one write).

use std::{
    fs::{self, File},
    io::{self, Write},
};

use drydock_agent::protocol::{Failure, Reply};

/// Returns the contents of `path`.
pub(crate) fn read(path: &str) -> Result<Reply, Failure> {
    fs::read(path).map(Reply::Bytes).map_err(|error| failure("read", path, &error))
}

/// Writes `bytes` to `path` in one system call, as sysfs requires. A short write is an error.
pub(crate) fn write(path: &str, bytes: &[u8]) -> Result<Reply, Failure> {
    let written = File::options().write(true).open(path).and_then(|mut file| file.write(bytes));
    match written {
        Ok(count) if count == bytes.len() => Ok(Reply::Done),
        Ok(count) => {
            let error = io::Error::other(format!("{count} of {} bytes were taken", bytes.len()));
            Err(failure("write", path, &error))
        }
        Err(error) => Err(failure("write", path, &error)),
    }
}

/// Returns the names in directory `path`, sorted.
pub(crate) fn list(path: &str) -> Result<Reply, Failure> {
    let names = fs::read_dir(path).and_then(|entries| {
        entries.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect::<io::Result<Vec<_>>>()
    });
    match names {
        Ok(mut names) => {
            names.sort();
            Ok(Reply::Names(names))
        }
        Err(error) => Err(failure("list", path, &error)),
    }
}

/// Describes an error of the system, with what was attempted.
pub(crate) fn failure(verb: &str, what: &str, error: &io::Error) -> Failure {
    Failure { errno: error.raw_os_error().unwrap_or(0), message: format!("cannot {verb} `{what}`: {error}") }
}
