// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Builds the argument of an atomic commit, by objects and names of properties.
//!
//! Source: `drm_mode_atomic_ioctl` in `drivers/gpu/drm/drm_atomic_uapi.c` (Linux 7.3).

use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};

use sys::{Answer, BadAddress};
use uapi::mode::{ATOMIC, Atomic};

use super::{Display, Object, Output};

/// The value of a property in a request.
#[derive(Clone, Copy, Debug)]
enum Value {
    Number(u64),
    /// The kernel writes the descriptor of a new fence; the commit returns it.
    OutFence,
    /// An address to which the kernel cannot write.
    Bad(BadAddress),
}

/// Part of a buffer, in pixels, and its place on the screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// Offset in the framebuffer, in 16.16 fixed point.
    pub(crate) src: (u64, u64),
    /// Size in the framebuffer, in 16.16 fixed point.
    pub(crate) src_size: (u64, u64),
    /// Offset on the screen.
    pub(crate) at: (i32, i32),
    /// Size on the screen.
    pub(crate) size: (u32, u32),
}

impl Place {
    /// Shows the first `width` by `height` pixels at an offset on the screen.
    pub(crate) fn at(at: (i32, i32), (width, height): (u32, u32)) -> Self {
        let src_size = (u64::from(width) << 16, u64::from(height) << 16);
        Self { src: (0, 0), src_size, at, size: (width, height) }
    }
}

/// The changes that a commit makes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Request(Vec<(u32, u32, Value)>);

impl Request {
    /// Returns a request that changes nothing.
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Sets a property by numbers that may be wrong.
    pub(crate) fn number(mut self, object: u32, property: u32, value: u64) -> Self {
        self.0.push((object, property, Value::Number(value)));
        self
    }

    /// Sets an object's property.
    pub(crate) fn set(self, object: &Object, name: &str, value: u64) -> Self {
        self.number(object.id, object.property(name), value)
    }

    /// Asks for the fence of this commit on an output.
    pub(crate) fn out_fence(mut self, output: &Output) -> Self {
        self.0.push((output.crtc.id, output.crtc.property("OUT_FENCE_PTR"), Value::OutFence));
        self
    }

    /// Asks for the fence of this commit at an address to which the kernel cannot write.
    pub(crate) fn out_fence_at(mut self, output: &Output, address: BadAddress) -> Self {
        self.0.push((output.crtc.id, output.crtc.property("OUT_FENCE_PTR"), Value::Bad(address)));
        self
    }

    /// Shows a part of a framebuffer on a plane of an output.
    pub(crate) fn show(self, plane: &Object, output: &Output, fb: u32, place: Place) -> Self {
        self.set(plane, "CRTC_ID", output.crtc.id.into())
            .set(plane, "FB_ID", fb.into())
            .set(plane, "SRC_X", place.src.0)
            .set(plane, "SRC_Y", place.src.1)
            .set(plane, "SRC_W", place.src_size.0)
            .set(plane, "SRC_H", place.src_size.1)
            .set(plane, "CRTC_X", i64::from(place.at.0) as u64)
            .set(plane, "CRTC_Y", i64::from(place.at.1) as u64)
            .set(plane, "CRTC_W", place.size.0.into())
            .set(plane, "CRTC_H", place.size.1.into())
    }

    /// Takes a plane's framebuffer away.
    pub(crate) fn hide(self, plane: &Object) -> Self {
        self.set(plane, "CRTC_ID", 0).set(plane, "FB_ID", 0)
    }

    /// Switches an output on with the mode in a blob, without a plane.
    pub(crate) fn on(self, output: &Output, mode: u32) -> Self {
        self.set(&output.connector, "CRTC_ID", output.crtc.id.into()).set(&output.crtc, "MODE_ID", mode.into()).set(
            &output.crtc,
            "ACTIVE",
            1,
        )
    }

    /// Switches an output and all of its planes off.
    pub(crate) fn off(self, output: &Output) -> Self {
        let this =
            self.set(&output.connector, "CRTC_ID", 0).set(&output.crtc, "MODE_ID", 0).set(&output.crtc, "ACTIVE", 0);
        output.planes().fold(this, |this, plane| this.hide(plane))
    }

    /// Adds the changes of another request.
    pub(crate) fn and(mut self, other: Self) -> Self {
        self.0.extend(other.0);
        self
    }

    /// Waits for a fence before a plane's framebuffer is shown.
    pub(crate) fn in_fence(self, plane: &Object, fence: &impl AsFd) -> Self {
        self.set(plane, "IN_FENCE_FD", fence.as_fd().as_raw_fd() as u64)
    }
}

impl Display {
    /// `MODE_ATOMIC` with flags. Its events carry `user_data`.
    pub(crate) fn commit(&self, request: &Request, flags: u32, user_data: u64) -> Answer {
        self.commit_with_fences(request, flags, user_data).map(drop)
    }

    /// Like `commit`, and returns the fences that the request asks for, in its order.
    pub(crate) fn commit_with_fences(&self, request: &Request, flags: u32, user_data: u64) -> Answer<Vec<OwnedFd>> {
        let count = request.0.iter().filter(|(_, _, value)| matches!(value, Value::OutFence)).count();
        let mut fences: Vec<i32> = vec![-1; count];
        let (mut objects, mut counts, mut properties, mut values) = (vec![], Vec::<u32>::new(), vec![], vec![]);
        let mut next = 0;
        for (object, property, value) in &request.0 {
            if objects.last() == Some(object) {
                *counts.last_mut().expect("each object has a count") += 1;
            } else {
                objects.push(*object);
                counts.push(1);
            }
            properties.push(*property);
            values.push(match value {
                Value::Number(number) => {
                    assert!(!self.fence_properties.contains(property), "the value is an address to write to");
                    *number
                }
                Value::Bad(address) => address.get() as u64,
                Value::OutFence => {
                    next += 1;
                    std::ptr::from_mut(&mut fences[next - 1]) as u64
                }
            });
        }
        let mut wanted = Atomic {
            flags,
            count_objs: u32::try_from(objects.len()).expect("a request is small"),
            objs_ptr: objects.as_ptr() as u64,
            count_props_ptr: counts.as_ptr() as u64,
            props_ptr: properties.as_ptr() as u64,
            prop_values_ptr: values.as_ptr() as u64,
            reserved: 0,
            user_data,
        };
        // SAFETY: the four arrays have as many elements as the counts say. No value is an address except those of
        // elements of `fences`, by the assertion above, and those where nothing is mapped.
        unsafe { sys::ioctl_pointing(&self.file, &ATOMIC, &mut wanted) }?;
        // SAFETY: the kernel has written the numbers of new descriptors, which nothing else owns, or -1.
        Ok(fences.into_iter().filter(|fd| *fd >= 0).map(|fd| unsafe { OwnedFd::from_raw_fd(fd) }).collect())
    }
}
