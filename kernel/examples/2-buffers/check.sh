#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only OR MIT
# Checks the driver canvas in the guest, when its module is loaded: two clients create, map and share a buffer.
set -eu

canvas_client
