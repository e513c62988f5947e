/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* Fences, timers and sync objects: C inline functions and macros for the crate `drm`. */
#ifndef DRM_RUST_HELPERS_SYNC_H
#define DRM_RUST_HELPERS_SYNC_H

#include <linux/dma-fence.h>
#include <linux/dma-fence-chain.h>
#include <linux/dma-resv.h>
#include <linux/timer.h>

#include <drm/drm_drv.h>
#include <drm/drm_file.h>
#include <drm/drm_syncobj.h>

/* bindgen sees a different number for `HZ` itself: the one of the uapi headers. */
static const unsigned long DRM_RUST_HZ = HZ;

void drm_rust_dma_fence_get(struct dma_fence *fence);
bool drm_rust_dma_fence_get_unless_zero(struct dma_fence *fence);
void drm_rust_dma_fence_put(struct dma_fence *fence);
bool drm_rust_dma_fence_is_signaled(struct dma_fence *fence);
int drm_rust_dma_fence_status(struct dma_fence *fence);
bool drm_rust_dma_fence_signal_once(struct dma_fence *fence, int error);

/*
 * A running callback of `fence`. It links to the callback that it interrupts, or that signalled
 * `fence`.
 */
struct drm_rust_firing {
	struct dma_fence *fence;
	struct drm_rust_firing *below;
};
void drm_rust_firing_begins(struct drm_rust_firing *firing);
void drm_rust_firing_ends(struct drm_rust_firing *firing);
bool drm_rust_is_firing(void);
bool drm_rust_is_locked_by_firing(struct dma_fence *fence);

void drm_rust_timer_setup(struct timer_list *timer, void (*function)(struct timer_list *));
bool drm_rust_dma_resv_trylock(struct dma_resv *resv);
bool drm_rust_file_has_syncobj(struct drm_file *file, bool timeline);
void drm_rust_syncobj_get(struct drm_syncobj *syncobj);
void drm_rust_syncobj_put(struct drm_syncobj *syncobj);
struct dma_fence *drm_rust_syncobj_fence_get(struct drm_syncobj *syncobj);

/*
 * The node of a timeline is opaque to Rust, because bindgen cannot describe it without the unions
 * within.
 */
void *drm_rust_dma_fence_chain_alloc(void);
void drm_rust_dma_fence_chain_free(void *chain);
void drm_rust_syncobj_add_point(struct drm_syncobj *syncobj, void *chain, struct dma_fence *fence, u64 point);

#endif
