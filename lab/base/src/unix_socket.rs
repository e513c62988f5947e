// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Unix sockets at paths of any length.
//!
//! Source: unix(7), `sun_path`, which has room for 107 bytes; proc(5), `/proc/PID/fd`.

use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixListener;
use std::path::Path;

use rustix::fs::{Mode, OFlags};

/// Binds a socket at `path`, through a short name for its directory.
pub fn bind(path: &Path) -> io::Result<UnixListener> {
    let named = |error: io::Error| io::Error::new(error.kind(), format!("`{}`: {error}", path.display()));
    let name = path.file_name().ok_or_else(|| named(io::ErrorKind::InvalidInput.into()))?;
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let directory = rustix::fs::open(directory, flags, Mode::empty()).map_err(|error| named(error.into()))?;
    let short = Path::new("/proc/self/fd").join(directory.as_raw_fd().to_string()).join(name);
    UnixListener::bind(short).map_err(named)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn long_path_is_bound_and_errors_name_it() {
        let dir = tempfile::tempdir().unwrap();
        let long = dir.path().join("d".repeat(200));
        fs::create_dir(&long).unwrap();
        let path = long.join("socket");
        let _listener = bind(&path).unwrap();
        assert!(fs::symlink_metadata(&path).is_ok());
        for path in [path, dir.path().join("missing/socket")] {
            let error = bind(&path).unwrap_err().to_string();
            assert!(error.starts_with(&format!("`{}`: ", path.display())), "{error}");
        }
    }
}
