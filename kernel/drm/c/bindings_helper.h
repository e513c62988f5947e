/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * The headers of the declarations that the crate `drm` uses beyond those in `kernel::bindings`.
 * bindgen reads this file with the kernel's own flags (kernel/Kbuild).
 */
#include <drm/drm_accel.h>
#include <drm/drm_auth.h>
#include <drm/drm_dumb_buffers.h>
#include <drm/drm_managed.h>
#include <drm/drm_mode_config.h>

#include "helpers.h"
#include "helpers_gpuvm.h"
#include "helpers_sync.h"
