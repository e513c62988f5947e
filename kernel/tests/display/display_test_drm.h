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
/* Makes the next preparation of a framebuffer wait (value 1), or lets it go on (0). */
#define DISPLAY_TEST_HOLD	16
/* Makes a hook fail the next time with the errno in value: that of a plane, of a CRTC, or the preparation. */
#define DISPLAY_TEST_FAIL_PLANE	17
#define DISPLAY_TEST_FAIL_CRTC	18
#define DISPLAY_TEST_FAIL_PREPARE	19
/* Ends a frame by the key of the first device that the module had: EINVAL on any other. */
#define DISPLAY_TEST_FIRST_KEY	20
/* Sends an event and tries to end a frame when the fence of the sync object in value is signalled. */
#define DISPLAY_TEST_ON_FENCE	21
/* From now on the CRTC's disable keeps the scene (value 1), as a driver that forgets it does. */
#define DISPLAY_TEST_KEEP	3
/* From now on framebuffers cannot be prepared (value 1), or can be again (0). */
#define DISPLAY_TEST_BREAK	4
/* From now on the hooks that switch vblanks try to end a frame (value 1). */
#define DISPLAY_TEST_REENTER	5
/* In the next sleep the display is taken away, and the driver says so (value 1). */
#define DISPLAY_TEST_PULL_ASLEEP	6

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
	/* How often a plane was switched off. */
	__u32 planes_off;
	/* Framebuffers that are prepared, among them those that are shown. */
	__u32 alive;
	/* Preparations that wait. */
	__u32 held;
	/* How often the display was looked at in its sleep. */
	__u32 disturbed;
	/* How often a framebuffer was prepared. */
	__u32 prepared;
	/* How often a hook that switches vblanks, or a fence's callback, could not end a frame. */
	__u32 refused;
	/* What the last plane that was shown had to copy, in pixels of its framebuffer: x1, y1, x2, y2. Zeros for nothing. */
	__u32 damage[4];
	/* How often a plane was updated while its CRTC was off. */
	__u32 dark;
};

#define DRM_IOCTL_DISPLAY_TEST DRM_IOWR(DRM_COMMAND_BASE, struct drm_display_test)

#endif
