// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Mode setting: resources, properties, framebuffers, commits, events, vertical blanking, leases. A field `list` is the
//! address of an array that the kernel fills if it has room for all entries; the kernel always writes their number.
//!
//! Source: `include/uapi/drm/drm_mode.h`, `drm.h`, `drm_fourcc.h` (Linux 7.3).

use super::*;

structures! {
    ModeInfo: Plain = "drm_mode_modeinfo" {
        clock: u32, hdisplay: u16, hsync_start: u16, hsync_end: u16, htotal: u16, hskew: u16,
        vdisplay: u16, vsync_start: u16, vsync_end: u16, vtotal: u16, vscan: u16,
        vrefresh: u32, flags: u32, kind: u32, name: [u8; 32],
    }
    CardRes = "drm_mode_card_res" {
        fb_id_ptr: u64, crtc_id_ptr: u64, connector_id_ptr: u64, encoder_id_ptr: u64,
        count_fbs: u32, count_crtcs: u32, count_connectors: u32, count_encoders: u32,
        min_width: u32, max_width: u32, min_height: u32, max_height: u32,
    }
    Crtc = "drm_mode_crtc" {
        connectors: u64, count_connectors: u32, crtc_id: u32, fb_id: u32, x: u32, y: u32, gamma_size: u32,
        mode_valid: u32, mode: ModeInfo,
    }
    SetPlane: Plain = "drm_mode_set_plane" {
        plane_id: u32, crtc_id: u32, fb_id: u32, flags: u32, crtc_x: i32, crtc_y: i32, crtc_w: u32, crtc_h: u32,
        src_x: u32, src_y: u32, src_h: u32, src_w: u32,
    }
    GetPlane = "drm_mode_get_plane" {
        plane_id: u32, crtc_id: u32, fb_id: u32, possible_crtcs: u32, gamma_size: u32, count_format_types: u32,
        format_type_ptr: u64,
    }
    PlaneRes = "drm_mode_get_plane_res" { list: u64, count_planes: u32, hole: u32 }
    GetEncoder: Plain = "drm_mode_get_encoder" {
        encoder_id: u32, encoder_type: u32, crtc_id: u32, possible_crtcs: u32, possible_clones: u32,
    }
    GetConnector = "drm_mode_get_connector" {
        encoders_ptr: u64, modes_ptr: u64, props_ptr: u64, prop_values_ptr: u64,
        count_modes: u32, count_props: u32, count_encoders: u32, encoder_id: u32, connector_id: u32,
        connector_type: u32, connector_type_id: u32, connection: u32, mm_width: u32, mm_height: u32, subpixel: u32,
        pad: u32,
    }
    PropertyEnum: Plain = "drm_mode_property_enum" { value: u64, name: [u8; 32] }
    GetProperty = "drm_mode_get_property" {
        values: u64, enums: u64, prop_id: u32, flags: u32, name: [u8; 32], count_values: u32,
        count_enum_blobs: u32,
    }
    ConnectorSetProperty: Plain = "drm_mode_connector_set_property" { value: u64, prop_id: u32, connector_id: u32 }
    ObjGetProperties = "drm_mode_obj_get_properties" {
        list: u64, values: u64, count_props: u32, obj_id: u32, obj_type: u32, hole: u32,
    }
    ObjSetProperty: Plain = "drm_mode_obj_set_property" {
        value: u64, prop_id: u32, obj_id: u32, obj_type: u32, hole: u32,
    }
    GetBlob = "drm_mode_get_blob" { blob_id: u32, length: u32, data: u64 }
    CreateBlob = "drm_mode_create_blob" { data: u64, length: u32, blob_id: u32 }
    DestroyBlob: Plain = "drm_mode_destroy_blob" { blob_id: u32 }
    FbCmd: Plain = "drm_mode_fb_cmd" {
        fb_id: u32, width: u32, height: u32, pitch: u32, bpp: u32, depth: u32, handle: u32,
    }
    FbCmd2: Plain = "drm_mode_fb_cmd2" {
        fb_id: u32, width: u32, height: u32, pixel_format: u32, flags: u32, handles: [u32; 4], pitches: [u32; 4],
        offsets: [u32; 4], hole: u32, modifier: [u64; 4],
    }
    CloseFb: Plain = "drm_mode_closefb" { fb_id: u32, pad: u32 }
    FbDirty = "drm_mode_fb_dirty_cmd" { fb_id: u32, flags: u32, color: u32, num_clips: u32, clips_ptr: u64 }
    ClipRect: Plain = "drm_clip_rect" { x1: u16, y1: u16, x2: u16, y2: u16 }
    Cursor: Plain = "drm_mode_cursor" {
        flags: u32, crtc_id: u32, x: i32, y: i32, width: u32, height: u32, handle: u32,
    }
    Cursor2: Plain = "drm_mode_cursor2" {
        flags: u32, crtc_id: u32, x: i32, y: i32, width: u32, height: u32, handle: u32, hot_x: i32, hot_y: i32,
    }
    CrtcLut = "drm_mode_crtc_lut" { crtc_id: u32, gamma_size: u32, red: u64, green: u64, blue: u64 }
    ColorLut: Plain = "drm_color_lut" { red: u16, green: u16, blue: u16, reserved: u16 }
    PageFlip: Plain = "drm_mode_crtc_page_flip_target" {
        crtc_id: u32, fb_id: u32, flags: u32, sequence: u32, user_data: u64,
    }
    Atomic = "drm_mode_atomic" {
        flags: u32, count_objs: u32, objs_ptr: u64, count_props_ptr: u64, props_ptr: u64, prop_values_ptr: u64,
        reserved: u64, user_data: u64,
    }
    FormatBlob: Plain = "drm_format_modifier_blob" {
        version: u32, flags: u32, count_formats: u32, formats_offset: u32, count_modifiers: u32,
        modifiers_offset: u32,
    }
    FormatModifier: Plain = "drm_format_modifier" { formats: u64, offset: u32, pad: u32, modifier: u64 }
    CreateLease = "drm_mode_create_lease" {
        object_ids: u64, object_count: u32, flags: u32, lessee_id: u32, fd: u32,
    }
    ListLessees = "drm_mode_list_lessees" { count_lessees: u32, pad: u32, lessees_ptr: u64 }
    GetLease = "drm_mode_get_lease" { count_objects: u32, pad: u32, objects_ptr: u64 }
    RevokeLease: Plain = "drm_mode_revoke_lease" { lessee_id: u32 }
    // The union with `struct drm_wait_vblank_request`, whose `signal`, the number of an event, is where the seconds are.
    WaitVblank: Plain = "drm_wait_vblank_reply" { kind: u32, sequence: u32, tval_sec: i64, tval_usec: i64 }
    CrtcGetSequence: Plain = "drm_crtc_get_sequence" { crtc_id: u32, active: u32, sequence: u64, sequence_ns: i64 }
    CrtcQueueSequence: Plain = "drm_crtc_queue_sequence" { crtc_id: u32, flags: u32, sequence: u64, user_data: u64 }
    EventHeader: Plain = "drm_event" { kind: u32, length: u32 }
    EventVblank: Plain = "drm_event_vblank" {
        base: EventHeader, user_data: u64, tv_sec: u32, tv_usec: u32, sequence: u32, crtc_id: u32,
    }
    EventCrtcSequence: Plain = "drm_event_crtc_sequence" {
        base: EventHeader, user_data: u64, time_ns: i64, sequence: u64,
    }
}

