/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* Address spaces: C inline functions and macros for the crate `drm`. */
#ifndef DRM_RUST_HELPERS_GPUVM_H
#define DRM_RUST_HELPERS_GPUVM_H

#include <linux/dma-fence.h>

#include <drm/drm_gpuvm.h>

void drm_rust_gpuvm_get(struct drm_gpuvm *vm);
void drm_rust_gpuva_link(struct drm_gpuva *va, struct drm_gpuvm_bo *vm_bo);
bool drm_rust_dma_fence_begin_signalling(void);
void drm_rust_dma_fence_end_signalling(bool cookie);

#endif
