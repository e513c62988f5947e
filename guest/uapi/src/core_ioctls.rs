// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The DRM core's ioctls, except those on sync objects and those of mode setting.
//!
//! Source: `include/uapi/drm/drm.h`, `drm_mode.h` (Linux 7.3).

use super::*;

structures! {
    Version = "drm_version" {
        major: i32, minor: i32, patchlevel: i32, hole: u32, name_len: u64, name: u64, date_len: u64, date: u64,
        desc_len: u64, desc: u64,
    }
    Text = "drm_unique" { len: u64, address: u64 }
    Auth: Plain = "drm_auth" { magic: u32 }
    Client: Plain = "drm_client" { idx: i32, auth: i32, pid: u64, uid: u64, magic: u64, iocs: u64 }
    Stats: Plain = "drm_stats" { count: u64, data: [[u64; 2]; 15] }
    SetVersion: Plain = "drm_set_version" { di_major: i32, di_minor: i32, dd_major: i32, dd_minor: i32 }
    GemClose: Plain = "drm_gem_close" { handle: u32, pad: u32 }
    GemFlink: Plain = "drm_gem_flink" { handle: u32, name: u32 }
    GemOpen: Plain = "drm_gem_open" { name: u32, handle: u32, size: u64 }
    GemChangeHandle: Plain = "drm_gem_change_handle" { handle: u32, new_handle: u32 }
    Cap: Plain = "drm_get_cap" { capability: u64, value: u64 }
    Prime: Plain = "drm_prime_handle" { handle: u32, flags: u32, fd: i32 }
    CreateDumb: Plain = "drm_mode_create_dumb" {
        height: u32, width: u32, bpp: u32, flags: u32, handle: u32, pitch: u32, size: u64,
    }
    MapDumb: Plain = "drm_mode_map_dumb" { handle: u32, pad: u32, offset: u64 }
    DestroyDumb: Plain = "drm_mode_destroy_dumb" { handle: u32 }
}

// `struct drm_set_client_name` is as `struct drm_unique`, and `struct drm_set_client_cap` as `struct drm_get_cap`.
requests! {
    VERSION: Version = RW, DRM, 0x00, "DRM_IOCTL_VERSION";
    GET_UNIQUE: Text = RW, DRM, 0x01, "DRM_IOCTL_GET_UNIQUE";
    GET_MAGIC: Auth = DIR_READ, DRM, 0x02, "DRM_IOCTL_GET_MAGIC";
    GET_CLIENT: Client = RW, DRM, 0x05, "DRM_IOCTL_GET_CLIENT";
    GET_STATS: Stats = DIR_READ, DRM, 0x06, "DRM_IOCTL_GET_STATS";
    SET_VERSION: SetVersion = RW, DRM, 0x07, "DRM_IOCTL_SET_VERSION";
    GEM_CLOSE: GemClose = DIR_WRITE, DRM, 0x09, "DRM_IOCTL_GEM_CLOSE";
    GEM_FLINK: GemFlink = RW, DRM, 0x0a, "DRM_IOCTL_GEM_FLINK";
    GEM_OPEN: GemOpen = RW, DRM, 0x0b, "DRM_IOCTL_GEM_OPEN";
    GET_CAP: Cap = RW, DRM, 0x0c, "DRM_IOCTL_GET_CAP";
    SET_CLIENT_CAP: Cap = DIR_WRITE, DRM, 0x0d, "DRM_IOCTL_SET_CLIENT_CAP";
    AUTH_MAGIC: Auth = DIR_WRITE, DRM, 0x11, "DRM_IOCTL_AUTH_MAGIC";
    SET_MASTER: () = DIR_NONE, DRM, 0x1e, "DRM_IOCTL_SET_MASTER";
    DROP_MASTER: () = DIR_NONE, DRM, 0x1f, "DRM_IOCTL_DROP_MASTER";
    PRIME_HANDLE_TO_FD: Prime = RW, DRM, 0x2d, "DRM_IOCTL_PRIME_HANDLE_TO_FD";
    PRIME_FD_TO_HANDLE: Prime = RW, DRM, 0x2e, "DRM_IOCTL_PRIME_FD_TO_HANDLE";
    MODE_CREATE_DUMB: CreateDumb = RW, DRM, 0xb2, "DRM_IOCTL_MODE_CREATE_DUMB";
    MODE_MAP_DUMB: MapDumb = RW, DRM, 0xb3, "DRM_IOCTL_MODE_MAP_DUMB";
    MODE_DESTROY_DUMB: DestroyDumb = RW, DRM, 0xb4, "DRM_IOCTL_MODE_DESTROY_DUMB";
    SET_CLIENT_NAME: Text = RW, DRM, 0xd1, "DRM_IOCTL_SET_CLIENT_NAME";
    GEM_CHANGE_HANDLE: GemChangeHandle = RW, DRM, 0xd2, "DRM_IOCTL_GEM_CHANGE_HANDLE";
}

constants! {
    CLOEXEC: u32 = 0o2000000, "DRM_CLOEXEC";
    RDWR: u32 = 2, "DRM_RDWR";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_those_that_a_c_compiler_makes_of_the_headers() {
        assert_eq!(VERSION.number, 0xc040_6400);
        assert_eq!(GET_STATS.number, 0x80f8_6406);
        assert_eq!(GEM_CLOSE.number, 0x4008_6409);
        assert_eq!(SET_MASTER.number, 0x641e);
        assert_eq!(PRIME_HANDLE_TO_FD.number, 0xc00c_642d);
        assert_eq!(MODE_CREATE_DUMB.number, 0xc020_64b2);
        assert_eq!(SET_CLIENT_NAME.number, 0xc010_64d1);
    }
}
