/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * The uapi of sync_test, for bindgen (kernel/Kbuild).
 */
#include "sync_test_drm.h"

static const unsigned int RUST_CONST_HELPER_DRM_IOCTL_SYNC_TEST_ISSUE = DRM_IOCTL_SYNC_TEST_ISSUE;
static const unsigned int RUST_CONST_HELPER_DRM_IOCTL_SYNC_TEST_END = DRM_IOCTL_SYNC_TEST_END;
static const unsigned int RUST_CONST_HELPER_DRM_IOCTL_SYNC_TEST_WAIT = DRM_IOCTL_SYNC_TEST_WAIT;
static const unsigned int RUST_CONST_HELPER_DRM_IOCTL_SYNC_TEST_NOTIFY = DRM_IOCTL_SYNC_TEST_NOTIFY;
static const unsigned int RUST_CONST_HELPER_DRM_IOCTL_SYNC_TEST_CALLBACKS = DRM_IOCTL_SYNC_TEST_CALLBACKS;
static const unsigned int RUST_CONST_HELPER_DRM_IOCTL_SYNC_TEST_CLOSE = DRM_IOCTL_SYNC_TEST_CLOSE;
