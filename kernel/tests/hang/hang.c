// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * A module whose loading takes a while and then fails, to test the lab's report of a guest that hangs.
 *
 *   seconds=N   the time that loading takes
 *   how=0       waits, like a driver whose hardware never answers
 *   how=1       spins, like an endless loop
 *   how=2       spins with interrupts disabled
 *
 * Source: none but our own.
 */
#include <linux/delay.h>
#include <linux/irqflags.h>
#include <linux/module.h>

static unsigned int seconds;
module_param(seconds, uint, 0);
static unsigned int how;
module_param(how, uint, 0);

static noinline void hang_spins(void)
{
	unsigned long long left = 1000ULL * seconds;

	while (left--)
		udelay(1000);
}

static noinline void hang_spins_deaf(void)
{
	unsigned long flags;

	local_irq_save(flags);
	hang_spins();
	local_irq_restore(flags);
}

static int __init hang_init(void)
{
	switch (how) {
	case 0:
		ssleep(seconds);
		break;
	case 1:
		hang_spins();
		break;
	default:
		hang_spins_deaf();
	}
	return -ENODEV;
}

module_init(hang_init);
MODULE_DESCRIPTION("Takes long to load");
MODULE_LICENSE("Dual MIT/GPL");
