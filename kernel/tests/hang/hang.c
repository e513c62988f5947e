// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * A module whose loading hangs until it is released, and then fails: to test the lab's report of a guest that hangs.
 *
 *   spins=0     waits, like a driver whose hardware never answers
 *   spins=1     spins, like an endless loop
 *   released=1  ends it; written to /sys/module/hang/parameters/released while the module loads
 *
 * Source: none but our own.
 */
#include <linux/delay.h>
#include <linux/module.h>
#include <linux/sched.h>

static bool spins;
module_param(spins, bool, 0);
static bool released;
module_param(released, bool, 0600);

static noinline void hang_spins(void)
{
	while (!READ_ONCE(released)) {
		udelay(1000);
		/* Otherwise the kernel reports a lockup before a slow host has looked. */
		cond_resched();
	}
}

static int __init hang_init(void)
{
	if (spins)
		hang_spins();
	while (!READ_ONCE(released))
		msleep(100);
	return -ENODEV;
}

module_init(hang_init);
MODULE_DESCRIPTION("Hangs while it is loaded, until it is released");
MODULE_LICENSE("Dual MIT/GPL");
