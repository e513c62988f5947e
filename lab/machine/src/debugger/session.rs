// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The files of one debugged run: a directory that only its user can enter, with gdb's script and the socket of QEMU's stub.
//!
//! A socket in the file system has an owner, and a port has none: whoever connects controls the guest's kernel.
//!
//! Source: unix(7), `sun_path`.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use drydock_base::error::{Context, Error, Kind, Result};
use drydock_base::interrupt::{self, OnInterrupt};
use drydock_base::unix_socket;

/// The longest path of a socket to which gdb can connect.
const LONGEST: usize = 107;

/// The files of one debugged run. They are removed at its end.
#[derive(Debug)]
pub struct Session {
    directory: PathBuf,
    listener: UnixListener,
    _on_interrupt: OnInterrupt,
}

impl Session {
    /// Makes the directory and listens at the socket.
    ///
    /// # Errors
    /// Fails if the directory for temporary files cannot be written to, or if its path is too long for a socket.
    pub fn begin() -> Result<Self> {
        let directory = std::env::temp_dir().join(format!("drydock-gdb-{}", std::process::id()));
        let socket = socket_in(&directory);
        if socket.as_os_str().len() > LONGEST {
            let message =
                format!("gdb cannot connect to `{}`: the path is longer than {LONGEST} bytes", socket.display());
            return Err(Error::new(Kind::Usage, message).hint("set `TMPDIR` to a directory with a short path"));
        }
        // Another process of this number may have been killed.
        drop(fs::remove_dir_all(&directory));
        let made = DirBuilder::new().mode(0o700).create(&directory);
        made.with_context(|| format!("failed to create `{}`", directory.display()))?;
        let removed = directory.clone();
        let on_interrupt = interrupt::on_interrupt(move || remove(&removed));
        let listener = unix_socket::bind(&socket).context("failed to make a socket for gdb")?;
        Ok(Self { directory, listener, _on_interrupt: on_interrupt })
    }

    /// Returns the listening socket, for QEMU.
    pub(crate) fn listener(&self) -> io::Result<OwnedFd> {
        Ok(self.listener.try_clone()?.into())
    }

    /// Returns the path of the socket.
    pub(crate) fn socket(&self) -> PathBuf {
        socket_in(&self.directory)
    }

    /// Returns the path of gdb's script.
    pub fn script(&self) -> PathBuf {
        self.directory.join("script")
    }

    /// Returns the path of the file with the kernel's symbols.
    pub(crate) fn symbol_file(&self) -> PathBuf {
        self.directory.join("kernel")
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        remove(&self.directory);
    }
}

fn socket_in(directory: &Path) -> PathBuf {
    directory.join("socket")
}

fn remove(directory: &Path) {
    // What cannot be removed only wastes space.
    let _ = fs::remove_dir_all(directory);
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::net::UnixStream;

    use super::*;

    #[test]
    fn session_is_its_users_alone_and_leaves_nothing() {
        let session = Session::begin().unwrap();
        let directory = session.directory.clone();
        assert_eq!(directory.metadata().unwrap().permissions().mode() & 0o777, 0o700);
        assert!(UnixStream::connect(session.socket()).is_ok());
        drop(session);
        assert!(!directory.exists());
    }
}
