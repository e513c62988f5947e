/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * The headers of the declarations that the crate `drm` uses beyond those in `kernel::bindings`.
 * bindgen reads this file with the kernel's own flags (kernel/Kbuild).
 */
#include <drm/drm_accel.h>
#include <drm/drm_auth.h>
#include <drm/drm_dumb_buffers.h>
#include <drm/drm_managed.h>
#include <drm/clients/drm_client_setup.h>
#include <drm/drm_atomic.h>
#include <drm/drm_atomic_helper.h>
#include <drm/drm_atomic_state_helper.h>
#include <drm/drm_blend.h>
#include <drm/drm_connector.h>
#include <drm/drm_crtc.h>
#include <drm/drm_damage_helper.h>
#include <drm/drm_edid.h>
#include <drm/drm_encoder.h>
#include <drm/drm_fbdev_shmem.h>
#include <drm/drm_framebuffer.h>
#include <drm/drm_gem_atomic_helper.h>
#include <drm/drm_gem_framebuffer_helper.h>
#include <drm/drm_mode_config.h>
#include <drm/drm_modeset_helper_vtables.h>
#include <drm/drm_plane.h>
#include <drm/drm_probe_helper.h>
#include <drm/drm_vblank.h>

#include "helpers.h"
#include "helpers_gpuvm.h"
#include "helpers_kms.h"
#include "helpers_sync.h"
