// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The DRM core's ioctls for mode setting, one method each.
//!
//! Source: `include/uapi/drm/drm_mode.h`, `drm.h`; `drivers/gpu/drm/drm_ioctl.c` for which of them need the master.

use std::os::fd::{FromRawFd, OwnedFd, RawFd};

use sys::Answer;
use uapi::Request;
use uapi::mode::*;

use crate::subjects::device::DrmFile;

/// The numbers of a device's objects, and the limits of its framebuffers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Resources {
    pub(crate) fbs: Vec<u32>,
    pub(crate) crtcs: Vec<u32>,
    pub(crate) connectors: Vec<u32>,
    pub(crate) encoders: Vec<u32>,
    /// Smallest and largest width.
    pub(crate) width: (u32, u32),
    /// Smallest and largest height.
    pub(crate) height: (u32, u32),
}

/// A connector with its encoders and modes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Connector {
    pub(crate) info: GetConnector,
    pub(crate) encoders: Vec<u32>,
    pub(crate) modes: Vec<ModeInfo>,
}

/// A property's name, kind and possible values.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Property {
    pub(crate) name: String,
    pub(crate) flags: u32,
    pub(crate) values: Vec<u64>,
    pub(crate) enums: Vec<(u64, String)>,
}

/// Returns a text that ends at its first zero byte.
fn text(bytes: &[u8]) -> String {
    let len = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    String::from_utf8_lossy(&bytes[..len]).into_owned()
}

/// Returns the address of a slice's room.
fn room<T>(slice: &mut [T]) -> u64 {
    slice.as_mut_ptr() as u64
}

/// Returns a vector with room for a count of elements.
fn zeroed<T: Clone + Default>(count: u32) -> Vec<T> {
    vec![T::default(); count as usize]
}

impl DrmFile {
    /// Makes an ioctl whose structure holds addresses. Only the methods of this file use it.
    fn pointing<T>(&self, request: &Request<T>, argument: &mut T) -> Answer {
        // SAFETY: the structure is complete. Each address in it is that of a vector, slice or variable of the calling
        // method, which lives until the method ends and has as much room as the structure says.
        unsafe { sys::ioctl_pointing(self, request, argument) }.map(drop)
    }

    /// `SET_CLIENT_CAP`
    pub(crate) fn client_cap(&self, capability: u64, value: u64) -> Answer {
        self.ioctl(&uapi::SET_CLIENT_CAP, uapi::Cap { capability, value }).map(drop)
    }

    /// `MODE_GETRESOURCES`
    pub(crate) fn resources(&self) -> Answer<Resources> {
        let mut res = self.resource_counts()?;
        let mut fbs = zeroed(res.count_fbs);
        let mut crtcs = zeroed(res.count_crtcs);
        let mut connectors = zeroed(res.count_connectors);
        let mut encoders = zeroed(res.count_encoders);
        (res.fb_id_ptr, res.crtc_id_ptr) = (room::<u32>(&mut fbs), room::<u32>(&mut crtcs));
        (res.connector_id_ptr, res.encoder_id_ptr) = (room::<u32>(&mut connectors), room::<u32>(&mut encoders));
        self.pointing(&GETRESOURCES, &mut res)?;
        fbs.truncate(res.count_fbs as usize);
        connectors.truncate(res.count_connectors as usize);
        let (width, height) = ((res.min_width, res.max_width), (res.min_height, res.max_height));
        Ok(Resources { fbs, crtcs, connectors, encoders, width, height })
    }

