// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! The EDID of the monitor, which does not exist.
//!
//! Source: VESA Enhanced EDID Standard, release A, revision 1; `include/drm/drm_edid.h`

/// The EDID: one block of 128 bytes, of EDID 1.4.
pub(crate) const EDID: [u8; 128] = edid();

/// 1024 x 768 at 60 Hz, as VESA's display monitor timings have it (VESA DMT 10h).
const PREFERRED: [u8; 18] = [
    0x64, 0x19, // pixel clock in 10 kHz: 65 MHz
    0x00, 0x40, 0x41, // 1024 visible pixels, 320 blank ones
    0x00, 0x26, 0x30, // 768 visible lines, 38 blank ones
    0x18, 0x88, 0x36, 0x00, // sync: 24 pixels in front, 136 wide; 3 lines in front, 6 high
    0x40, 0xf0, 0x10, // 320 mm x 240 mm
    0x00, 0x00, // no border
    0x18, // not interlaced, both syncs negative
];

const fn edid() -> [u8; 128] {
    let mut edid = [0; 128];
    put(
        &mut edid,
        0,
        &[0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x00],
    );
    // The maker `DRY`, three letters of five bits each; product 1; serial number 1.
    put(&mut edid, 8, &[0x12, 0x59, 1, 0, 1, 0, 0, 0]);
    // Week and year of manufacture (2026), and the version.
    put(&mut edid, 16, &[1, 36, 1, 4]);
    // Digital with 8 bits a colour; 32 cm x 24 cm; gamma 2.2; sRGB, and the preferred mode is the
    // native one.
    put(&mut edid, 20, &[0xa0, 32, 24, 120, 0x06]);
    // The colours of sRGB.
    put(
        &mut edid,
        25,
        &[0xee, 0x91, 0xa3, 0x54, 0x4c, 0x99, 0x26, 0x0f, 0x50, 0x54],
    );
    // Established timings: 640 x 480, 800 x 600 and 1024 x 768, each at 60 Hz.
    put(&mut edid, 35, &[0x21, 0x08, 0x00]);
    // Standard timings: 1920 x 1080 and 1280 x 720 at 60 Hz; the rest is unused.
    put(&mut edid, 38, &[0xd1, 0xc0, 0x81, 0xc0]);
    let mut at = 42;
    while at < 54 {
        edid[at] = 0x01;
        at += 1;
    }
    put(&mut edid, 54, &PREFERRED);
    put(&mut edid, 72, b"\0\0\0\xfc\0Drydock vkms\n");
    // Ranges: 1 to 255 Hz, 1 to 255 kHz, up to 2,550 MHz; no formula.
    put(
        &mut edid,
        90,
        b"\0\0\0\xfd\0\x01\xff\x01\xff\xff\x01\n      ",
    );
    put(&mut edid, 108, b"\0\0\0\x10");
    let mut sum: u8 = 0;
    let mut at = 0;
    while at < 127 {
        sum = sum.wrapping_add(edid[at]);
        at += 1;
    }
    edid[127] = sum.wrapping_neg();
    edid
}

const fn put(edid: &mut [u8; 128], at: usize, bytes: &[u8]) {
    let mut i = 0;
    while i < bytes.len() {
        edid[at + i] = bytes[i];
        i += 1;
    }
}
