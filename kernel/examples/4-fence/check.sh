#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only OR MIT
# Checks the driver painter in the guest, when its module is loaded: a client waits for its fences.
set -eu

painter_client
