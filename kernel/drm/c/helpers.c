// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include <linux/export.h>
#include <linux/fs.h>
#include <linux/fs_context.h>
#include <linux/module.h>
#include <linux/mount.h>
#include <linux/time_namespace.h>

#include <drm/drm_managed.h>

#include "helpers.h"

void drm_rust_gem_object_get(struct drm_gem_object *obj)
{
	drm_gem_object_get(obj);
}
EXPORT_SYMBOL_GPL(drm_rust_gem_object_get);

void drm_rust_gem_object_put(struct drm_gem_object *obj)
{
	drm_gem_object_put(obj);
}
EXPORT_SYMBOL_GPL(drm_rust_gem_object_put);

u64 drm_rust_gem_mmap_offset(struct drm_gem_object *obj)
{
	return drm_vma_node_offset_addr(&obj->vma_node);
}
EXPORT_SYMBOL_GPL(drm_rust_gem_mmap_offset);

/*
 * Initialises a zeroed object without memory of its own, as drm_gem_shmem_init() does an object
 * with memory. The C function for it is not exported, because C wants to allocate such objects
 * itself.
 */
int drm_rust_gem_shmem_init_private(struct drm_device *dev, struct drm_gem_shmem_object *shmem,
				    size_t size)
{
	int ret;

	drm_gem_private_object_init(dev, &shmem->base, size);
	ret = drm_gem_create_mmap_offset(&shmem->base);
	if (ret) {
		drm_gem_object_release(&shmem->base);
		return ret;
	}
	INIT_LIST_HEAD(&shmem->madv_list);
	return 0;
}
EXPORT_SYMBOL_GPL(drm_rust_gem_shmem_init_private);

void drm_rust_get_dma_buf(struct dma_buf *buf)
{
	get_dma_buf(buf);
}
EXPORT_SYMBOL_GPL(drm_rust_get_dma_buf);

void drm_rust_iosys_map_read(void *to, const struct iosys_map *from, size_t offset, size_t len)
{
	iosys_map_memcpy_from(to, from, offset, len);
}
EXPORT_SYMBOL_GPL(drm_rust_iosys_map_read);

void drm_rust_iosys_map_write(const struct iosys_map *to, size_t offset, const void *from, size_t len)
{
	struct iosys_map copy = *to;

	iosys_map_memcpy_to(&copy, offset, from, len);
}
EXPORT_SYMBOL_GPL(drm_rust_iosys_map_write);

u32 drm_rust_iosys_map_read_word(const struct iosys_map *from, size_t offset)
{
	return iosys_map_rd(from, offset, u32);
}
EXPORT_SYMBOL_GPL(drm_rust_iosys_map_read_word);

void drm_rust_iosys_map_write_word(const struct iosys_map *to, size_t offset, u32 word)
{
	struct iosys_map copy = *to;

	iosys_map_wr(&copy, offset, u32, word);
}
EXPORT_SYMBOL_GPL(drm_rust_iosys_map_write_word);

bool drm_rust_dma_is_coherent(struct device *dev)
{
	return dev_is_dma_coherent(dev);
}
EXPORT_SYMBOL_GPL(drm_rust_dma_is_coherent);

/*
 * Writes back the CPU's caches before invalidating them, so that the device's writes are not lost.
 */
void drm_rust_dma_sync(struct device *dev, dma_addr_t address, size_t size, bool both)
{
	dma_sync_single_for_device(dev, address, size, DMA_TO_DEVICE);
	if (both)
		dma_sync_single_for_cpu(dev, address, size, DMA_FROM_DEVICE);
}
EXPORT_SYMBOL_GPL(drm_rust_dma_sync);

/*
 * Returns whether the device has exactly `own` references. Everything done with other references
 * has then happened before.
 */
bool drm_rust_device_is_unshared(struct drm_device *dev, int own)
{
	return atomic_read_acquire(&dev->ref.refcount.refs) == own;
}
EXPORT_SYMBOL_GPL(drm_rust_device_is_unshared);

#ifdef CONFIG_TRANSPARENT_HUGEPAGE
static void unmount_huge_pages(struct drm_device *dev, void *mount)
{
	kern_unmount(mount);
}

/*
 * Mounts a tmpfs for a device that no other code uses yet. Files that are large enough get huge
 * pages.
 *
 * drm_gem_huge_mnt_create() does the same, but has bugs: it loses the context and returns ENOPARAM
 * if an option cannot be set, and it keeps the result of a failed mount.
 */
int drm_rust_mount_huge_pages(struct drm_device *dev)
{
	struct file_system_type *tmpfs = get_fs_type("tmpfs");
	struct vfsmount *mount;
	struct fs_context *fc;
	int error;

	if (!tmpfs)
		return -EOPNOTSUPP;
	fc = fs_context_for_mount(tmpfs, SB_KERNMOUNT);
	if (IS_ERR(fc))
		return PTR_ERR(fc);

	error = vfs_parse_fs_string(fc, "source", "tmpfs");
	if (!error) {
		error = vfs_parse_fs_string(fc, "huge", "within_size");
		/* The processor has no huge pages. */
		if (error == -EINVAL)
			error = -EOPNOTSUPP;
	}
	mount = error ? ERR_PTR(error) : fc_mount_longterm(fc);
	put_fs_context(fc);
	if (IS_ERR(mount))
		return PTR_ERR(mount);

	error = drmm_add_action_or_reset(dev, unmount_huge_pages, mount);
	if (!error)
		dev->huge_mnt = mount;
	return error;
}
EXPORT_SYMBOL_GPL(drm_rust_mount_huge_pages);
#endif

