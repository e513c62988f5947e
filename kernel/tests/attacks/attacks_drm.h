/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * The uapi of the attack drivers: one structure, whose fields each attack reads and writes as its
 * comment says. docs/how-to/add-an-attack.md describes how to add an attack.
 */
#ifndef ATTACKS_DRM_H
#define ATTACKS_DRM_H

#include <drm/drm.h>

struct drm_attack {
	__u32 what;
	__u32 handle;
	__u64 value;
};

/*
 * The callbacks of a driver in which DRM_ATTACK_TRAP calls every safe function. The driver logs the
 * answer of each as `attacks: N: CALLBACK FUNCTION ANSWER`.
 */
#define ATTACK_IN_FILE_OPEN		1
#define ATTACK_IN_FILE_CLOSE		2
#define ATTACK_IN_FILE_DROP		3
#define ATTACK_IN_FDINFO		4
#define ATTACK_IN_FILE_PAGE		5	/* DriverFile::register_page: mmap(2) */
#define ATTACK_IN_OBJECT_NEW		6
#define ATTACK_IN_OBJECT_DUMB		7
#define ATTACK_IN_OBJECT_IMPORT		8
#define ATTACK_IN_OBJECT_OPEN		9
#define ATTACK_IN_OBJECT_CLOSE		10
#define ATTACK_IN_OBJECT_DROP		11
#define ATTACK_IN_UNPLUGGED		12
#define ATTACK_IN_HARDWARE_DROP		13	/* the registration data */
#define ATTACK_IN_WORK			14
#define ATTACK_IN_SPACE_DROP		15
#define ATTACK_IN_ACTION		16	/* a managed action: nothing is left of the device */
#define ATTACK_IN_DATA_DROP		17
#define ATTACK_IN_DRIVER_PAGE		18	/* Driver::register_page: a page fault */
#define ATTACK_IN_SUSPEND		19
#define ATTACK_IN_RESUME		20

/* The attacks of DRM_ATTACK_RUN and DRM_ATTACK_PLUGGED. */
#define ATTACK_MAKE			1	/* makes an object of `value` bytes: `handle` */
#define ATTACK_VMAP_HUGE		2	/* maps an object of `value` bytes into the kernel */
#define ATTACK_VMAP_BOUNDS		3	/* reads and writes beyond the object of `handle` */
#define ATTACK_SYNC_BOUNDS		4	/* plugged: syncs ranges beyond the object of `handle` */
#define ATTACK_SIBLING			5	/* plugged: mixes this device's files, objects and spaces with another's */
#define ATTACK_EXCLUSIVE		6	/* makes an object of an address space that has ended: `handle` */
#define ATTACK_SPACES			7	/* makes requests beyond an address space, for another one, and for one that has ended */
#define ATTACK_SPACE_EXTREMES		8	/* cuts the largest address space into `value` pieces */
#define ATTACK_OWN_CALLBACK		9	/* a fence expires; its callback drops the fence's signaler */
#define ATTACK_STATUS_IN_CALLBACK	10	/* a fence expires; its callback queries how it ended */
#define ATTACK_FOREVER			11	/* issues a fence with the longest possible timeout */
#define ATTACK_CHAIN			12	/* drops a timeline of `value` points at once */
#define ATTACK_LATE			13	/* signals, drops and queries a fence that has expired */
#define ATTACK_CROWDED			14	/* reserves room for 65535 fences; adds one too many */
#define ATTACK_WAIT			15	/* waits for a fence of `value` milliseconds */
#define ATTACK_HOARD			16	/* puts one of everything into the file's data */
#define ATTACK_KEEP			17	/* puts one of everything into the device's data; `handle`: an object */
#define ATTACK_LET_GO			18	/* sends, signals and drops the items that the device keeps */
#define ATTACK_HANDLES			19	/* creates `value` handles of buffers and sync objects, which are never closed */
#define ATTACK_PREPARED			20	/* prepares work; queues some of it from a fence's callback, drops the rest */
#define ATTACK_PENDING			21	/* plugged: adds a fence to the device's set of pending ones: `handle` of its sync object */
#define ATTACK_AGAIN			22	/* creates the module's value again when the module is unloaded */
#define ATTACK_HIDE			23	/* plugged: shows the registers if `value` is not 0, else hides them */
#define ATTACK_SHOW_IN_PAGE		24	/* the next Driver::register_page hides the registers */
#define ATTACK_LEAK			25	/* the next unplugged device is never released */
#define ATTACK_INTERRUPT		26	/* the next unplugged device gets a command to interrupt */
#define ATTACK_CHILDREN			27	/* the next probe of a platform device creates children: ATTACK_CHILDREN_* */
#define ATTACK_CHILD_FAILS		28	/* the next probe of a child fails with the errno `value` */
#define ATTACK_AT_CLOSE			29	/* the next file to be closed carries out `handle` with `value`, and logs the answer */
#define ATTACK_OFFSET			30	/* returns where the object of `handle` is mapped: `value` */
#define ATTACK_OWN_CALLBACK_DROP	31	/* a fence expires; its callback drops itself */
#define ATTACK_REGISTER			32	/* registers a driver that its module does not declare */
#define ATTACK_OTHER_CALLBACKS		33	/* a fence is signalled; its second callback drops the first and the third */

#define ATTACK_CHILDREN_ONE		1	/* one child, with the id 0 */
#define ATTACK_CHILDREN_NAMES		2	/* invalid names */
#define ATTACK_CHILDREN_IDS		3	/* the smallest and the largest id */

#define ATTACK_NR(n)		DRM_IOWR(DRM_COMMAND_BASE + (n), struct drm_attack)

/* Carries out `what`, whether the device is plugged or not. */
#define DRM_IOCTL_ATTACK_RUN		ATTACK_NR(0)
/* Carries out `what` in a section of the unplug guard. */
#define DRM_IOCTL_ATTACK_PLUGGED	ATTACK_NR(1)
/* The next call of the callback `what` of this device is an attack. */
#define DRM_IOCTL_ATTACK_TRAP		ATTACK_NR(2)

#endif
