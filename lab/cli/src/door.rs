// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The sockets by which `drydock attach` reaches the guests of `drydock run`, and the messages on them.
//!
//! A visitor, which is a process of `drydock attach`, sends its three standard streams and a [`Request`]. The run
//! answers with a [`Reply`] when the program has started, and with another one when it has ended.
//!
//! Source: unix(7), `SCM_RIGHTS`.

use std::fs::{self, File};
use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags,
    recvmsg, sendmsg,
};
use serde::{Deserialize, Serialize};

use drydock_base::cache::CacheLayout;
use drydock_base::error::{Context, Result};
use drydock_base::interrupt::{self, OnInterrupt};

/// The number of streams that a visitor sends: input, output, error output.
pub(crate) const STREAMS: usize = 3;

/// A visitor's wish.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Request {
    /// A program with its arguments.
    Program(Vec<String>),
    /// A program, or a shell if there is none, on a terminal of this size and kind. The answer comes with a socket for the
    /// terminal's bytes.
    OnTerminal { argv: Vec<String>, size: (u16, u16), term: String },
}

/// The answer of a run.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Reply {
    Started,
    /// The exit code, as a shell reports it.
    Ended(u8),
    /// The reason why the program did not start.
    Failed(String),
    /// The run ended before the program.
    Lost,
}

/// The directory of the sockets, which only its owner can enter.
fn directory() -> Result<PathBuf> {
    let path = CacheLayout::of_user()?.base().join("guests");
    let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(&path);
    made.with_context(|| format!("failed to create `{}`", path.display()))?;
    Ok(path)
}

/// The way to a socket. The path of a socket may have only 108 bytes, so it begins at an open directory.
fn through(directory: &File, pid: u32) -> PathBuf {
    format!("/proc/self/fd/{}/{pid}", directory.as_raw_fd()).into()
}

/// The door of a run, which is removed on drop.
pub(crate) struct Door {
    listener: UnixListener,
    path: PathBuf,
    _on_interrupt: OnInterrupt,
}

impl Door {
    /// Makes the socket of this process.
    pub(crate) fn open() -> Result<Self> {
        let (directory, pid) = (directory()?, std::process::id());
        let path = directory.join(pid.to_string());
        // An earlier process of this number was killed.
        let _ = fs::remove_file(&path);
        let opened = File::open(&directory).and_then(|dir| UnixListener::bind(through(&dir, pid)));
        let listener = opened.with_context(|| format!("failed to make the socket `{}`", path.display()))?;
        let doomed = path.clone();
        // What is left is removed by the next visitor.
        let _on_interrupt = interrupt::on_interrupt(move || drop(fs::remove_file(&doomed)));
        Ok(Self { listener, path, _on_interrupt })
    }

    /// Waits for the next visitor. Returns `None` once the door is closed.
    pub(crate) fn next(&self) -> Option<UnixStream> {
        loop {
            match self.listener.accept() {
                Ok((visitor, _)) => return Some(visitor),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return None,
            }
        }
    }

    /// Makes [`Self::next`] return `None`.
    pub(crate) fn close(&self) {
        // A socket that listens can always be shut down.
        let _ = rustix::net::shutdown(&self.listener, rustix::net::Shutdown::Both);
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

/// Returns the processes that have a guest with a door, sorted. Removes the sockets of processes that were killed.
pub(crate) fn runs() -> Result<Vec<u32>> {
    let directory = directory()?;
    let entries = fs::read_dir(&directory).with_context(|| format!("failed to list `{}`", directory.display()))?;
    let mut pids: Vec<u32> = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect();
    pids.retain(|pid| {
        let is_alive = !matches!(knock(*pid), Err(error) if error.kind() == io::ErrorKind::ConnectionRefused);
        if !is_alive {
            let _ = fs::remove_file(directory.join(pid.to_string()));
        }
        is_alive
    });
    pids.sort_unstable();
    Ok(pids)
}

/// Connects to a run.
pub(crate) fn knock(pid: u32) -> io::Result<UnixStream> {
    let directory = directory().map_err(io::Error::other)?;
    UnixStream::connect(through(&File::open(directory)?, pid))
}

/// Sends open files, with a byte that carries them.
pub(crate) fn send_files(to: &UnixStream, files: &[BorrowedFd<'_>]) -> io::Result<()> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(STREAMS))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !control.push(SendAncillaryMessage::ScmRights(files)) {
        return Err(io::Error::from(io::ErrorKind::InvalidInput));
    }
    sendmsg(to, &[IoSlice::new(&[0])], &mut control, SendFlags::NOSIGNAL)?;
    Ok(())
}

/// Receives open files.
pub(crate) fn receive_files<const N: usize>(from: &UnixStream) -> io::Result<[OwnedFd; N]> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(STREAMS))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let mut byte = [0];
    recvmsg(from.as_fd(), &mut [IoSliceMut::new(&mut byte)], &mut control, RecvFlags::CMSG_CLOEXEC)?;
    let files: Vec<OwnedFd> = control
        .drain()
        .filter_map(|message| match message {
            RecvAncillaryMessage::ScmRights(files) => Some(files),
            _ => None,
        })
        .flatten()
        .collect();
    files.try_into().map_err(|files: Vec<_>| io::Error::other(format!("{} open files instead of {N}", files.len())))
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};

    use super::*;

    #[test]
    fn files_arrive_in_their_order() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let pairs = [UnixStream::pair().unwrap(), UnixStream::pair().unwrap()];
        send_files(&ours, &[pairs[0].1.as_fd(), pairs[1].1.as_fd()]).unwrap();
        let [first, second] = receive_files::<2>(&theirs).unwrap();
        File::from(first).write_all(b"1").unwrap();
        File::from(second).write_all(b"2").unwrap();
        let read = pairs.map(|(mut reader, writer)| {
            drop(writer);
            let mut text = String::new();
            reader.read_to_string(&mut text).unwrap();
            text
        });
        assert_eq!(read, ["1", "2"]);
    }

    #[test]
    fn other_number_of_files_is_an_error() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        send_files(&ours, &[ours.as_fd()]).unwrap();
        assert!(receive_files::<2>(&theirs).is_err());
        drop(ours);
        assert!(receive_files::<1>(&theirs).is_err());
    }
}
