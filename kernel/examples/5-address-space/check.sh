#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only OR MIT
# Checks the driver atlas in the guest, when its module is loaded: a client maps buffers in its address space.
set -eu

atlas_client
