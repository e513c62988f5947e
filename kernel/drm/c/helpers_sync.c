// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* Fences, timers and sync objects: C inline functions and macros for the crate `drm`. */
#include <linux/export.h>

#include "helpers_sync.h"

void drm_rust_dma_fence_get(struct dma_fence *fence)
{
	dma_fence_get(fence);
}
EXPORT_SYMBOL_GPL(drm_rust_dma_fence_get);

bool drm_rust_dma_fence_get_unless_zero(struct dma_fence *fence)
{
	return dma_fence_get_rcu(fence);
}
EXPORT_SYMBOL_GPL(drm_rust_dma_fence_get_unless_zero);

void drm_rust_dma_fence_put(struct dma_fence *fence)
{
	dma_fence_put(fence);
}
EXPORT_SYMBOL_GPL(drm_rust_dma_fence_put);

bool drm_rust_dma_fence_is_signaled(struct dma_fence *fence)
{
	return dma_fence_is_signaled(fence);
}
EXPORT_SYMBOL_GPL(drm_rust_dma_fence_is_signaled);

/*
 * Returns how `fence` ended: 0 while it has not, 1 for success, or a negative error.
 *
 * The flag of a signalled fence is set after the error and before the callbacks run. So a caller
 * that sees the flag needs no lock, and a callback may call this.
 */
int drm_rust_dma_fence_status(struct dma_fence *fence)
{
	if (test_bit_acquire(DMA_FENCE_FLAG_SIGNALED_BIT, &fence->flags))
		return READ_ONCE(fence->error) ?: 1;
	return dma_fence_get_status(fence);
}
EXPORT_SYMBOL_GPL(drm_rust_dma_fence_status);

/*
 * Signals `fence`, with `error` unless that is zero, if it is not yet signalled. Returns whether
 * this call signalled it.
 *
 * A callback of the fence, which runs under its lock, may call this by dropping the fence's
 * signaler. The flag is set then, and the lock is not taken.
 *
 * dma_fence_check_and_signal() cannot set an error. Setting one before it would race with other
 * callers that signal, because both must happen under one hold of the lock.
 */
bool drm_rust_dma_fence_signal_once(struct dma_fence *fence, int error)
{
	bool cookie, first;
	unsigned long flags;

	if (dma_fence_test_signaled_flag(fence))
		return false;

	cookie = dma_fence_begin_signalling();
	dma_fence_lock_irqsave(fence, flags);
	first = !dma_fence_test_signaled_flag(fence);
	if (first) {
		if (error)
			dma_fence_set_error(fence, error);
		dma_fence_signal_locked(fence);
	}
	dma_fence_unlock_irqrestore(fence, flags);
	dma_fence_end_signalling(cookie);

	return first;
}
EXPORT_SYMBOL_GPL(drm_rust_dma_fence_signal_once);

/*
 * The callbacks that run on this processor, the innermost first: those of fences, and hooks that
 * switch vblanks, which have no fence. C calls them under spinlocks with interrupts off. So a
 * processor that can be interrupted runs none, and no other processor reads this list. With
 * PREEMPT_RT they can be interrupted, so no list is kept there.
 */
static DEFINE_PER_CPU(struct drm_rust_firing *, innermost);

void drm_rust_firing_begins(struct drm_rust_firing *firing)
{
	if (!IS_ENABLED(CONFIG_PREEMPT_RT)) {
		firing->below = this_cpu_read(innermost);
		this_cpu_write(innermost, firing);
	}
}
EXPORT_SYMBOL_GPL(drm_rust_firing_begins);

void drm_rust_firing_ends(struct drm_rust_firing *firing)
{
	if (!IS_ENABLED(CONFIG_PREEMPT_RT))
		this_cpu_write(innermost, firing->below);
}
EXPORT_SYMBOL_GPL(drm_rust_firing_ends);

/*
 * Returns whether the caller is within a callback that runs under the lock of `fence`: a callback
 * of `fence`, or of another fence with the same lock.
 */
bool drm_rust_is_locked_by_firing(struct dma_fence *fence)
{
	struct drm_rust_firing *firing;

	for (firing = this_cpu_read(innermost); firing; firing = firing->below) {
		if (firing->fence && dma_fence_spinlock(firing->fence) == dma_fence_spinlock(fence))
			return true;
	}
	return false;
}
EXPORT_SYMBOL_GPL(drm_rust_is_locked_by_firing);

/*
 * Returns whether the caller is within such a callback, so that C may hold the event lock of any
 * device.
 */
bool drm_rust_is_firing(void)
{
	return this_cpu_read(innermost);
}
EXPORT_SYMBOL_GPL(drm_rust_is_firing);

void drm_rust_timer_setup(struct timer_list *timer, void (*function)(struct timer_list *))
{
	timer_setup(timer, function, 0);
}
EXPORT_SYMBOL_GPL(drm_rust_timer_setup);

bool drm_rust_dma_resv_trylock(struct dma_resv *resv)
{
	return dma_resv_trylock(resv);
}
EXPORT_SYMBOL_GPL(drm_rust_dma_resv_trylock);

/* Without the feature, the core has not initialised the file's table of handles. */
bool drm_rust_file_has_syncobj(struct drm_file *file, bool timeline)
{
	return drm_core_check_feature(file->minor->dev, timeline ? DRIVER_SYNCOBJ_TIMELINE : DRIVER_SYNCOBJ);
}
EXPORT_SYMBOL_GPL(drm_rust_file_has_syncobj);

void drm_rust_syncobj_get(struct drm_syncobj *syncobj)
{
	drm_syncobj_get(syncobj);
}
EXPORT_SYMBOL_GPL(drm_rust_syncobj_get);

void drm_rust_syncobj_put(struct drm_syncobj *syncobj)
{
	drm_syncobj_put(syncobj);
}
EXPORT_SYMBOL_GPL(drm_rust_syncobj_put);

struct dma_fence *drm_rust_syncobj_fence_get(struct drm_syncobj *syncobj)
{
	return drm_syncobj_fence_get(syncobj);
}
EXPORT_SYMBOL_GPL(drm_rust_syncobj_fence_get);

void *drm_rust_dma_fence_chain_alloc(void)
{
	return dma_fence_chain_alloc();
}
EXPORT_SYMBOL_GPL(drm_rust_dma_fence_chain_alloc);

void drm_rust_dma_fence_chain_free(void *chain)
{
	dma_fence_chain_free(chain);
}
EXPORT_SYMBOL_GPL(drm_rust_dma_fence_chain_free);

void drm_rust_syncobj_add_point(struct drm_syncobj *syncobj, void *chain, struct dma_fence *fence, u64 point)
{
	drm_syncobj_add_point(syncobj, chain, fence, point);
}
EXPORT_SYMBOL_GPL(drm_rust_syncobj_add_point);
