/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * The ioctl of the driver that attacks mode setting. Each attack reads and writes the fields as its comment says.
 * docs/how-to/add-an-attack.md describes how to add an attack.
 */
#ifndef DISPLAY_ATTACKS_DRM_H
#define DISPLAY_ATTACKS_DRM_H

#include <drm/drm.h>

/* Ends a frame, as an interrupt of hardware would. */
#define DISPLAY_ATTACK_TICK		0
/*
 * In the next call of the hook `value`, a place in the list of hooks in trap.rs, the driver calls every safe function.
 * It logs the answers as `HOOK: FUNCTION ANSWER, ...`.
 */
#define DISPLAY_ATTACK_TRAP		1
/* The hooks of the next calls fail with the errno `value`; 0 ends that. */
#define DISPLAY_ATTACK_CHECK_FAILS	2	/* checks of planes */
#define DISPLAY_ATTACK_PREPARE_FAILS	3	/* preparing a framebuffer of a cursor plane */
#define DISPLAY_ATTACK_NO_STATES	4	/* copying a plane's state */
/* The next set-ups, in the next probe, have a mistake each. The driver logs what each ends with. */
#define DISPLAY_ATTACK_WRONG_SETUPS	5
/* Looks at the screen by keys of this and of another device, and does all else meanwhile. */
#define DISPLAY_ATTACK_SCREEN		6
/* Reads pixels at and beyond all borders of the framebuffer that the lowest plane shows: `value` rows were read. */
#define DISPLAY_ATTACK_BORDERS		7
/* The client keeps a mapping of what the lowest plane shows, and logs its first pixel when it is closed. */
#define DISPLAY_ATTACK_KEEP		8
/* The next flush waits until this comes with the value 0. */
#define DISPLAY_ATTACK_WAIT_IN_FLUSH	9
/* Reports `value` hotplugs; `detect` changes its answer with each call. */
#define DISPLAY_ATTACK_HOTPLUGS		10
/* The monitor's EDID is random, made from the seed `value`; 0 ends that. */
#define DISPLAY_ATTACK_EDID		11
/* Maps the framebuffer of the kept mapping while that is read, again and again, until it cannot be mapped any more. */
#define DISPLAY_ATTACK_MAP_AGAIN	12

struct drm_display_attack {
	__u32 what;
	__u32 value;
};

#define DRM_IOCTL_DISPLAY_ATTACK DRM_IOWR(DRM_COMMAND_BASE, struct drm_display_attack)

#endif
