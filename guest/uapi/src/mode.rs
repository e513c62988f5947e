// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The DRM core's ioctls of mode setting that read what a screen shows. A field `list` is the address of an array that the
//! kernel fills if it has room for all entries; the kernel always writes their number.
//!
//! Source: `include/uapi/drm/drm.h`, `drm_mode.h`, `drm_fourcc.h` (Linux 7.3).

use super::*;

structures! {
    ModeInfo: Plain = "drm_mode_modeinfo" {
        clock: u32, hdisplay: u16, hsync_start: u16, hsync_end: u16, htotal: u16, hskew: u16,
        vdisplay: u16, vsync_start: u16, vsync_end: u16, vtotal: u16, vscan: u16,
        vrefresh: u32, flags: u32, kind: u32, name: [u8; 32],
    }
    Crtc = "drm_mode_crtc" {
        connectors: u64, count_connectors: u32, crtc_id: u32, fb_id: u32, x: u32, y: u32,
        gamma_size: u32, mode_valid: u32, mode: ModeInfo,
    }
    PlaneRes = "drm_mode_get_plane_res" { list: u64, count_planes: u32, hole: u32 }
    ObjGetProperties = "drm_mode_obj_get_properties" {
        list: u64, values: u64, count_props: u32, obj_id: u32, obj_type: u32, hole: u32,
    }
    GetProperty = "drm_mode_get_property" {
        values: u64, enums: u64, prop_id: u32, flags: u32, name: [u8; 32], count_values: u32, count_enum_blobs: u32,
    }
    FbCmd2: Plain = "drm_mode_fb_cmd2" {
        fb_id: u32, width: u32, height: u32, pixel_format: u32, flags: u32,
        handles: [u32; 4], pitches: [u32; 4], offsets: [u32; 4], hole: u32, modifier: [u64; 4],
    }
}

requests! {
    GETCRTC: Crtc = RW, DRM, 0xa1, "DRM_IOCTL_MODE_GETCRTC";
    GETPROPERTY: GetProperty = RW, DRM, 0xaa, "DRM_IOCTL_MODE_GETPROPERTY";
    GETPLANERESOURCES: PlaneRes = RW, DRM, 0xb5, "DRM_IOCTL_MODE_GETPLANERESOURCES";
    OBJ_GETPROPERTIES: ObjGetProperties = RW, DRM, 0xb9, "DRM_IOCTL_MODE_OBJ_GETPROPERTIES";
    GETFB2: FbCmd2 = RW, DRM, 0xce, "DRM_IOCTL_MODE_GETFB2";
}

constants! {
    CLIENT_CAP_ATOMIC: u64 = 3, "DRM_CLIENT_CAP_ATOMIC";
    OBJECT_PLANE: u32 = 0xeeee_eeee, "DRM_MODE_OBJECT_PLANE";
    OBJECT_CRTC: u32 = 0xcccc_cccc, "DRM_MODE_OBJECT_CRTC";
    FB_MODIFIERS: u32 = 1 << 1, "DRM_MODE_FB_MODIFIERS";
    MOD_LINEAR: u64 = 0, "DRM_FORMAT_MOD_LINEAR";
    XRGB8888: u32 = u32::from_le_bytes(*b"XR24"), "DRM_FORMAT_XRGB8888";
    ARGB8888: u32 = u32::from_le_bytes(*b"AR24"), "DRM_FORMAT_ARGB8888";
    XBGR8888: u32 = u32::from_le_bytes(*b"XB24"), "DRM_FORMAT_XBGR8888";
    ABGR8888: u32 = u32::from_le_bytes(*b"AB24"), "DRM_FORMAT_ABGR8888";
    XRGB2101010: u32 = u32::from_le_bytes(*b"XR30"), "DRM_FORMAT_XRGB2101010";
    RGB565: u32 = u32::from_le_bytes(*b"RG16"), "DRM_FORMAT_RGB565";
}