/*
 * Returns whether anything but the loader holds a reference to a module whose init runs. The loader
 * holds one then (load_module()). A module in its exit has no references, or the exit would not
 * have begun.
 */
bool drm_rust_module_is_held(struct module *module)
{
	return module->state == MODULE_STATE_COMING && module_refcount(module) > 1;
}
EXPORT_SYMBOL_GPL(drm_rust_module_is_held);

const char *drm_rust_module_name(struct module *module)
{
	return module_name(module);
}
EXPORT_SYMBOL_GPL(drm_rust_module_name);

/*
 * Returns the module whose driver `dev` is bound to; NULL if the driver is built in. The caller
 * keeps `dev` bound.
 */
struct module *drm_rust_driver_module(struct device *dev)
{
	return dev->driver ? dev->driver->owner : NULL;
}
EXPORT_SYMBOL_GPL(drm_rust_driver_module);

/*
 * Returns whether a BAR decodes memory at an address. If firmware left it without one, its address
 * is 0.
 */
bool drm_rust_pci_bar_is_memory(struct pci_dev *dev, int bar)
{
	unsigned long flags = pci_resource_flags(dev, bar);

	return (flags & IORESOURCE_MEM) && !(flags & IORESOURCE_UNSET) && pci_resource_start(dev, bar);
}
EXPORT_SYMBOL_GPL(drm_rust_pci_bar_is_memory);

/*
 * Turns a mapping that is being created into one of a page of registers at `pgoff`: shared and
 * read-only.
 */
int drm_rust_vma_of_registers(struct vm_area_struct *vma, unsigned long pgoff)
{
	if (!(vma->vm_flags & VM_SHARED) || vma_pages(vma) != 1 || (vma->vm_flags & (VM_WRITE | VM_EXEC)))
		return -EINVAL;

	vma->vm_pgoff = pgoff;
	vm_flags_mod(vma, VM_IO | VM_PFNMAP | VM_DONTCOPY | VM_DONTEXPAND | VM_DONTDUMP | VM_NORESERVE,
		     VM_MAYWRITE | VM_MAYEXEC);
	return 0;
}
EXPORT_SYMBOL_GPL(drm_rust_vma_of_registers);

struct file *drm_rust_vmf_file(struct vm_fault *vmf)
{
	return vmf->vma->vm_file;
}
EXPORT_SYMBOL_GPL(drm_rust_vmf_file);

unsigned long drm_rust_vmf_pgoff(struct vm_fault *vmf)
{
	return vmf->vma->vm_pgoff;
}
EXPORT_SYMBOL_GPL(drm_rust_vmf_pgoff);

vm_fault_t drm_rust_insert_registers(struct vm_fault *vmf, unsigned long pfn)
{
	return vmf_insert_pfn_prot(vmf->vma, vmf->address, pfn,
				   pgprot_noncached(vmf->vma->vm_page_prot));
}
EXPORT_SYMBOL_GPL(drm_rust_insert_registers);

/* Inserts `page`, or a page of zeroes if it is NULL. */
vm_fault_t drm_rust_insert_idle(struct vm_fault *vmf, struct page *page)
{
	page = page ?: ZERO_PAGE(vmf->address);
	return vmf_insert_pfn(vmf->vma, vmf->address, page_to_pfn(page));
}
EXPORT_SYMBOL_GPL(drm_rust_insert_idle);

/*
 * A task that exits has dropped its namespaces (exit_nsproxy_namespaces()) before the last
 * reference to its files is put (exit_task_work()). Time is not shifted then. Only the task itself
 * changes its pointer.
 */
s64 drm_rust_in_time_namespace(s64 monotonic)
{
	struct timespec64 ts = ns_to_timespec64(monotonic);

	if (current->nsproxy)
		timens_add_monotonic(&ts);
	return timespec64_to_ns(&ts);
}
EXPORT_SYMBOL_GPL(drm_rust_in_time_namespace);

void drm_rust_print(struct drm_printer *p, const char *text, size_t len)
{
	drm_printf(p, "%.*s", (int)len, text);
}
EXPORT_SYMBOL_GPL(drm_rust_print);

struct workqueue_struct *drm_rust_alloc_workqueue(const char *name)
{
	return alloc_workqueue("%s", WQ_UNBOUND, 0, name);
}
EXPORT_SYMBOL_GPL(drm_rust_alloc_workqueue);

void drm_rust_flush_workqueue(struct workqueue_struct *queue)
{
	flush_workqueue(queue);
}
EXPORT_SYMBOL_GPL(drm_rust_flush_workqueue);

MODULE_DESCRIPTION("Typed Rust layer over the DRM core");
MODULE_AUTHOR("The Drydock authors");
MODULE_LICENSE("Dual MIT/GPL");
MODULE_IMPORT_NS("DMA_BUF");
