/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * The uapi of the life-cycle test driver: one structure, whose fields each ioctl reads and writes
 * as its comment says. Fields that the comment does not name are ignored.
 */
#ifndef LIFECYCLE_DRM_H
#define LIFECYCLE_DRM_H

#include <drm/drm.h>

struct drm_lifecycle {
	__u32 what;
	__u32 handle;
	__u64 value;
};

/* The settings of DRM_LIFECYCLE_CONTROL, for all devices of the driver. */
#define LIFECYCLE_FAIL		1	/* makes this step fail with EIO the next time: LIFECYCLE_FAIL_* */
#define LIFECYCLE_KEEP_NEXT	2	/* the next probe keeps its device, as DRM_LIFECYCLE_KEEP does */
#define LIFECYCLE_GATE		3	/* 0 closes the gate at which DRM_LIFECYCLE_BLOCK waits, 1 opens it */
#define LIFECYCLE_LATE_WORK	4	/* the next registration data to be dropped queues slow work */
#define LIFECYCLE_SLOW_DROP	5	/* the next object's payload to be dropped waits at the gate */
#define LIFECYCLE_LONG_FDINFO	6	/* fdinfo has a value of this many bytes, which is written as one string */
#define LIFECYCLE_HUGE_TWICE	7	/* the next probe calls use_huge_pages() twice, before anything else */

#define LIFECYCLE_FAIL_DATA		1	/* the device's data */
#define LIFECYCLE_FAIL_OBJECT		2	/* an object's payload */
#define LIFECYCLE_FAIL_REGISTRATION	3	/* the registration data */
#define LIFECYCLE_FAIL_PROBE		4	/* probe, after the device was ready */
#define LIFECYCLE_FAIL_OPEN		5	/* the open of a file */
#define LIFECYCLE_FAIL_HANDLE		6	/* the open of an object by a file */

/* The items that DRM_LIFECYCLE_KEEP keeps, beyond the life of file and device. */
#define LIFECYCLE_KEEP_NOTHING	0	/* drops everything */
#define LIFECYCLE_KEEP_OBJECT	1	/* the object of `handle` */
#define LIFECYCLE_KEEP_DEVICE	2	/* the device of the file */

/* The actions of DRM_LIFECYCLE_KEPT on the kept items. */
#define LIFECYCLE_KEPT_HANDLE	0	/* creates a handle of the object in this file: `handle` */
#define LIFECYCLE_KEPT_DMA	1	/* maps the object for the hardware of this file's device */
#define LIFECYCLE_KEPT_VMAP	2	/* writes `value` to the object and reads it back */
#define LIFECYCLE_KEPT_ENTER	3	/* `value`: whether the device can be entered */
#define LIFECYCLE_KEPT_WORK	4	/* queues work that waits at the gate, and drops the device */
#define LIFECYCLE_KEPT_OBJECT	5	/* creates an object on the device and keeps it */
#define LIFECYCLE_KEPT_VM	6	/* maps the object in a new address space of this file's device, except
					 * for the pages in its middle, and keeps that; `value`: its pages */

#define LIFECYCLE_NR(n)		DRM_IOWR(DRM_COMMAND_BASE + (n), struct drm_lifecycle)

/* Sets the setting `what` to `value`. */
#define DRM_IOCTL_LIFECYCLE_CONTROL	LIFECYCLE_NR(0)
/* Not guarded. `value`: whether the device can be entered; `what`: its number. */
#define DRM_IOCTL_LIFECYCLE_ENTER	LIFECYCLE_NR(1)
/* Guarded. `what`: the number in the registration data; `value`: the number of probes before it. */
#define DRM_IOCTL_LIFECYCLE_GUARDED	LIFECYCLE_NR(2)
/* Guarded. Waits at the gate; `value`: whether the device could be entered again. */
#define DRM_IOCTL_LIFECYCLE_BLOCK	LIFECYCLE_NR(3)
/* Like DRM_IOCTL_LIFECYCLE_BLOCK, but not guarded. */
#define DRM_IOCTL_LIFECYCLE_BLOCK_UNGUARDED	LIFECYCLE_NR(4)
/* Creates an object of `value` bytes: `handle`. */
#define DRM_IOCTL_LIFECYCLE_OBJECT	LIFECYCLE_NR(5)
/* Describes the object of `handle`: `what` is the number of its device, `value` its own. */
#define DRM_IOCTL_LIFECYCLE_INFO	LIFECYCLE_NR(6)
/* Guarded. Creates a handle of the object that was created before registration: `handle`. */
#define DRM_IOCTL_LIFECYCLE_EARLY	LIFECYCLE_NR(7)
/* Keeps the item `what`. */
#define DRM_IOCTL_LIFECYCLE_KEEP	LIFECYCLE_NR(8)
/* Carries out the action `what`. */
#define DRM_IOCTL_LIFECYCLE_KEPT	LIFECYCLE_NR(9)
/*
 * Writes `value` to the object of `handle` at byte `what`, through a kernel mapping; `value`: the
 * previous content.
 */
#define DRM_IOCTL_LIFECYCLE_VMAP	LIFECYCLE_NR(10)
/* Guarded. Maps the object of `handle` for the hardware; `value`: its bytes, `what`: its segments. */
#define DRM_IOCTL_LIFECYCLE_DMA		LIFECYCLE_NR(11)
/*
 * Queues work. If `what` is 1 it waits at the gate; if 2 it queues itself again until that fails.
 */
#define DRM_IOCTL_LIFECYCLE_WORK	LIFECYCLE_NR(12)
/*
 * Creates a sync object and a handle of it (`what` is 0), looks up the fence of the sync object
 * `handle` (1), or the object (2). Each fails with EOPNOTSUPP: the driver does not have the
 * feature.
 */
#define DRM_IOCTL_LIFECYCLE_SYNCOBJ	LIFECYCLE_NR(13)

#endif
