/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* The uapi of the test driver for QEMU's `edu` device. guest/tests uses it, too. */
#ifndef EDU_DRM_H
#define EDU_DRM_H

#include <drm/drm.h>

struct edu_drm_info {
	__u32 identification;	/* the register, read now */
	__u32 message_irq;	/* 1 if the interrupt is a message (MSI) */
	__u32 interrupts;	/* the number of interrupts so far */
	__u32 resumed;		/* the number of times the device resumed from system sleep */
};

struct edu_drm_factorial {
	__u32 n;
	__u32 result;		/* n! modulo 2 to the 32 */
};

struct edu_drm_dma {
	__u32 handle;		/* a buffer */
	__u32 to_device;	/* 1: the device reads the buffer; 0: it writes to it */
	__u64 offset;		/* in the buffer */
	__u32 length;		/* in bytes, at most 4096, all in one page */
	__u32 no_wait;		/* 1: return as soon as the transfer has begun */
};

#define DRM_IOCTL_EDU_INFO DRM_IOR(DRM_COMMAND_BASE + 0, struct edu_drm_info)
#define DRM_IOCTL_EDU_FACTORIAL DRM_IOWR(DRM_COMMAND_BASE + 1, struct edu_drm_factorial)
#define DRM_IOCTL_EDU_DMA DRM_IOW(DRM_COMMAND_BASE + 2, struct edu_drm_dma)

#endif