requests! {
    WAIT_VBLANK: WaitVblank = RW, DRM, 0x3a, "DRM_IOCTL_WAIT_VBLANK";
    CRTC_GET_SEQUENCE: CrtcGetSequence = RW, DRM, 0x3b, "DRM_IOCTL_CRTC_GET_SEQUENCE";
    CRTC_QUEUE_SEQUENCE: CrtcQueueSequence = RW, DRM, 0x3c, "DRM_IOCTL_CRTC_QUEUE_SEQUENCE";
    GETRESOURCES: CardRes = RW, DRM, 0xa0, "DRM_IOCTL_MODE_GETRESOURCES";
    GETCRTC: Crtc = RW, DRM, 0xa1, "DRM_IOCTL_MODE_GETCRTC";
    SETCRTC: Crtc = RW, DRM, 0xa2, "DRM_IOCTL_MODE_SETCRTC";
    CURSOR: Cursor = RW, DRM, 0xa3, "DRM_IOCTL_MODE_CURSOR";
    GETGAMMA: CrtcLut = RW, DRM, 0xa4, "DRM_IOCTL_MODE_GETGAMMA";
    SETGAMMA: CrtcLut = RW, DRM, 0xa5, "DRM_IOCTL_MODE_SETGAMMA";
    GETENCODER: GetEncoder = RW, DRM, 0xa6, "DRM_IOCTL_MODE_GETENCODER";
    GETCONNECTOR: GetConnector = RW, DRM, 0xa7, "DRM_IOCTL_MODE_GETCONNECTOR";
    GETPROPERTY: GetProperty = RW, DRM, 0xaa, "DRM_IOCTL_MODE_GETPROPERTY";
    SETPROPERTY: ConnectorSetProperty = RW, DRM, 0xab, "DRM_IOCTL_MODE_SETPROPERTY";
    GETPROPBLOB: GetBlob = RW, DRM, 0xac, "DRM_IOCTL_MODE_GETPROPBLOB";
    GETFB: FbCmd = RW, DRM, 0xad, "DRM_IOCTL_MODE_GETFB";
    ADDFB: FbCmd = RW, DRM, 0xae, "DRM_IOCTL_MODE_ADDFB";
    RMFB: u32 = RW, DRM, 0xaf, "DRM_IOCTL_MODE_RMFB";
    // The number is that of `struct drm_mode_crtc_page_flip`, which has the same size.
    PAGE_FLIP: PageFlip = RW, DRM, 0xb0, "DRM_IOCTL_MODE_PAGE_FLIP";
    DIRTYFB: FbDirty = RW, DRM, 0xb1, "DRM_IOCTL_MODE_DIRTYFB";
    GETPLANERESOURCES: PlaneRes = RW, DRM, 0xb5, "DRM_IOCTL_MODE_GETPLANERESOURCES";
    GETPLANE: GetPlane = RW, DRM, 0xb6, "DRM_IOCTL_MODE_GETPLANE";
    SETPLANE: SetPlane = RW, DRM, 0xb7, "DRM_IOCTL_MODE_SETPLANE";
    ADDFB2: FbCmd2 = RW, DRM, 0xb8, "DRM_IOCTL_MODE_ADDFB2";
    OBJ_GETPROPERTIES: ObjGetProperties = RW, DRM, 0xb9, "DRM_IOCTL_MODE_OBJ_GETPROPERTIES";
    OBJ_SETPROPERTY: ObjSetProperty = RW, DRM, 0xba, "DRM_IOCTL_MODE_OBJ_SETPROPERTY";
    CURSOR2: Cursor2 = RW, DRM, 0xbb, "DRM_IOCTL_MODE_CURSOR2";
    ATOMIC: Atomic = RW, DRM, 0xbc, "DRM_IOCTL_MODE_ATOMIC";
    CREATEPROPBLOB: CreateBlob = RW, DRM, 0xbd, "DRM_IOCTL_MODE_CREATEPROPBLOB";
    DESTROYPROPBLOB: DestroyBlob = RW, DRM, 0xbe, "DRM_IOCTL_MODE_DESTROYPROPBLOB";
    CREATE_LEASE: CreateLease = RW, DRM, 0xc6, "DRM_IOCTL_MODE_CREATE_LEASE";
    LIST_LESSEES: ListLessees = RW, DRM, 0xc7, "DRM_IOCTL_MODE_LIST_LESSEES";
    GET_LEASE: GetLease = RW, DRM, 0xc8, "DRM_IOCTL_MODE_GET_LEASE";
    REVOKE_LEASE: RevokeLease = RW, DRM, 0xc9, "DRM_IOCTL_MODE_REVOKE_LEASE";
    GETFB2: FbCmd2 = RW, DRM, 0xce, "DRM_IOCTL_MODE_GETFB2";
    CLOSEFB: CloseFb = RW, DRM, 0xd0, "DRM_IOCTL_MODE_CLOSEFB";
}

