/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * C inline functions and macros of mode setting for the crate `drm`, and access to fields of
 * structures that bindgen leaves opaque.
 */
#ifndef DRM_RUST_HELPERS_KMS_H
#define DRM_RUST_HELPERS_KMS_H

#include <linux/atomic.h>
#include <linux/hrtimer.h>
#include <linux/workqueue.h>

#include <drm/drm_atomic.h>
#include <drm/drm_atomic_helper.h>
#include <drm/drm_connector.h>
#include <drm/drm_crtc.h>
#include <drm/drm_encoder.h>

/* bindgen evaluates no macro with BIT(). */
enum { DRM_RUST_PLANE_COMMIT_ACTIVE_ONLY = DRM_PLANE_COMMIT_ACTIVE_ONLY };

void drm_rust_atomic_commit_get(struct drm_atomic_commit *commit);
void drm_rust_atomic_commit_put(struct drm_atomic_commit *commit);
void drm_rust_init_commit_work(struct drm_atomic_commit *commit, work_func_t work);
void drm_rust_count_add(atomic_t *count);
void drm_rust_count_done(atomic_t *count);
void drm_rust_wait_for_none(atomic_t *count);

int drm_rust_with_modeset_locks(struct drm_device *dev,
				int (*f)(struct drm_modeset_acquire_ctx *ctx, void *arg), void *arg);
void drm_rust_all_off(struct drm_device *dev);
bool drm_rust_leaves_on(struct drm_atomic_commit *commit);
bool drm_rust_only_takes_away(struct drm_atomic_commit *commit);
void drm_rust_wait_for_probes(struct drm_device *dev);
void drm_rust_probe_connectors(struct drm_device *dev);
enum drm_connector_status drm_rust_connector_status(const struct drm_connector *connector);
int drm_rust_fb_begin_cpu_access(struct drm_framebuffer *fb, enum dma_data_direction direction);
void drm_rust_fb_end_cpu_access(struct drm_framebuffer *fb, enum dma_data_direction direction);

bool drm_rust_setup_is_complete(struct drm_device *dev);
struct drm_encoder *drm_rust_best_encoder(struct drm_connector *connector,
					  struct drm_atomic_commit *commit);
bool drm_rust_crtc_is_linked(const struct drm_crtc *crtc);
void drm_rust_encoder_set_possible_crtcs(struct drm_encoder *encoder, u32 crtcs);
void drm_rust_connector_set_helper(struct drm_connector *connector,
				   const struct drm_connector_helper_funcs *funcs);
struct drm_device *drm_rust_connector_device(const struct drm_connector *connector);

void drm_rust_fence_own_lock(struct dma_fence *fence, const struct dma_fence_ops *ops);
bool drm_rust_has_console(const struct drm_device *dev);
int drm_rust_pin_init(struct drm_device *dev);
void drm_rust_pin(struct drm_device *dev, struct module *module);
void drm_rust_unpin(struct drm_device *dev);

void drm_rust_lock_console(struct drm_device *dev);
void drm_rust_unlock_console(struct drm_device *dev);
int drm_rust_suspend(struct drm_device *dev);
int drm_rust_resume(struct drm_device *dev);
void drm_rust_suspend_clients(struct drm_device *dev);
void drm_rust_resume_clients(struct drm_device *dev);
u64 drm_rust_connector_epoch(const struct drm_connector *connector);
void drm_rust_wait_for_cursor(struct drm_atomic_commit *commit);
void drm_rust_forget_suspend(struct drm_device *dev);

void drm_rust_hrtimer_set_expires(struct hrtimer *timer, ktime_t time);
void drm_rust_queue_work(struct workqueue_struct *queue, struct work_struct *work);
void drm_rust_lock_event(struct drm_device *dev, unsigned long *flags);
void drm_rust_unlock_event(struct drm_device *dev, unsigned long flags);

#endif
