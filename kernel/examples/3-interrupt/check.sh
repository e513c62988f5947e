#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only OR MIT
# Checks the driver abacus in the guest, when its module is loaded: the device computes, and raises an interrupt for each result.
set -eu

# The number of interrupts that the driver has handled, on all processors.
interrupts() {
	awk '$NF == "abacus" { for (i = 2; $i ~ /^[0-9]+$/; i++) sum += $i } END { print sum + 0 }' /proc/interrupts
}

before=$(interrupts)
abacus_client
after=$(interrupts)
[ $((after - before)) = 3 ] || { echo "3 results came with $((after - before)) interrupts"; exit 1; }
echo "each with an interrupt"

driver=/sys/bus/pci/drivers/abacus
address=$(basename "$driver"/0000:*)
node=/dev/dri/$(ls "$driver/$address/drm" | grep '^render')
exec 3<>"$node"
echo "$address" >"$driver/unbind"
[ ! -e "$node" ] || { echo "$node is still there after unbind"; exit 1; }
exec 3>&-
echo "unplugged while the node was open"

echo "$address" >"$driver/bind"
abacus_client
echo "bound again"
