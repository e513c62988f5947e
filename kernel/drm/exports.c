// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Exports the Rust symbols of `drm_rust.ko` to the drivers, for the same reason and in the same way as
 * rust/exports.c of the kernel: a Rust symbol has no C declaration that EXPORT_SYMBOL_GPL could see.
 */
#include <linux/export.h>

#define EXPORT_SYMBOL_RUST_GPL(sym) extern int sym; EXPORT_SYMBOL_GPL(sym)

#include "exports_generated.h"
