// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Messages on a byte stream: a length of four bytes (little endian), then the message.
//!
//! Source: postcard's documented wire format for the message itself (<https://postcard.jamesmunns.com>).

use std::io::{self, Read, Write};

use serde::{Serialize, de::DeserializeOwned};

/// The longest message. A greater length means that the stream is out of step.
pub const MAX_FRAME: usize = 64 << 20;

/// Writes one message with a single `write_all`, so that writers that share a lock never interleave.
pub fn write<T: Serialize>(stream: &mut impl Write, message: &T) -> io::Result<()> {
    let frame = encode(message)?;
    stream.write_all(&frame)?;
    stream.flush()
}

fn encode<T: Serialize>(message: &T) -> io::Result<Vec<u8>> {
    let frame = postcard::to_extend(message, vec![0; 4]).map_err(io::Error::other)?;
    let length = u32::try_from(frame.len() - 4).ok().filter(|&length| length as usize <= MAX_FRAME);
    let Some(length) = length else {
        let why = format!("a message of {} bytes is too long", frame.len());
        return Err(io::Error::new(io::ErrorKind::InvalidInput, why));
    };
    let mut frame = frame;
    frame[..4].copy_from_slice(&length.to_le_bytes());
    Ok(frame)
}

/// Reads one message. Returns `None` when the stream ends between two messages.
pub fn read<T: DeserializeOwned>(stream: &mut impl Read) -> io::Result<Option<T>> {
    let mut length = [0; 4];
    if !read_or_end(stream, &mut length)? {
        return Ok(None);
    }
    let length = u32::from_le_bytes(length) as usize;
    if length > MAX_FRAME {
        let why = format!("a message of {length} bytes was announced; the stream is out of step");
        return Err(io::Error::new(io::ErrorKind::InvalidData, why));
    }
    let mut frame = vec![0; length];
    stream.read_exact(&mut frame)?;
    postcard::from_bytes(&frame).map(Some).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}

/// Fills `buffer`, or returns `false` if the stream ended before its first byte.
fn read_or_end(stream: &mut impl Read, buffer: &mut [u8]) -> io::Result<bool> {
    loop {
        match stream.read(&mut buffer[..1]) {
            Ok(0) => return Ok(false),
            Ok(_) => break,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    stream.read_exact(&mut buffer[1..])?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{Call, Event, Request, Status};

    #[test]
    fn messages_survive_the_stream_in_order() {
        let first = Request { call: 1, what: Call::ReadFile { path: "/proc/modules".into() } };
        let second = Request { call: 2, what: Call::PowerOff };
        let mut stream = Vec::new();
        write(&mut stream, &first).unwrap();
        write(&mut stream, &second).unwrap();
        let mut stream = stream.as_slice();
        assert_eq!(read(&mut stream).unwrap(), Some(first));
        assert_eq!(read(&mut stream).unwrap(), Some(second));
        assert_eq!(read::<Request>(&mut stream).unwrap(), None);
    }

    #[test]
    fn a_stream_that_ends_within_a_message_is_an_error() {
        let mut stream = Vec::new();
        write(&mut stream, &Event::Exited { process: 7, status: Status::Code(3) }).unwrap();
        stream.pop();
        let error = read::<Event>(&mut stream.as_slice()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    }

    #[test]
    fn an_absurd_length_is_an_error_before_anything_is_allocated() {
        let error = read::<Event>(&mut [0xff; 8].as_slice()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    }
}