    /// `MODE_GETCONNECTOR`. The first of two calls probes the connector's modes, the second reads them.
    pub(crate) fn connector(&self, id: u32) -> Answer<Connector> {
        let mut info = GetConnector { connector_id: id, ..Default::default() };
        self.pointing(&GETCONNECTOR, &mut info)?;
        let (mut encoders, mut modes) = (zeroed(info.count_encoders), zeroed(info.count_modes));
        let mut again = GetConnector {
            connector_id: id,
            count_encoders: info.count_encoders,
            count_modes: info.count_modes,
            encoders_ptr: room::<u32>(&mut encoders),
            modes_ptr: room::<ModeInfo>(&mut modes),
            ..Default::default()
        };
        // A count of no mode would probe again.
        if info.count_modes > 0 {
            self.pointing(&GETCONNECTOR, &mut again)?;
        }
        modes.truncate(again.count_modes as usize);
        (info.encoders_ptr, info.modes_ptr) = (0, 0);
        Ok(Connector { info, encoders, modes })
    }

    /// `MODE_GETENCODER`
    pub(crate) fn encoder(&self, encoder_id: u32) -> Answer<GetEncoder> {
        self.ioctl(&GETENCODER, GetEncoder { encoder_id, ..Default::default() })
    }

    /// `MODE_GETCRTC`
    pub(crate) fn crtc(&self, crtc_id: u32) -> Answer<Crtc> {
        let mut crtc = Crtc { crtc_id, ..Default::default() };
        self.pointing(&GETCRTC, &mut crtc)?;
        Ok(crtc)
    }

    /// `MODE_GETPLANERESOURCES`
    pub(crate) fn planes(&self) -> Answer<Vec<u32>> {
        let mut res = PlaneRes::default();
        self.pointing(&GETPLANERESOURCES, &mut res)?;
        let mut planes = zeroed(res.count_planes);
        res.list = room::<u32>(&mut planes);
        self.pointing(&GETPLANERESOURCES, &mut res)?;
        Ok(planes)
    }

    /// `MODE_GETPLANE`. Returns the plane without its address, and its formats.
    pub(crate) fn plane(&self, plane_id: u32) -> Answer<(GetPlane, Vec<u32>)> {
        let mut plane = GetPlane { plane_id, ..Default::default() };
        self.pointing(&GETPLANE, &mut plane)?;
        let mut formats = zeroed(plane.count_format_types);
        plane.format_type_ptr = room::<u32>(&mut formats);
        self.pointing(&GETPLANE, &mut plane)?;
        plane.format_type_ptr = 0;
        Ok((plane, formats))
    }

    /// `MODE_OBJ_GETPROPERTIES`. Returns the numbers and values of an object's properties.
    pub(crate) fn properties(&self, obj_id: u32, obj_type: u32) -> Answer<Vec<(u32, u64)>> {
        let mut wanted = ObjGetProperties { obj_id, obj_type, ..Default::default() };
        self.pointing(&OBJ_GETPROPERTIES, &mut wanted)?;
        let (mut numbers, mut values) = (zeroed(wanted.count_props), zeroed(wanted.count_props));
        (wanted.list, wanted.values) = (room::<u32>(&mut numbers), room::<u64>(&mut values));
        self.pointing(&OBJ_GETPROPERTIES, &mut wanted)?;
        Ok(numbers.into_iter().zip(values).collect())
    }

    /// `MODE_GETPROPERTY`
    pub(crate) fn property(&self, prop_id: u32) -> Answer<Property> {
        let mut found = GetProperty { prop_id, ..Default::default() };
        self.pointing(&GETPROPERTY, &mut found)?;
        let (mut values, mut enums) = (zeroed(found.count_values), zeroed(found.count_enum_blobs));
        (found.values, found.enums) = (room::<u64>(&mut values), room::<PropertyEnum>(&mut enums));
        self.pointing(&GETPROPERTY, &mut found)?;
        let enums = enums.iter().map(|each| (each.value, text(&each.name))).collect();
        Ok(Property { name: text(&found.name), flags: found.flags, values, enums })
    }

    /// `MODE_GETPROPBLOB`
    pub(crate) fn blob(&self, blob_id: u32) -> Answer<Vec<u8>> {
        let mut found = GetBlob { blob_id, ..Default::default() };
        self.pointing(&GETPROPBLOB, &mut found)?;
        let mut bytes = zeroed(found.length);
        found.data = room::<u8>(&mut bytes);
        self.pointing(&GETPROPBLOB, &mut found)?;
        Ok(bytes)
    }

