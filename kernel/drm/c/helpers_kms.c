// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include <linux/dma-buf.h>
#include <linux/dma-fence.h>
#include <linux/export.h>
#include <linux/hrtimer.h>
#include <linux/module.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>
#include <linux/wait_bit.h>

#include <drm/drm_atomic_uapi.h>
#include <drm/drm_client_event.h>
#include <drm/drm_drv.h>
#include <drm/drm_framebuffer.h>
#include <drm/drm_gem.h>
#include <drm/drm_modeset_helper_vtables.h>
#include <drm/drm_probe_helper.h>

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

/* Whether the objects of a device fit together, so that drm_mode_config_validate() will not warn. */
bool drm_rust_setup_is_complete(struct drm_device *dev)
{
	struct drm_connector_list_iter iter;
	struct drm_connector *connector;
	struct drm_plane *plane;
	int primaries = 0;
	bool ok = true;

	drm_for_each_plane(plane, dev) {
		primaries += plane->type == DRM_PLANE_TYPE_PRIMARY;
		ok &= plane->possible_crtcs != 0;
	}
	drm_connector_list_iter_begin(dev, &iter);
	drm_for_each_connector_iter(connector, &iter)
		ok &= connector->possible_encoders != 0;
	drm_connector_list_iter_end(&iter);
	return ok && primaries && primaries == dev->mode_config.num_crtc;
}
EXPORT_SYMBOL_GPL(drm_rust_setup_is_complete);

/* The encoder that drives a connector from its CRTC in a commit: the present one if it can. */
struct drm_encoder *drm_rust_best_encoder(struct drm_connector *connector,
					  struct drm_atomic_commit *commit)
{
	struct drm_connector_state *state = drm_atomic_get_new_connector_state(commit, connector);
	u32 crtc = drm_crtc_mask(state->crtc);
	struct drm_encoder *encoder;

	if (state->best_encoder && state->best_encoder->possible_crtcs & crtc)
		return state->best_encoder;
	drm_connector_for_each_possible_encoder(connector, encoder)
		if (encoder->possible_crtcs & crtc)
			return encoder;
	return NULL;
}
EXPORT_SYMBOL_GPL(drm_rust_best_encoder);

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

/* Whether a plane shows the same in the same way. */
static bool shows_the_same(const struct drm_plane_state *old, const struct drm_plane_state *new)
{
	return new->fb == old->fb && new->crtc == old->crtc &&
	       new->crtc_x == old->crtc_x && new->crtc_y == old->crtc_y &&
	       new->crtc_w == old->crtc_w && new->crtc_h == old->crtc_h &&
	       new->src_x == old->src_x && new->src_y == old->src_y &&
	       new->src_w == old->src_w && new->src_h == old->src_h &&
	       new->rotation == old->rotation && new->zpos == old->zpos &&
	       new->alpha == old->alpha && new->pixel_blend_mode == old->pixel_blend_mode &&
	       new->color_encoding == old->color_encoding &&
	       new->color_range == old->color_range &&
	       new->scaling_filter == old->scaling_filter;
}

/*
 * Whether a commit takes at least one plane away, and changes nothing else of what stays on. What a
 * client changes besides must be checked.
 */
bool drm_rust_only_takes_away(struct drm_atomic_commit *commit)
{
	struct drm_crtc_state *old_crtc, *new_crtc;
	struct drm_plane_state *old, *new;
	struct drm_plane *plane;
	struct drm_crtc *crtc;
	bool takes = false;
	int i;

	for_each_oldnew_crtc_in_state(commit, crtc, old_crtc, new_crtc, i)
		if (new_crtc->enable &&
		    (drm_atomic_crtc_needs_modeset(new_crtc) || new_crtc->color_mgmt_changed ||
		     new_crtc->vrr_enabled != old_crtc->vrr_enabled ||
		     new_crtc->scaling_filter != old_crtc->scaling_filter))
			return false;
	for_each_oldnew_plane_in_state(commit, plane, old, new, i) {
		if (new->fb && !shows_the_same(old, new))
			return false;
		takes |= old->fb && !new->fb;
	}
	return takes;
}
EXPORT_SYMBOL_GPL(drm_rust_only_takes_away);

void drm_rust_hrtimer_set_expires(struct hrtimer *timer, ktime_t time)
{
	hrtimer_set_expires(timer, time);
}
EXPORT_SYMBOL_GPL(drm_rust_hrtimer_set_expires);

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

/*
 * Gives a fence that nobody has seen yet a lock of its own and other operations. Those of a CRTC's
 * fence lie in the CRTC and use it, also after the fence was signalled.
 */
