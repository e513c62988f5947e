// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Gives QEMU's `edu` BARs that have no registers, while this module is loaded and no driver is
 * bound. BAR 1 has ports, as many as a page has bytes. With `unset=1`, BAR 2 has memory without an
 * address, as firmware leaves a BAR for which there was no room.
 */
#include <linux/ioport.h>
#include <linux/module.h>
#include <linux/pci.h>

static bool unset;
module_param(unset, bool, 0444);

static struct pci_dev *edu;

static int __init edu_bars_init(void)
{
	edu = pci_get_device(0x1234, 0x11e8, NULL);
	if (!edu)
		return -ENODEV;

	*pci_resource_n(edu, 1) = DEFINE_RES_NAMED(0x1000, PAGE_SIZE, pci_name(edu), IORESOURCE_IO);
	if (unset)
		*pci_resource_n(edu, 2) =
			DEFINE_RES_NAMED(0, PAGE_SIZE, pci_name(edu), IORESOURCE_MEM | IORESOURCE_UNSET);
	return 0;
}
module_init(edu_bars_init);

static void __exit edu_bars_exit(void)
{
	*pci_resource_n(edu, 1) = (struct resource){};
	*pci_resource_n(edu, 2) = (struct resource){};
	pci_dev_put(edu);
}
module_exit(edu_bars_exit);

MODULE_DESCRIPTION("BARs without registers for QEMU's edu");
MODULE_AUTHOR("The Drydock authors");
MODULE_LICENSE("Dual MIT/GPL");
