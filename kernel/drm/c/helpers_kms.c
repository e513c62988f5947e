// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include <linux/export.h>
#include <linux/wait_bit.h>

#include <drm/drm_atomic_uapi.h>
#include <drm/drm_drv.h>
#include <drm/drm_framebuffer.h>
#include <drm/drm_modeset_helper_vtables.h>

#include "helpers_kms.h"

void drm_rust_atomic_commit_get(struct drm_atomic_commit *commit)
{
	drm_atomic_commit_get(commit);
}
EXPORT_SYMBOL_GPL(drm_rust_atomic_commit_get);

void drm_rust_atomic_commit_put(struct drm_atomic_commit *commit)
{
	drm_atomic_commit_put(commit);
}
EXPORT_SYMBOL_GPL(drm_rust_atomic_commit_put);

/* Has a lock class of its own, which INIT_WORK defines where it is used: once, here. */
void drm_rust_init_commit_work(struct drm_atomic_commit *commit, work_func_t work)
{
	INIT_WORK(&commit->commit_work, work);
}
EXPORT_SYMBOL_GPL(drm_rust_init_commit_work);

void drm_rust_count_add(atomic_t *count)
{
	atomic_inc(count);
}
EXPORT_SYMBOL_GPL(drm_rust_count_add);

/*
 * Counts one down and wakes who waits for none. The waiter may free the memory of the count as soon
 * as it is zero; wake_up_var() uses only its address.
 */
void drm_rust_count_done(atomic_t *count)
{
	if (atomic_dec_and_test(count))
		wake_up_var(count);
}
EXPORT_SYMBOL_GPL(drm_rust_count_done);

void drm_rust_wait_for_none(atomic_t *count)
{
	wait_var_event(count, !atomic_read(count));
}
EXPORT_SYMBOL_GPL(drm_rust_wait_for_none);

/* Calls f, more than once if it returns -EDEADLK, with all locks of mode setting. */
int drm_rust_with_modeset_locks(struct drm_device *dev,
				int (*f)(struct drm_modeset_acquire_ctx *ctx, void *arg), void *arg)
{
	struct drm_modeset_acquire_ctx ctx;
	int ret;

	DRM_MODESET_LOCK_ALL_BEGIN(dev, ctx, 0, ret);
	ret = f(&ctx, arg);
	DRM_MODESET_LOCK_ALL_END(dev, ctx, ret);
	return ret;
}
EXPORT_SYMBOL_GPL(drm_rust_with_modeset_locks);

bool drm_rust_crtc_is_linked(const struct drm_crtc *crtc)
{
	return crtc->head.next;
}
EXPORT_SYMBOL_GPL(drm_rust_crtc_is_linked);

void drm_rust_encoder_set_possible_crtcs(struct drm_encoder *encoder, u32 crtcs)
{
	encoder->possible_crtcs = crtcs;
}
EXPORT_SYMBOL_GPL(drm_rust_encoder_set_possible_crtcs);

void drm_rust_connector_set_helper(struct drm_connector *connector,
				   const struct drm_connector_helper_funcs *funcs)
{
	drm_connector_helper_add(connector, funcs);
	/* The driver says when to look; C need not ask from time to time. */
	connector->polled = DRM_CONNECTOR_POLL_HPD;
}
EXPORT_SYMBOL_GPL(drm_rust_connector_set_helper);

struct drm_device *drm_rust_connector_device(const struct drm_connector *connector)
{
	return connector->dev;
}
EXPORT_SYMBOL_GPL(drm_rust_connector_device);

/* Whether a commit would leave anything switched on, or a connector with a CRTC. */
bool drm_rust_leaves_on(struct drm_atomic_commit *commit)
{
	struct drm_connector_state *connector_state;
	struct drm_plane_state *plane_state;
	struct drm_connector *connector;
	struct drm_crtc_state *crtc_state;
	struct drm_plane *plane;
	struct drm_crtc *crtc;
	int i;

	for_each_new_plane_in_state(commit, plane, plane_state, i)
		if (plane_state->fb)
			return true;
	for_each_new_crtc_in_state(commit, crtc, crtc_state, i)
		if (crtc_state->enable)
			return true;
	for_each_new_connector_in_state(commit, connector, connector_state, i)
		if (connector_state->crtc)
			return true;
	return false;
}
EXPORT_SYMBOL_GPL(drm_rust_leaves_on);

void drm_rust_queue_work(struct workqueue_struct *queue, struct work_struct *work)
{
	queue_work(queue, work);
}
EXPORT_SYMBOL_GPL(drm_rust_queue_work);

void drm_rust_lock_event(struct drm_device *dev, unsigned long *flags)
{
	spin_lock_irqsave(&dev->event_lock, *flags);
}
EXPORT_SYMBOL_GPL(drm_rust_lock_event);

void drm_rust_unlock_event(struct drm_device *dev, unsigned long flags)
{
	spin_unlock_irqrestore(&dev->event_lock, flags);
}
EXPORT_SYMBOL_GPL(drm_rust_unlock_event);

static void plane_off(struct drm_plane *plane)
{
	struct drm_plane_state *state = plane->state;

	drm_atomic_set_fb_for_plane(state, NULL);
	state->crtc = NULL;
	state->visible = false;
}

static void crtc_off(struct drm_crtc *crtc)
{
	struct drm_crtc_state *state = crtc->state;

	drm_property_blob_put(state->mode_blob);
	state->mode_blob = NULL;
	memset(&state->mode, 0, sizeof(state->mode));
	state->enable = false;
	state->active = false;
	state->plane_mask = 0;
	state->connector_mask = 0;
	state->encoder_mask = 0;
}

static void connector_off(struct drm_connector *connector)
{
	struct drm_connector_state *state = connector->state;

	if (state->crtc) {
		/* As drm_atomic_set_crtc_for_connector() does; a connector with a CRTC keeps itself. */
		state->crtc = NULL;
		drm_connector_put(connector);
	}
	state->best_encoder = NULL;
}

/*
 * Takes everything off the screen in the current states, without a commit and without memory. The
 * caller holds all locks of mode setting, and no commit is under way.
 */
void drm_rust_all_off(struct drm_device *dev)
{
	struct drm_connector_list_iter iter;
	struct drm_connector *connector;
	struct drm_plane *plane;
	struct drm_crtc *crtc;

	drm_for_each_plane(plane, dev)
		plane_off(plane);
	drm_connector_list_iter_begin(dev, &iter);
	drm_for_each_connector_iter(connector, &iter)
		connector_off(connector);
	drm_connector_list_iter_end(&iter);
	drm_for_each_crtc(crtc, dev)
		crtc_off(crtc);
}
EXPORT_SYMBOL_GPL(drm_rust_all_off);
