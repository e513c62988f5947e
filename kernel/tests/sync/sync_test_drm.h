/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * The uapi of the driver `sync_test`: fences, sync objects and events on request. For tests only.
 */
#ifndef SYNC_TEST_DRM_H
#define SYNC_TEST_DRM_H

#include <drm/drm.h>

#define SYNC_TEST_TIMELINE	(1 << 0)	/* on the file's timeline, rather than on one of its own */
#define SYNC_TEST_PENDING	(1 << 1)	/* in the device's set of pending fences */

/* Issues a fence, and puts it into a sync object at a point (0: replaces its fence). */
struct drm_sync_test_issue {
	__u64 point;
	__u32 syncobj;		/* 0: a new one, whose handle is returned here */
	__u32 timeout_ms;	/* 0: none */
	__u32 flags;
	__u32 id;		/* returned: 1 and up */
};

#define SYNC_TEST_SIGNAL	0		/* with `error` */
#define SYNC_TEST_DROP		1
#define SYNC_TEST_FORGET	2

/*
 * Ends a fence. Fails with EINVAL if there is no such fence, and with ETIMEDOUT if it was already
 * signalled.
 */
struct drm_sync_test_end {
	__u32 id;
	__u32 error;		/* an errno; 0: success */
	__u32 action;
	__u32 pad;
};

/* Waits for the fence of a sync object. */
struct drm_sync_test_wait {
	__u64 point;
	__u32 syncobj;
	__u32 for_submit;
	__u32 timeout_ms;
	__u32 status;		/* returned: the errno with which the fence ended */
};

#define SYNC_TEST_EVENT_FINISHED	0x80000000

/* The event that read(2) returns. */
struct drm_sync_test_event {
	struct drm_event base;
	__u64 cookie;
	__u32 changed;		/* 1: changed after it was reserved */
	__u32 pad;
};

#define SYNC_TEST_KEEP		0
#define SYNC_TEST_SEND_ALL	1
#define SYNC_TEST_DROP_ALL	2
#define SYNC_TEST_HAND_OVER	3

/*
 * Reserves an event and keeps it, or decides about all events that the file keeps. Events that are
 * handed over to the device survive the file's close. They are sent or dropped by the next call
 * that requests it, or dropped with the device.
 */
struct drm_sync_test_notify {
	__u64 cookie;
	__u32 action;
	__u32 id;		/* with SYNC_TEST_KEEP: this fence is signalled with the event; 0: none */
};

/*
 * Lets callbacks race with the expiry of their fences. `rounds` fences expire at the next tick,
 * with four callbacks each, some of which are removed at about that time.
 */
struct drm_sync_test_callbacks {
	__u32 rounds;
	__u32 ran;		/* returned */
	__u32 taken_back;	/* returned */
	__u32 leaked;		/* returned: functions that were not dropped; 0 */
};

/*
 * Ends all fences of the device's set of pending fences with this error. Closes the set with the
 * error unless it stays open.
 */
struct drm_sync_test_close {
	__u32 error;
	__u32 stays_open;
};

#define DRM_IOCTL_SYNC_TEST_ISSUE	DRM_IOWR(DRM_COMMAND_BASE + 0, struct drm_sync_test_issue)
#define DRM_IOCTL_SYNC_TEST_END		DRM_IOW(DRM_COMMAND_BASE + 1, struct drm_sync_test_end)
#define DRM_IOCTL_SYNC_TEST_WAIT	DRM_IOWR(DRM_COMMAND_BASE + 2, struct drm_sync_test_wait)
#define DRM_IOCTL_SYNC_TEST_NOTIFY	DRM_IOW(DRM_COMMAND_BASE + 3, struct drm_sync_test_notify)
#define DRM_IOCTL_SYNC_TEST_CALLBACKS	DRM_IOWR(DRM_COMMAND_BASE + 4, struct drm_sync_test_callbacks)
#define DRM_IOCTL_SYNC_TEST_CLOSE	DRM_IOW(DRM_COMMAND_BASE + 5, struct drm_sync_test_close)

#endif
