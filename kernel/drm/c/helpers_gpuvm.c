// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* Address spaces: C inline functions and macros for the crate `drm`. */
#include <linux/export.h>
#include <linux/mutex.h>

#include "helpers_gpuvm.h"

void drm_rust_gpuvm_get(struct drm_gpuvm *vm)
{
	drm_gpuvm_get(vm);
}
EXPORT_SYMBOL_GPL(drm_rust_gpuvm_get);

/* This lock protects the list for address spaces in immediate mode, and all of ours are in it. */
void drm_rust_gpuva_link(struct drm_gpuva *va, struct drm_gpuvm_bo *vm_bo)
{
	if (!va->gem.obj)
		return;

	mutex_lock(&va->gem.obj->gpuva.lock);
	drm_gpuva_link(va, vm_bo);
	mutex_unlock(&va->gem.obj->gpuva.lock);
}
EXPORT_SYMBOL_GPL(drm_rust_gpuva_link);

bool drm_rust_dma_fence_begin_signalling(void)
{
	return dma_fence_begin_signalling();
}
EXPORT_SYMBOL_GPL(drm_rust_dma_fence_begin_signalling);

void drm_rust_dma_fence_end_signalling(bool cookie)
{
	dma_fence_end_signalling(cookie);
}
EXPORT_SYMBOL_GPL(drm_rust_dma_fence_end_signalling);
