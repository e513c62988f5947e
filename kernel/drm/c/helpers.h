/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * C inline functions and macros for the crate `drm`, as functions with symbols. The kernel's own
 * rust/helpers/drm.c is compiled only with DRM=y.
 */
#ifndef DRM_RUST_HELPERS_H
#define DRM_RUST_HELPERS_H

#include <linux/dma-buf.h>
#include <linux/dma-map-ops.h>
#include <linux/iosys-map.h>
#include <linux/mm.h>
#include <linux/pci.h>
#include <linux/workqueue.h>

#include <drm/drm_device.h>
#include <drm/drm_gem.h>
#include <drm/drm_gem_shmem_helper.h>
#include <drm/drm_print.h>

void drm_rust_gem_object_get(struct drm_gem_object *obj);
void drm_rust_gem_object_put(struct drm_gem_object *obj);
u64 drm_rust_gem_mmap_offset(struct drm_gem_object *obj);
int drm_rust_gem_shmem_init_private(struct drm_device *dev, struct drm_gem_shmem_object *shmem,
				    size_t size);
void drm_rust_get_dma_buf(struct dma_buf *buf);

void drm_rust_iosys_map_read(void *to, const struct iosys_map *from, size_t offset, size_t len);
void drm_rust_iosys_map_write(const struct iosys_map *to, size_t offset, const void *from, size_t len);
u32 drm_rust_iosys_map_read_word(const struct iosys_map *from, size_t offset);
void drm_rust_iosys_map_write_word(const struct iosys_map *to, size_t offset, u32 word);
bool drm_rust_dma_is_coherent(struct device *dev);
void drm_rust_dma_sync(struct device *dev, dma_addr_t address, size_t size, bool both);

bool drm_rust_device_is_unshared(struct drm_device *dev, int own);

#ifdef CONFIG_TRANSPARENT_HUGEPAGE
int drm_rust_mount_huge_pages(struct drm_device *dev);
#endif
bool drm_rust_module_is_held(struct module *module);
const char *drm_rust_module_name(struct module *module);
struct module *drm_rust_driver_module(struct device *dev);

bool drm_rust_pci_bar_is_memory(struct pci_dev *dev, int bar);
int drm_rust_vma_of_registers(struct vm_area_struct *vma, unsigned long pgoff);
struct file *drm_rust_vmf_file(struct vm_fault *vmf);
unsigned long drm_rust_vmf_pgoff(struct vm_fault *vmf);
vm_fault_t drm_rust_insert_registers(struct vm_fault *vmf, unsigned long pfn);
vm_fault_t drm_rust_insert_idle(struct vm_fault *vmf, struct page *page);

s64 drm_rust_in_time_namespace(s64 monotonic);

void drm_rust_print(struct drm_printer *p, const char *text, size_t len);

struct workqueue_struct *drm_rust_alloc_workqueue(const char *name);
void drm_rust_flush_workqueue(struct workqueue_struct *queue);

#endif
