#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only OR MIT
# Checks the driver counter in the guest, after its module was loaded: its device has nodes that open, and can be unplugged.
set -eu

device=/sys/bus/platform/devices/counter
[ -d "$device" ] || { echo "the module has made no platform device"; exit 1; }

node=/dev/dri/$(ls "$device/drm" | grep '^render')
exec 3<>"$node"
echo "$node opens"

driver=$(readlink -f "$device/driver")
echo counter >"$driver/unbind"
[ ! -e "$node" ] || { echo "$node is still there after unbind"; exit 1; }
exec 3>&-
echo "unplugged while the node was open"

echo counter >"$driver/bind"
ls "$device/drm" | grep -q '^render'
echo "bound again"
