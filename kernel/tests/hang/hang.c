// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * A module whose loading takes a while and then fails, for tests of what the lab says of a guest that hangs.
 *
 *   seconds=N   how long it takes
 *   how=0       it waits, as a driver does that waits for hardware that never answers
 *   how=1       it spins, as a loop without an end does
 *   how=2       it spins with interrupts disabled
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
