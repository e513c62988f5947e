// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! A client of one display: its objects, its framebuffers, and commits that are laid out before they are measured.
//!
//! Source: `drivers/gpu/drm/drm_atomic_uapi.c`, `drm_mode_object.c` (Linux 7.3) for the calls.

use std::fs::File;
use std::io::{Error, Read, Result};
use std::os::fd::AsFd;

use rustix::event::PollFlags;
use uapi::mode::*;
use uapi::*;

use crate::node::{find, ioctl, open};

/// The frame rate of the modes that are used.
const RATE: u32 = 60;

/// The values of a plane's property `type`.
const PRIMARY: u64 = 1;
const CURSOR_PLANE: u64 = 2;

/// Calls an ioctl whose structure holds addresses.
fn pointing<T>(file: &File, request: &Request<T>, argument: &mut T) -> Result<()> {
    // SAFETY: only this file calls the function. Each address in the structure is that of a vector of the caller, which
    // lives until the call has ended and has as many elements as the structure says.
    Ok(unsafe { sys::ioctl_pointing(file, request, argument) }.map(drop)?)
}

/// A display of one output, whose master this client is.
pub(crate) struct Display {
    pub(crate) card: File,
    pub(crate) crtc: Object,
    pub(crate) connector: Object,
    pub(crate) primary: Object,
}

/// An object with its properties: names, numbers and first values.
pub(crate) struct Object {
    pub(crate) id: u32,
    properties: Vec<(String, u32, u64)>,
}

impl Object {
    fn read(card: &File, id: u32, kind: u32) -> Result<Self> {
        let mut all = ObjGetProperties { obj_id: id, obj_type: kind, ..Default::default() };
        pointing(card, &OBJ_GETPROPERTIES, &mut all)?;
        let (mut numbers, mut values) = (vec![0_u32; all.count_props as usize], vec![0_u64; all.count_props as usize]);
        (all.list, all.values) = (numbers.as_mut_ptr() as u64, values.as_mut_ptr() as u64);
        pointing(card, &OBJ_GETPROPERTIES, &mut all)?;
        let named = numbers.into_iter().zip(values).map(|(prop_id, value)| {
            let mut property = GetProperty { prop_id, ..Default::default() };
            pointing(card, &GETPROPERTY, &mut property)?;
            let name = property.name.split(|byte| *byte == 0).next().unwrap_or_default();
            Ok((String::from_utf8_lossy(name).into_owned(), prop_id, value))
        });
        Ok(Self { id, properties: named.collect::<Result<_>>()? })
    }

    fn property(&self, name: &str) -> Option<&(String, u32, u64)> {
        self.properties.iter().find(|(found, ..)| found == name)
    }

    fn number(&self, name: &str) -> Result<u32> {
        let found = self.property(name).map(|(_, number, _)| *number);
        found.ok_or_else(|| Error::other(format!("object {} has no property `{name}`", self.id)))
    }

    fn is_plane(&self, kind: u64) -> bool {
        self.property("type").is_some_and(|(_, _, value)| *value == kind)
    }
}

impl Display {
    /// Opens the device of `driver`.
    pub(crate) fn open(driver: &str) -> Result<Self> {
        let card = open(&find(driver)?)?;
        ioctl(&card, &SET_CLIENT_CAP, &mut Cap { capability: CLIENT_CAP_ATOMIC, value: 1 })?;
        let (crtcs, connectors) = outputs(&card)?;
        let [crtc, connector] = match (&crtcs[..], &connectors[..]) {
            ([crtc], [connector]) => [*crtc, *connector],
            _ => return Err(Error::other("the display has more than one output")),
        };
        let planes = planes_of(&card)?.into_iter().map(|plane| Object::read(&card, plane, OBJECT_PLANE));
        let planes: Option<[Object; 2]> = planes.collect::<Result<Vec<_>>>()?.try_into().ok();
        let primary = match planes {
            Some([primary, cursor]) if primary.is_plane(PRIMARY) && cursor.is_plane(CURSOR_PLANE) => primary,
            _ => return Err(Error::other("the display has other planes than a primary and a cursor")),
        };
        Ok(Self {
            crtc: Object::read(&card, crtc, OBJECT_CRTC)?,
            connector: Object::read(&card, connector, OBJECT_CONNECTOR)?,
            primary,
            card,
        })
    }