    /// `MODE_CREATEPROPBLOB`. Returns the blob's number.
    pub(crate) fn create_blob(&self, bytes: &[u8]) -> Answer<u32> {
        let length = u32::try_from(bytes.len()).expect("blobs are small");
        let mut wanted = CreateBlob { data: bytes.as_ptr() as u64, length, blob_id: 0 };
        self.pointing(&CREATEPROPBLOB, &mut wanted)?;
        Ok(wanted.blob_id)
    }

    /// `MODE_DESTROYPROPBLOB`
    pub(crate) fn destroy_blob(&self, blob_id: u32) -> Answer {
        self.ioctl(&DESTROYPROPBLOB, DestroyBlob { blob_id }).map(drop)
    }

    /// `MODE_ADDFB2`. Returns the framebuffer's number.
    pub(crate) fn add_fb2(&self, wanted: FbCmd2) -> Answer<u32> {
        Ok(self.ioctl(&ADDFB2, wanted)?.fb_id)
    }

    /// `MODE_ADDFB`. Returns the framebuffer's number.
    pub(crate) fn add_fb(&self, wanted: FbCmd) -> Answer<u32> {
        Ok(self.ioctl(&ADDFB, wanted)?.fb_id)
    }

    /// `MODE_RMFB`
    pub(crate) fn remove_fb(&self, fb: u32) -> Answer {
        self.ioctl(&RMFB, fb).map(drop)
    }

    /// `MODE_CLOSEFB`
    pub(crate) fn close_fb(&self, fb_id: u32) -> Answer {
        self.ioctl(&CLOSEFB, CloseFb { fb_id, pad: 0 }).map(drop)
    }

    /// `MODE_GETFB2`. Its handles are new.
    pub(crate) fn get_fb2(&self, fb_id: u32) -> Answer<FbCmd2> {
        self.ioctl(&GETFB2, FbCmd2 { fb_id, ..Default::default() })
    }

    /// `MODE_DIRTYFB`
    pub(crate) fn dirty_fb(&self, fb_id: u32, clips: &[ClipRect]) -> Answer {
        let clips_ptr = if clips.is_empty() { 0 } else { clips.as_ptr() as u64 };
        let num_clips = u32::try_from(clips.len()).expect("there are few clips");
        self.pointing(&DIRTYFB, &mut FbDirty { fb_id, num_clips, clips_ptr, ..Default::default() })
    }

    /// `MODE_SETCRTC`. Without a mode it switches the CRTC off.
    pub(crate) fn set_crtc(
        &self,
        crtc_id: u32,
        fb_id: u32,
        (x, y): (u32, u32),
        connectors: &[u32],
        mode: Option<ModeInfo>,
    ) -> Answer {
        let mut wanted = Crtc {
            connectors: connectors.as_ptr() as u64,
            count_connectors: u32::try_from(connectors.len()).expect("there are few connectors"),
            crtc_id,
            fb_id,
            x,
            y,
            gamma_size: 0,
            mode_valid: mode.is_some().into(),
            mode: mode.unwrap_or_default(),
        };
        self.pointing(&SETCRTC, &mut wanted)
    }

    /// `MODE_GETGAMMA`. Returns the tables for red, green and blue.
    pub(crate) fn gamma(&self, crtc_id: u32, size: u32) -> Answer<[Vec<u16>; 3]> {
        let mut tables: [Vec<u16>; 3] = std::array::from_fn(|_| zeroed(size));
        let [red, green, blue] = tables.each_mut().map(|table| room(table));
        self.pointing(&GETGAMMA, &mut CrtcLut { crtc_id, gamma_size: size, red, green, blue })?;
        Ok(tables)
    }

