/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* The ioctl of the test driver of mode setting. */
#ifndef DISPLAY_TEST_DRM_H
#define DISPLAY_TEST_DRM_H

#include <drm/drm.h>

/* Ends a frame, as an interrupt of hardware would. */
#define DISPLAY_TEST_TICK	0
/* Attaches a display (value 1) or takes it away (0), and says so. */
#define DISPLAY_TEST_ATTACH	1
/* Does nothing but return the counts. */
#define DISPLAY_TEST_COUNTS	2

/* How often each hook was called, and what the last flush has seen. */
struct drm_display_test {
	/* in */
	__u32 what;
	__u32 value;
	/* out */
	__u32 enabled;
	__u32 disabled;
	__u32 vblank_on;
	__u32 vblank_off;
	/* The visible planes in the last flush. */
	__u32 planes;
	/* The first pixel of the lowest of them, read by the flush. */
	__u32 pixel;
};

#define DRM_IOCTL_DISPLAY_TEST DRM_IOWR(DRM_COMMAND_BASE, struct drm_display_test)

#endif