    /// Returns the blob of a mode of this size.
    pub(crate) fn mode(&self, (width, height): (u16, u16)) -> Result<u32> {
        let mut info = GetConnector { connector_id: self.connector.id, ..Default::default() };
        pointing(&self.card, &GETCONNECTOR, &mut info)?;
        let mut modes = vec![ModeInfo::default(); info.count_modes as usize];
        let modes_ptr = modes.as_mut_ptr() as u64;
        let (connector_id, count_modes) = (self.connector.id, info.count_modes);
        let mut info = GetConnector { connector_id, count_modes, modes_ptr, ..Default::default() };
        pointing(&self.card, &GETCONNECTOR, &mut info)?;

        let fits = |mode: &&ModeInfo| (mode.hdisplay, mode.vdisplay, mode.vrefresh) == (width, height, RATE);
        let missing = || Error::other(format!("the display has no mode of {width} by {height} at {RATE} Hz"));
        let mode = modes.iter().find(fits).ok_or_else(missing)?;
        let bytes = bytes_of(mode);
        let mut blob = CreateBlob { data: bytes.as_ptr() as u64, length: bytes.len() as u32, blob_id: 0 };
        pointing(&self.card, &CREATEPROPBLOB, &mut blob)?;
        Ok(blob.blob_id)
    }

    /// Creates a buffer of pixels with 32 bits.
    pub(crate) fn buffer(&self, (width, height): (u16, u16)) -> Result<CreateDumb> {
        let mut dumb = CreateDumb { width: width.into(), height: height.into(), bpp: 32, ..CreateDumb::default() };
        ioctl(&self.card, &MODE_CREATE_DUMB, &mut dumb)?;
        Ok(dumb)
    }

    /// Creates a framebuffer that shows all of a buffer.
    pub(crate) fn add(&self, buffer: &CreateDumb) -> Result<u32> {
        let mut command = FbCmd2 {
            width: buffer.width,
            height: buffer.height,
            pixel_format: XRGB8888,
            handles: [buffer.handle, 0, 0, 0],
            pitches: [buffer.pitch, 0, 0, 0],
            ..Default::default()
        };
        ioctl(&self.card, &ADDFB2, &mut command)?;
        Ok(command.fb_id)
    }

    /// Removes a framebuffer.
    pub(crate) fn remove(&self, mut framebuffer: u32) -> Result<()> {
        ioctl(&self.card, &RMFB, &mut framebuffer)
    }

    /// Makes a commit.
    pub(crate) fn commit(&self, commit: &Commit, flags: u32) -> Result<()> {
        let mut atomic = Atomic {
            flags,
            count_objs: commit.objects.len() as u32,
            objs_ptr: commit.objects.as_ptr() as u64,
            count_props_ptr: commit.counts.as_ptr() as u64,
            props_ptr: commit.properties.as_ptr() as u64,
            prop_values_ptr: commit.values.as_ptr() as u64,
            ..Default::default()
        };
        pointing(&self.card, &ATOMIC, &mut atomic)
    }

    /// Waits for an event and reads it.
    pub(crate) fn event(&self) -> Result<()> {
        (&self.card).read_exact(&mut [0; size_of::<EventVblank>()])
    }

    /// Returns whether there is an event to read.
    pub(crate) fn has_event(&self) -> Result<bool> {
        Ok(sys::poll(self.card.as_fd(), PollFlags::IN, 0)?.contains(PollFlags::IN))
    }

    /// Asks for an event at the next vblank.
    pub(crate) fn arm(&self) -> Result<()> {
        let kind = VBLANK_RELATIVE | VBLANK_EVENT;
        ioctl(&self.card, &WAIT_VBLANK, &mut WaitVblank { kind, sequence: 1, ..Default::default() })
    }