    /// `MODE_SETGAMMA`
    pub(crate) fn set_gamma(&self, crtc_id: u32, tables: &[Vec<u16>; 3]) -> Answer {
        let gamma_size = u32::try_from(tables[0].len()).expect("tables are small");
        assert!(tables.iter().all(|table| table.len() == tables[0].len()), "the tables are equally long");
        let [red, green, blue] = tables.each_ref().map(|table| table.as_ptr() as u64);
        self.pointing(&SETGAMMA, &mut CrtcLut { crtc_id, gamma_size, red, green, blue })
    }

    /// `MODE_OBJ_SETPROPERTY`
    pub(crate) fn set_property(&self, (obj_id, obj_type): (u32, u32), prop_id: u32, value: u64) -> Answer {
        self.ioctl(&OBJ_SETPROPERTY, ObjSetProperty { value, prop_id, obj_id, obj_type, hole: 0 }).map(drop)
    }

    /// `MODE_CREATE_LEASE`. Returns the lessee's number and its file.
    pub(crate) fn create_lease(&self, objects: &[u32], flags: u32) -> Answer<(u32, DrmFile)> {
        let object_count = u32::try_from(objects.len()).expect("there are few objects");
        let object_ids = objects.as_ptr() as u64;
        let mut wanted = CreateLease { object_ids, object_count, flags, ..Default::default() };
        self.pointing(&CREATE_LEASE, &mut wanted)?;
        // SAFETY: on success the kernel installed a new descriptor that nothing else owns.
        let file = unsafe { OwnedFd::from_raw_fd(wanted.fd as RawFd) };
        Ok((wanted.lessee_id, file.into()))
    }

    /// `MODE_LIST_LESSEES`
    pub(crate) fn lessees(&self) -> Answer<Vec<u32>> {
        let mut wanted = ListLessees::default();
        self.pointing(&LIST_LESSEES, &mut wanted)?;
        let mut lessees = zeroed(wanted.count_lessees);
        wanted.lessees_ptr = room::<u32>(&mut lessees);
        self.pointing(&LIST_LESSEES, &mut wanted)?;
        Ok(lessees)
    }

    /// `MODE_GET_LEASE`. Returns the objects that the lessee's file may use.
    pub(crate) fn lease(&self) -> Answer<Vec<u32>> {
        let mut wanted = GetLease::default();
        self.pointing(&GET_LEASE, &mut wanted)?;
        let mut objects = zeroed(wanted.count_objects);
        wanted.objects_ptr = room::<u32>(&mut objects);
        self.pointing(&GET_LEASE, &mut wanted)?;
        Ok(objects)
    }

    /// `MODE_REVOKE_LEASE`
    pub(crate) fn revoke_lease(&self, lessee_id: u32) -> Answer {
        self.ioctl(&REVOKE_LEASE, RevokeLease { lessee_id }).map(drop)
    }

    /// `CRTC_GET_SEQUENCE`
    pub(crate) fn sequence(&self, crtc_id: u32) -> Answer<CrtcGetSequence> {
        self.ioctl(&CRTC_GET_SEQUENCE, CrtcGetSequence { crtc_id, ..Default::default() })
    }

    /// `CRTC_QUEUE_SEQUENCE`. Returns the number of the vblank at which the event comes.
    pub(crate) fn queue_sequence(&self, crtc_id: u32, flags: u32, sequence: u64, user_data: u64) -> Answer<u64> {
        let wanted = CrtcQueueSequence { crtc_id, flags, sequence, user_data };
        Ok(self.ioctl(&CRTC_QUEUE_SEQUENCE, wanted)?.sequence)
    }

    /// `WAIT_VBLANK` of the CRTC with this index. `signal` is the number that an event carries.
    pub(crate) fn wait_vblank(&self, kind: u32, pipe: u32, sequence: u32, signal: u64) -> Answer<WaitVblank> {
        let kind = kind | pipe << VBLANK_HIGH_CRTC_SHIFT;
        self.ioctl(&WAIT_VBLANK, WaitVblank { kind, sequence, tval_sec: signal as i64, tval_usec: 0 })
    }
}
