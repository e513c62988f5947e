/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * The uapi of nova, for bindgen (kernel/Kbuild). The header already declares structures and ioctl
 * numbers in a usable form.
 */
#include <uapi/drm/nova_drm.h>