    /// Sleeps until the next vblank.
    pub(crate) fn vblank(&self) -> Result<()> {
        ioctl(&self.card, &WAIT_VBLANK, &mut WaitVblank { kind: VBLANK_RELATIVE, sequence: 1, ..Default::default() })
    }
}

/// Returns the CRTCs and the connectors.
fn outputs(card: &File) -> Result<(Vec<u32>, Vec<u32>)> {
    let mut res = CardRes::default();
    pointing(card, &GETRESOURCES, &mut res)?;
    let (mut crtcs, mut connectors) =
        (vec![0_u32; res.count_crtcs as usize], vec![0_u32; res.count_connectors as usize]);
    let (count_crtcs, count_connectors) = (res.count_crtcs, res.count_connectors);
    let (crtc_id_ptr, connector_id_ptr) = (crtcs.as_mut_ptr() as u64, connectors.as_mut_ptr() as u64);
    let mut res = CardRes { count_crtcs, count_connectors, crtc_id_ptr, connector_id_ptr, ..Default::default() };
    pointing(card, &GETRESOURCES, &mut res)?;
    Ok((crtcs, connectors))
}

fn planes_of(card: &File) -> Result<Vec<u32>> {
    let mut res = PlaneRes::default();
    pointing(card, &GETPLANERESOURCES, &mut res)?;
    let mut planes = vec![0_u32; res.count_planes as usize];
    res.list = planes.as_mut_ptr() as u64;
    pointing(card, &GETPLANERESOURCES, &mut res)?;
    Ok(planes)
}

/// The changes of an atomic commit, in the arrays that the call takes.
#[derive(Default)]
pub(crate) struct Commit {
    objects: Vec<u32>,
    /// The number of properties of each object.
    counts: Vec<u32>,
    properties: Vec<u32>,
    /// The values, in the order of the properties. No value is an address: no property of a fence is set.
    values: Vec<u64>,
}

impl Commit {
    /// Adds an object with new values of its properties.
    pub(crate) fn with(mut self, object: &Object, changes: &[(&str, u64)]) -> Result<Self> {
        self.objects.push(object.id);
        self.counts.push(changes.len() as u32);
        for (name, value) in changes {
            assert!(!name.ends_with("FENCE_PTR"), "the value would be an address");
            self.properties.push(object.number(name)?);
            self.values.push(*value);
        }
        Ok(self)
    }

    /// Shows a framebuffer of the screen's size on a plane.
    pub(crate) fn shows(self, plane: &Object, crtc: &Object, framebuffer: u32, size: (u16, u16)) -> Result<Self> {
        let (width, height) = (u64::from(size.0), u64::from(size.1));
        let changes = [
            ("CRTC_ID", crtc.id.into()),
            ("FB_ID", framebuffer.into()),
            ("SRC_X", 0),
            ("SRC_Y", 0),
            ("SRC_W", width << 16),
            ("SRC_H", height << 16),
            ("CRTC_X", 0),
            ("CRTC_Y", 0),
            ("CRTC_W", width),
            ("CRTC_H", height),
        ];
        self.with(plane, &changes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commit_has_a_count_of_properties_for_each_object() {
        let named = |name: &str, number| (name.to_owned(), number, 0);
        let crtc = Object { id: 7, properties: vec![named("ACTIVE", 20), named("MODE_ID", 21)] };
        let plane = Object { id: 8, properties: vec![named("FB_ID", 30)] };
        let commit = Commit::default().with(&crtc, &[("MODE_ID", 5), ("ACTIVE", 1)]).unwrap();
        let commit = commit.with(&plane, &[("FB_ID", 9)]).unwrap();
        assert_eq!((&commit.objects[..], &commit.counts[..]), (&[7, 8][..], &[2, 1][..]));
        assert_eq!((&commit.properties[..], &commit.values[..]), (&[21, 20, 30][..], &[5, 1, 9][..]));
        assert!(commit.with(&plane, &[("ACTIVE", 1)]).is_err());
    }
}