void drm_rust_fence_own_lock(struct dma_fence *fence, const struct dma_fence_ops *ops)
{
	/* Those of the event and of the client's file, which is not installed yet. */
	unsigned int references = kref_read(&fence->refcount);

	/* C initialises the lock: its class must not lie in a module that the fence may outlive. */
	dma_fence_init(fence, ops, NULL, fence->context, fence->seqno);
	refcount_set(&fence->refcount.refcount, references);
}
EXPORT_SYMBOL_GPL(drm_rust_fence_own_lock);

/* Whether a client in the kernel still exists, as that of the console while a process has /dev/fbN open. */
bool drm_rust_has_console(const struct drm_device *dev)
{
	return !list_empty(&dev->filelist_internal);
}
EXPORT_SYMBOL_GPL(drm_rust_has_console);

/*
 * A device can keep its driver's module from a moment on until it was released. The reference is
 * put by this module, later: whoever drops the last reference to the device may be on the way out of
 * the driver's text.
 */
struct drm_rust_pin {
	struct work_struct work;
	struct module *module;
};

static struct workqueue_struct *drm_rust_unpins;

static void drm_rust_unpin_work(struct work_struct *work)
{
	struct drm_rust_pin *pin = container_of(work, struct drm_rust_pin, work);
	struct module *module = pin->module;

	/*
	 * The last reference to a pinned device is dropped by C, for its client, or by something that
	 * keeps the module itself. So only the way out of the release is left.
	 */
	synchronize_rcu_tasks();
	kfree(pin);
	module_put(module);
}

/* Makes room for a pin, so that pinning cannot fail. */
int drm_rust_pin_init(struct drm_device *dev)
{
	struct drm_rust_pin *pin = kzalloc(sizeof(*pin), GFP_KERNEL);

	if (!pin)
		return -ENOMEM;
	INIT_WORK(&pin->work, drm_rust_unpin_work);
	dev->dev_private = pin;
	return 0;
}
EXPORT_SYMBOL_GPL(drm_rust_pin_init);

/* Fails silently if the module's exit has begun: that waits for the device itself. */
void drm_rust_pin(struct drm_device *dev, struct module *module)
{
	struct drm_rust_pin *pin = dev->dev_private;

	if (!pin->module && try_module_get(module))
		pin->module = module;
}
EXPORT_SYMBOL_GPL(drm_rust_pin);

/* The last act of a device's release. */
void drm_rust_unpin(struct drm_device *dev)
{
	struct drm_rust_pin *pin = dev->dev_private;

	dev->dev_private = NULL;
	if (pin && pin->module)
		queue_work(drm_rust_unpins, &pin->work);
	else
		kfree(pin);
}
EXPORT_SYMBOL_GPL(drm_rust_unpin);

static int __init drm_rust_init(void)
{
	drm_rust_unpins = alloc_workqueue("drm_rust", WQ_UNBOUND, 0);
	return drm_rust_unpins ? 0 : -ENOMEM;
}
module_init(drm_rust_init);

static void __exit drm_rust_exit(void)
{
	destroy_workqueue(drm_rust_unpins);
}
module_exit(drm_rust_exit);

/*
 * Keeps the console from waiting for a frame, and waits until it does not. It holds this mutex when
 * it waits, and warns if the CRTC is switched off meanwhile.
 */
void drm_rust_lock_console(struct drm_device *dev)
{
	mutex_lock(&dev->master_mutex);
}
EXPORT_SYMBOL_GPL(drm_rust_lock_console);

void drm_rust_unlock_console(struct drm_device *dev)
{
	mutex_unlock(&dev->master_mutex);
}
EXPORT_SYMBOL_GPL(drm_rust_unlock_console);

/* Switches the displays off and remembers what was on. */
int drm_rust_suspend(struct drm_device *dev)
{
	struct drm_atomic_commit *commit;

	drm_rust_lock_console(dev);
	commit = drm_atomic_helper_suspend(dev);
	drm_rust_unlock_console(dev);
	if (IS_ERR(commit))
		return PTR_ERR(commit);
	/* What is left of a resume that failed. */
	drm_rust_forget_suspend(dev);
	dev->mode_config.suspend_state = commit;
	return 0;
}
EXPORT_SYMBOL_GPL(drm_rust_suspend);

static int resume_locked(struct drm_modeset_acquire_ctx *ctx, void *commit)
{
	return drm_atomic_helper_commit_duplicated_state(commit, ctx);
}

