// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The objects of a display and the numbers of their properties, for calls that name them.
//!
//! Source: `include/uapi/drm/drm_mode.h` (Linux 7.3).

use std::collections::BTreeMap;
use std::os::fd::AsFd;

use uapi::SET_CLIENT_CAP;
use uapi::mode::*;

use crate::{Answer, ioctl, ioctl_pointing};

/// The number of elements for which each array has room. What a larger display has beyond that is left out.
const ROOM: usize = 64;

/// The objects that a display has from its registration to its end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Objects {
    /// The numbers of the CRTCs.
    pub crtcs: Vec<u32>,
    /// The numbers of the planes.
    pub planes: Vec<u32>,
    /// The numbers of the connectors.
    pub connectors: Vec<u32>,
    /// The numbers of the encoders.
    pub encoders: Vec<u32>,
    /// The numbers of the blobs that properties had.
    pub blobs: Vec<u32>,
    properties: BTreeMap<String, u32>,
}

/// Asks for all planes and for atomic commits, as compositors do.
pub fn ask_for_all(file: impl AsFd) -> Answer {
    for capability in [CLIENT_CAP_UNIVERSAL_PLANES, CLIENT_CAP_ATOMIC] {
        ioctl(&file, &SET_CLIENT_CAP, &mut uapi::Cap { capability, value: 1 })?;
    }
    Ok(())
}

impl Objects {
    /// Reads the objects by an open file of the primary node, which becomes the file of an atomic client.
    pub fn of(file: impl AsFd) -> Answer<Self> {
        ask_for_all(&file)?;
        let [mut crtcs, mut connectors, mut encoders, mut planes] = [[0_u32; ROOM]; 4];
        let room = ROOM as u32;
        let mut resources = CardRes {
            crtc_id_ptr: crtcs.as_mut_ptr() as u64,
            connector_id_ptr: connectors.as_mut_ptr() as u64,
            encoder_id_ptr: encoders.as_mut_ptr() as u64,
            count_crtcs: room,
            count_connectors: room,
            count_encoders: room,
            ..CardRes::default()
        };
        // SAFETY: each address is that of an array with the number of elements beside it, or 0 of none.
        unsafe { ioctl_pointing(&file, &GETRESOURCES, &mut resources) }?;
        let mut listed = PlaneRes { list: planes.as_mut_ptr() as u64, count_planes: room, ..PlaneRes::default() };
        // SAFETY: as above.
        unsafe { ioctl_pointing(&file, &GETPLANERESOURCES, &mut listed) }?;
        let first = |all: &[u32], count: u32| all.iter().take(count as usize).copied().collect();
        let mut objects = Self {
            crtcs: first(&crtcs, resources.count_crtcs),
            planes: first(&planes, listed.count_planes),
            connectors: first(&connectors, resources.count_connectors),
            encoders: first(&encoders, resources.count_encoders),
            ..Self::default()
        };
        let all =
            [(&objects.crtcs, OBJECT_CRTC), (&objects.planes, OBJECT_PLANE), (&objects.connectors, OBJECT_CONNECTOR)];
        let all: Vec<_> = all.into_iter().flat_map(|(ids, kind)| ids.iter().map(move |id| (*id, kind))).collect();
        all.into_iter().try_for_each(|(object, kind)| objects.learn_properties(&file, object, kind))?;
        Ok(objects)
    }

    fn learn_properties(&mut self, file: &impl AsFd, object: u32, kind: u32) -> Answer {
        let (mut numbers, mut values) = ([0_u32; ROOM], [0_u64; ROOM]);
        let mut listed = ObjGetProperties {
            list: numbers.as_mut_ptr() as u64,
            values: values.as_mut_ptr() as u64,
            count_props: ROOM as u32,
            obj_id: object,
            obj_type: kind,
            ..ObjGetProperties::default()
        };
        // SAFETY: both addresses are those of arrays with so many elements.
        unsafe { ioctl_pointing(file, &OBJ_GETPROPERTIES, &mut listed) }?;
        for (number, value) in numbers.into_iter().zip(values).take(listed.count_props as usize) {
            let mut property = GetProperty { prop_id: number, ..GetProperty::default() };
            // SAFETY: there is no address, and no element is asked for.
            unsafe { ioctl_pointing(file, &GETPROPERTY, &mut property) }?;
            let name = property.name.split(|byte| *byte == 0).next().unwrap_or_default();
            self.properties.insert(String::from_utf8_lossy(name).into_owned(), number);
            let blob = u32::try_from(value).unwrap_or(0);
            if property.flags & PROP_BLOB != 0 && blob != 0 && !self.blobs.contains(&blob) {
                self.blobs.push(blob);
            }
        }
        Ok(())
    }

    /// Returns the number of the property of this name, or 0 if no object has one.
    pub fn property(&self, name: &str) -> u32 {
        self.properties.get(name).copied().unwrap_or(0)
    }
}