constants! {
    CAP_DUMB_BUFFER: u64 = 0x1, "DRM_CAP_DUMB_BUFFER";
    CAP_VBLANK_HIGH_CRTC: u64 = 0x2, "DRM_CAP_VBLANK_HIGH_CRTC";
    CAP_TIMESTAMP_MONOTONIC: u64 = 0x6, "DRM_CAP_TIMESTAMP_MONOTONIC";
    CAP_ASYNC_PAGE_FLIP: u64 = 0x7, "DRM_CAP_ASYNC_PAGE_FLIP";
    CAP_CURSOR_WIDTH: u64 = 0x8, "DRM_CAP_CURSOR_WIDTH";
    CAP_CURSOR_HEIGHT: u64 = 0x9, "DRM_CAP_CURSOR_HEIGHT";
    CAP_ADDFB2_MODIFIERS: u64 = 0x10, "DRM_CAP_ADDFB2_MODIFIERS";
    CAP_PAGE_FLIP_TARGET: u64 = 0x11, "DRM_CAP_PAGE_FLIP_TARGET";
    CAP_CRTC_IN_VBLANK_EVENT: u64 = 0x12, "DRM_CAP_CRTC_IN_VBLANK_EVENT";
    CAP_SYNCOBJ: u64 = 0x13, "DRM_CAP_SYNCOBJ";
    CLIENT_CAP_UNIVERSAL_PLANES: u64 = 2, "DRM_CLIENT_CAP_UNIVERSAL_PLANES";
    CLIENT_CAP_ATOMIC: u64 = 3, "DRM_CLIENT_CAP_ATOMIC";
    CLIENT_CAP_WRITEBACK_CONNECTORS: u64 = 5, "DRM_CLIENT_CAP_WRITEBACK_CONNECTORS";
    OBJECT_CRTC: u32 = 0xcccc_cccc, "DRM_MODE_OBJECT_CRTC";
    OBJECT_CONNECTOR: u32 = 0xc0c0_c0c0, "DRM_MODE_OBJECT_CONNECTOR";
    OBJECT_ENCODER: u32 = 0xe0e0_e0e0, "DRM_MODE_OBJECT_ENCODER";
    OBJECT_FB: u32 = 0xfbfb_fbfb, "DRM_MODE_OBJECT_FB";
    OBJECT_PLANE: u32 = 0xeeee_eeee, "DRM_MODE_OBJECT_PLANE";
    OBJECT_ANY: u32 = 0, "DRM_MODE_OBJECT_ANY";
    PROP_RANGE: u32 = 1 << 1, "DRM_MODE_PROP_RANGE";
    PROP_IMMUTABLE: u32 = 1 << 2, "DRM_MODE_PROP_IMMUTABLE";
    PROP_ENUM: u32 = 1 << 3, "DRM_MODE_PROP_ENUM";
    PROP_BLOB: u32 = 1 << 4, "DRM_MODE_PROP_BLOB";
    PROP_BITMASK: u32 = 1 << 5, "DRM_MODE_PROP_BITMASK";
    PROP_OBJECT: u32 = 1 << 6, "DRM_MODE_PROP_OBJECT";
    PROP_SIGNED_RANGE: u32 = 2 << 6, "DRM_MODE_PROP_SIGNED_RANGE";
    PROP_ATOMIC: u32 = 0x8000_0000, "DRM_MODE_PROP_ATOMIC";
    CONNECTOR_VIRTUAL: u32 = 15, "DRM_MODE_CONNECTOR_VIRTUAL";
    CONNECTOR_WRITEBACK: u32 = 18, "DRM_MODE_CONNECTOR_WRITEBACK";
    ENCODER_VIRTUAL: u32 = 5, "DRM_MODE_ENCODER_VIRTUAL";
    MODE_TYPE_PREFERRED: u32 = 1 << 3, "DRM_MODE_TYPE_PREFERRED";
    DPMS_ON: u64 = 0, "DRM_MODE_DPMS_ON";
    DPMS_OFF: u64 = 3, "DRM_MODE_DPMS_OFF";
    FB_INTERLACED: u32 = 1, "DRM_MODE_FB_INTERLACED";
    FB_MODIFIERS: u32 = 2, "DRM_MODE_FB_MODIFIERS";
    CURSOR_BO: u32 = 1, "DRM_MODE_CURSOR_BO";
    CURSOR_MOVE: u32 = 2, "DRM_MODE_CURSOR_MOVE";
    PAGE_FLIP_EVENT: u32 = 1, "DRM_MODE_PAGE_FLIP_EVENT";
    PAGE_FLIP_ASYNC: u32 = 2, "DRM_MODE_PAGE_FLIP_ASYNC";
    PAGE_FLIP_TARGET_ABSOLUTE: u32 = 4, "DRM_MODE_PAGE_FLIP_TARGET_ABSOLUTE";
    PAGE_FLIP_TARGET_RELATIVE: u32 = 8, "DRM_MODE_PAGE_FLIP_TARGET_RELATIVE";
    ATOMIC_TEST_ONLY: u32 = 0x100, "DRM_MODE_ATOMIC_TEST_ONLY";
    ATOMIC_NONBLOCK: u32 = 0x200, "DRM_MODE_ATOMIC_NONBLOCK";
    ATOMIC_ALLOW_MODESET: u32 = 0x400, "DRM_MODE_ATOMIC_ALLOW_MODESET";
    VBLANK_ABSOLUTE: u32 = 0, "_DRM_VBLANK_ABSOLUTE";
    VBLANK_RELATIVE: u32 = 1, "_DRM_VBLANK_RELATIVE";
    VBLANK_EVENT: u32 = 0x0400_0000, "_DRM_VBLANK_EVENT";
    VBLANK_NEXTONMISS: u32 = 0x1000_0000, "_DRM_VBLANK_NEXTONMISS";
    VBLANK_SECONDARY: u32 = 0x2000_0000, "_DRM_VBLANK_SECONDARY";
    VBLANK_SIGNAL: u32 = 0x4000_0000, "_DRM_VBLANK_SIGNAL";
    VBLANK_HIGH_CRTC_SHIFT: u32 = 1, "_DRM_VBLANK_HIGH_CRTC_SHIFT";
    SEQUENCE_RELATIVE: u32 = 1, "DRM_CRTC_SEQUENCE_RELATIVE";
    SEQUENCE_NEXT_ON_MISS: u32 = 2, "DRM_CRTC_SEQUENCE_NEXT_ON_MISS";
    EVENT_VBLANK: u32 = 1, "DRM_EVENT_VBLANK";
    EVENT_FLIP_COMPLETE: u32 = 2, "DRM_EVENT_FLIP_COMPLETE";
    EVENT_CRTC_SEQUENCE: u32 = 3, "DRM_EVENT_CRTC_SEQUENCE";
    XRGB8888: u32 = fourcc(*b"XR24"), "DRM_FORMAT_XRGB8888";
    ARGB8888: u32 = fourcc(*b"AR24"), "DRM_FORMAT_ARGB8888";
    XBGR8888: u32 = fourcc(*b"XB24"), "DRM_FORMAT_XBGR8888";
    ABGR8888: u32 = fourcc(*b"AB24"), "DRM_FORMAT_ABGR8888";
    XRGB2101010: u32 = fourcc(*b"XR30"), "DRM_FORMAT_XRGB2101010";
    RGB565: u32 = fourcc(*b"RG16"), "DRM_FORMAT_RGB565";
    NV12: u32 = fourcc(*b"NV12"), "DRM_FORMAT_NV12";
    YUYV: u32 = fourcc(*b"YUYV"), "DRM_FORMAT_YUYV";
    C8: u32 = fourcc(*b"C8  "), "DRM_FORMAT_C8";
    MOD_LINEAR: u64 = 0, "DRM_FORMAT_MOD_LINEAR";
    MOD_INVALID: u64 = 0x00ff_ffff_ffff_ffff, "DRM_FORMAT_MOD_INVALID";
}

/// `fourcc_code()`
pub const fn fourcc(letters: [u8; 4]) -> u32 {
    u32::from_le_bytes(letters)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_those_that_a_c_compiler_makes_of_the_headers() {
        assert_eq!(GETRESOURCES.number, 0xc040_64a0);
        assert_eq!(SETCRTC.number, 0xc068_64a2);
        assert_eq!(RMFB.number, 0xc004_64af);
        assert_eq!(ADDFB2.number, 0xc068_64b8);
        assert_eq!(ATOMIC.number, 0xc038_64bc);
        assert_eq!(WAIT_VBLANK.number, 0xc018_643a);
    }
}