/*
 * Switches on what was on. C's drm_atomic_helper_resume() is not used: it begins by resetting the
 * states, and ignores it if there is no memory for new ones.
 */
int drm_rust_resume(struct drm_device *dev)
{
	struct drm_atomic_commit *commit = dev->mode_config.suspend_state;
	int ret = 0;

	if (commit) {
		ret = drm_rust_with_modeset_locks(dev, resume_locked, commit);
		drm_rust_forget_suspend(dev);
	}
	return ret;
}
EXPORT_SYMBOL_GPL(drm_rust_resume);

void drm_rust_suspend_clients(struct drm_device *dev)
{
	drm_client_dev_suspend(dev);
}
EXPORT_SYMBOL_GPL(drm_rust_suspend_clients);

void drm_rust_resume_clients(struct drm_device *dev)
{
	drm_client_dev_resume(dev);
}
EXPORT_SYMBOL_GPL(drm_rust_resume_clients);

/* Drops what was on, of a device that goes while it is suspended. */
void drm_rust_forget_suspend(struct drm_device *dev)
{
	struct drm_atomic_commit *commit = dev->mode_config.suspend_state;

	dev->mode_config.suspend_state = NULL;
	if (commit)
		drm_atomic_commit_put(commit);
}
EXPORT_SYMBOL_GPL(drm_rust_forget_suspend);

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

/* The buffer of another device that is a plane of memory, if it is one. */
static struct dma_buf *imported(struct drm_framebuffer *fb, unsigned int plane)
{
	struct drm_gem_object *obj = fb->obj[plane];

	return obj && drm_gem_is_imported(obj) ? obj->import_attach->dmabuf : NULL;
}

static void end_cpu_access(struct drm_framebuffer *fb, unsigned int planes,
			   enum dma_data_direction direction)
{
	while (planes--) {
		struct dma_buf *buf = imported(fb, planes);

		if (buf && buf->ops->end_cpu_access)
			buf->ops->end_cpu_access(buf, direction);
	}
}

/*
 * Tells the exporters of a framebuffer's memory of an access. dma_buf_begin_cpu_access() would also
 * wait for the fences on the buffers, without a limit, and a client can add that of the very commit
 * whose step reads.
 */
int drm_rust_fb_begin_cpu_access(struct drm_framebuffer *fb, enum dma_data_direction direction)
{
	unsigned int plane;

	for (plane = 0; plane < ARRAY_SIZE(fb->obj); plane++) {
		struct dma_buf *buf = imported(fb, plane);
		int error = 0;

		if (buf && buf->ops->begin_cpu_access)
			error = buf->ops->begin_cpu_access(buf, direction);
		if (error) {
			end_cpu_access(fb, plane, direction);
			return error;
		}
	}
	return 0;
}
EXPORT_SYMBOL_GPL(drm_rust_fb_begin_cpu_access);

void drm_rust_fb_end_cpu_access(struct drm_framebuffer *fb, enum dma_data_direction direction)
{
	end_cpu_access(fb, ARRAY_SIZE(fb->obj), direction);
}
EXPORT_SYMBOL_GPL(drm_rust_fb_end_cpu_access);

/* Waits until each probe of a connector that has begun is over. Each is made with this lock. */
void drm_rust_wait_for_probes(struct drm_device *dev)
{
	mutex_lock(&dev->mode_config.mutex);
	mutex_unlock(&dev->mode_config.mutex);
}
EXPORT_SYMBOL_GPL(drm_rust_wait_for_probes);

void drm_rust_probe_connectors(struct drm_device *dev)
{
	struct drm_connector_list_iter iter;
	struct drm_connector *connector;

	drm_connector_list_iter_begin(dev, &iter);
	drm_for_each_connector_iter(connector, &iter)
		drm_connector_helper_hpd_irq_event(connector);
	drm_connector_list_iter_end(&iter);
}
EXPORT_SYMBOL_GPL(drm_rust_probe_connectors);

u64 drm_rust_connector_epoch(const struct drm_connector *connector)
{
	return READ_ONCE(connector->epoch_counter);
}
EXPORT_SYMBOL_GPL(drm_rust_connector_epoch);

/* Clears the mark of a cursor update that does not wait for its frame. */
void drm_rust_wait_for_cursor(struct drm_atomic_commit *commit)
{
	commit->legacy_cursor_update = false;
}
EXPORT_SYMBOL_GPL(drm_rust_wait_for_cursor);

enum drm_connector_status drm_rust_connector_status(const struct drm_connector *connector)
{
	return connector->status;
}
EXPORT_SYMBOL_GPL(drm_rust_connector_status);
