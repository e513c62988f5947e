/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * The uapi of the two `noop` drivers, in Rust and in C: ioctls that do nothing, to measure the cost
 * of a driver's ioctl itself.
 */
#ifndef NOOP_DRM_H
#define NOOP_DRM_H

#include <drm/drm.h>

/* The argument, which is passed and not read. */
struct drm_noop {
	__u64 value;
};

#define DRM_NOOP_UNGUARDED	0x00
#define DRM_NOOP_GUARDED	0x01

/* Does nothing. */
#define DRM_IOCTL_NOOP_UNGUARDED DRM_IOW(DRM_COMMAND_BASE + DRM_NOOP_UNGUARDED, struct drm_noop)
/* Does nothing while the device is plugged. */
#define DRM_IOCTL_NOOP_GUARDED	DRM_IOW(DRM_COMMAND_BASE + DRM_NOOP_GUARDED, struct drm_noop)

#endif
