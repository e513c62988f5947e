#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only OR MIT
# Checks the driver counter in the guest, when its module is loaded: its ioctl counts, and its device can be unplugged.
set -eu

counter_client

device=/sys/bus/platform/devices/counter
node=/dev/dri/$(ls "$device/drm" | grep '^render')
exec 3<>"$node"

driver=$(readlink -f "$device/driver")
echo counter >"$driver/unbind"
[ ! -e "$node" ] || { echo "$node is still there after unbind"; exit 1; }
exec 3>&-
echo "unplugged while the node was open"

echo counter >"$driver/bind"
counter_client
echo "bound again"
