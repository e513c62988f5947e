// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Exports the Rust symbols of `drm_rust.ko` to the drivers, as rust/exports.c of the kernel does
 * and for the same reason: a Rust symbol has no C declaration for EXPORT_SYMBOL_GPL.
 */
#include <linux/export.h>

#define EXPORT_SYMBOL_RUST_GPL(sym) extern int sym; EXPORT_SYMBOL_GPL(sym)

#include "exports_generated.h"
