/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * The uapi of the life-cycle test driver: one structure, whose fields each ioctl reads and writes as its
 * comment says; what is not named is not looked at.
 */
#ifndef LIFECYCLE_DRM_H
#define LIFECYCLE_DRM_H

#include <drm/drm.h>

struct drm_lifecycle {
	__u32 what;
	__u32 handle;
	__u64 value;
};

/* What DRM_LIFECYCLE_CONTROL sets, for all devices of the driver. */
#define LIFECYCLE_FAIL		1	/* the next time, this step fails with EIO: LIFECYCLE_FAIL_* */
#define LIFECYCLE_KEEP_NEXT	2	/* the next probe puts its device away, as DRM_LIFECYCLE_KEEP does */
#define LIFECYCLE_GATE		3	/* 0 closes the gate at which DRM_LIFECYCLE_BLOCK waits, 1 opens it */
#define LIFECYCLE_LATE_WORK	4	/* the next registration data to be dropped queues slow work */
#define LIFECYCLE_SLOW_DROP	5	/* the next object's payload to be dropped waits at the gate */
#define LIFECYCLE_LONG_FDINFO	6	/* fdinfo has a value of this many bytes, which is written as one string */
#define LIFECYCLE_HUGE_TWICE	7	/* the next probe asks for huge pages twice, before anything else */

#define LIFECYCLE_FAIL_DATA		1	/* the device's data */
#define LIFECYCLE_FAIL_OBJECT		2	/* an object's payload */
#define LIFECYCLE_FAIL_REGISTRATION	3	/* the registration data */
#define LIFECYCLE_FAIL_PROBE		4	/* probe, when the device was ready */
#define LIFECYCLE_FAIL_OPEN		5	/* the open of a file */
#define LIFECYCLE_FAIL_HANDLE		6	/* the open of an object by a file */

/* What DRM_LIFECYCLE_KEEP puts away, beyond the life of file and device. */
#define LIFECYCLE_KEEP_NOTHING	0	/* lets go of everything */
#define LIFECYCLE_KEEP_OBJECT	1	/* the object of `handle` */
#define LIFECYCLE_KEEP_DEVICE	2	/* the device of the file */

/* What DRM_LIFECYCLE_KEPT tries with what was put away. */
#define LIFECYCLE_KEPT_HANDLE	0	/* makes a handle of the object in this file: `handle` */
#define LIFECYCLE_KEPT_DMA	1	/* maps the object for the hardware of this file's device */
#define LIFECYCLE_KEPT_VMAP	2	/* writes `value` to the object and reads it back */
#define LIFECYCLE_KEPT_ENTER	3	/* `value`: whether the device can be entered */
#define LIFECYCLE_KEPT_WORK	4	/* queues work that waits at the gate, and lets go of the device */
#define LIFECYCLE_KEPT_OBJECT	5	/* makes an object on the device and puts it away */
#define LIFECYCLE_KEPT_VM	6	/* maps the object in a new address space of this file's device, but for
					 * the pages in its middle, and puts that away; `value`: its pages */

#define LIFECYCLE_NR(n)		DRM_IOWR(DRM_COMMAND_BASE + (n), struct drm_lifecycle)

/* Sets what `what` names to `value`. */
#define DRM_IOCTL_LIFECYCLE_CONTROL	LIFECYCLE_NR(0)
/* Not guarded. `value`: whether the device can be entered; `what`: its number. */
#define DRM_IOCTL_LIFECYCLE_ENTER	LIFECYCLE_NR(1)
/* Guarded. `what`: the number in the registration data; `value`: how many probes there were before it. */
#define DRM_IOCTL_LIFECYCLE_GUARDED	LIFECYCLE_NR(2)
/* Guarded. Waits at the gate; `value`: whether the device could be entered again. */
#define DRM_IOCTL_LIFECYCLE_BLOCK	LIFECYCLE_NR(3)
/* Not guarded. As before. */
#define DRM_IOCTL_LIFECYCLE_BLOCK_UNGUARDED	LIFECYCLE_NR(4)
/* Makes an object of `value` bytes: `handle`. */
#define DRM_IOCTL_LIFECYCLE_OBJECT	LIFECYCLE_NR(5)
/* The object of `handle`: `what` is the number of its device, `value` its own. */
#define DRM_IOCTL_LIFECYCLE_INFO	LIFECYCLE_NR(6)
/* Guarded. Makes a handle of the object that was made before registration: `handle`. */
#define DRM_IOCTL_LIFECYCLE_EARLY	LIFECYCLE_NR(7)
/* Puts away what `what` names. */
#define DRM_IOCTL_LIFECYCLE_KEEP	LIFECYCLE_NR(8)
/* Tries what `what` names. */
#define DRM_IOCTL_LIFECYCLE_KEPT	LIFECYCLE_NR(9)
/* Writes `value` to the object of `handle` at byte `what`, by a kernel mapping; `value`: what was there. */
#define DRM_IOCTL_LIFECYCLE_VMAP	LIFECYCLE_NR(10)
/* Guarded. Maps the object of `handle` for the hardware; `value`: its bytes, `what`: its segments. */
#define DRM_IOCTL_LIFECYCLE_DMA		LIFECYCLE_NR(11)
/* Queues work; if `what` is 1 it waits at the gate, if 2 it queues itself again for as long as it can. */
#define DRM_IOCTL_LIFECYCLE_WORK	LIFECYCLE_NR(12)
/*
 * Makes a sync object and a handle of it (`what` is 0), looks up the fence of the sync object `handle` (1), or the object (2).
 * Each fails with EOPNOTSUPP: the driver does not have the feature.
 */
#define DRM_IOCTL_LIFECYCLE_SYNCOBJ	LIFECYCLE_NR(13)

#endif
