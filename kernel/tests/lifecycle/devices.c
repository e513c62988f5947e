// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Two platform devices, `lifecycle.0` and `lifecycle.1`, for the driver of lifecycle.rs. As on a
 * real bus, the hardware exists with or without the driver. Unloading this module removes it.
 */
#include <linux/dma-mapping.h>
#include <linux/err.h>
#include <linux/module.h>
#include <linux/platform_device.h>

static struct platform_device *devices[2];

static void remove_devices(void)
{
	for (int id = ARRAY_SIZE(devices) - 1; id >= 0; id--)
		platform_device_unregister(devices[id]);
}

static int __init lifecycle_devices_init(void)
{
	for (int id = 0; id < ARRAY_SIZE(devices); id++) {
		struct platform_device_info info = {
			.name = "lifecycle",
			.id = id,
			.dma_mask = DMA_BIT_MASK(64),
		};
		struct platform_device *device = platform_device_register_full(&info);

		if (IS_ERR(device)) {
			remove_devices();
			return PTR_ERR(device);
		}
		devices[id] = device;
	}
	return 0;
}
module_init(lifecycle_devices_init);

static void __exit lifecycle_devices_exit(void)
{
	remove_devices();
}
module_exit(lifecycle_devices_exit);

MODULE_DESCRIPTION("Two devices for the life-cycle test driver");
MODULE_AUTHOR("The Drydock authors");
MODULE_LICENSE("Dual MIT/GPL");
