// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * A driver whose ioctls do nothing, as a careful C author would write it, to compare noop.rs with.
 * Its guarded ioctl enters the same section and reads the same kind of data.
 */
#include <linux/module.h>
#include <linux/platform_device.h>

#include <drm/drm_drv.h>
#include <drm/drm_file.h>
#include <drm/drm_gem.h>
#include <drm/drm_ioctl.h>

#include "noop_drm.h"

struct noop {
	struct drm_device drm;
};

static int noop_unguarded(struct drm_device *dev, void *data, struct drm_file *file)
{
	return 0;
}

static int noop_guarded(struct drm_device *dev, void *data, struct drm_file *file)
{
	int idx;

	if (!drm_dev_enter(dev, &idx))
		return -ENODEV;
	drm_dev_exit(idx);
	return 0;
}

static const struct drm_ioctl_desc noop_ioctls[] = {
	DRM_IOCTL_DEF_DRV(NOOP_UNGUARDED, noop_unguarded, DRM_RENDER_ALLOW),
	DRM_IOCTL_DEF_DRV(NOOP_GUARDED, noop_guarded, DRM_RENDER_ALLOW),
};

static int noop_open(struct drm_device *dev, struct drm_file *file)
{
	file->driver_priv = kzalloc(1, GFP_KERNEL);
	return file->driver_priv ? 0 : -ENOMEM;
}

static void noop_postclose(struct drm_device *dev, struct drm_file *file)
{
	kfree(file->driver_priv);
}

DEFINE_DRM_GEM_FOPS(noop_fops);

static const struct drm_driver noop_driver = {
	.driver_features = DRIVER_GEM | DRIVER_RENDER,
	.open = noop_open,
	.postclose = noop_postclose,
	.ioctls = noop_ioctls,
	.num_ioctls = ARRAY_SIZE(noop_ioctls),
	.fops = &noop_fops,
	.name = "noop_c",
	.desc = "Does nothing, in C",
	.major = 1,
};

static int noop_probe(struct platform_device *pdev)
{
	struct noop *noop;
	int ret;

	noop = devm_drm_dev_alloc(&pdev->dev, &noop_driver, struct noop, drm);
	if (IS_ERR(noop))
		return PTR_ERR(noop);

	ret = drm_dev_register(&noop->drm, 0);
	if (ret)
		return ret;
	platform_set_drvdata(pdev, noop);
	return 0;
}

static void noop_remove(struct platform_device *pdev)
{
	struct noop *noop = platform_get_drvdata(pdev);

	drm_dev_unplug(&noop->drm);
}

static struct platform_driver noop_platform_driver = {
	.probe = noop_probe,
	.remove = noop_remove,
	.driver.name = "noop_c",
};

static struct platform_device *noop_device;

static int __init noop_init(void)
{
	int ret = platform_driver_register(&noop_platform_driver);

	if (ret)
		return ret;
	noop_device = platform_device_register_simple("noop_c", PLATFORM_DEVID_NONE, NULL, 0);
	if (IS_ERR(noop_device)) {
		platform_driver_unregister(&noop_platform_driver);
		return PTR_ERR(noop_device);
	}
	return 0;
}
module_init(noop_init);

static void __exit noop_exit(void)
{
	platform_device_unregister(noop_device);
	platform_driver_unregister(&noop_platform_driver);
}
module_exit(noop_exit);

MODULE_DESCRIPTION("Does nothing, in C");
MODULE_AUTHOR("The Drydock authors");
MODULE_LICENSE("Dual MIT/GPL");
