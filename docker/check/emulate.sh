#!/bin/sh
# Lets the kernel run arm64 programs by qemu until standard input ends. Argument: the line of binfmt.d that says how.
# Run it in a mount namespace of its own, which takes the mount with it, and on a kernel of 6.7 or later the rest too.
set -eu
mount -t binfmt_misc binfmt_misc /proc/sys/fs/binfmt_misc
[ -e /proc/sys/fs/binfmt_misc/qemu-aarch64 ] || cat "$1" > /proc/sys/fs/binfmt_misc/register
echo "ready"
cat > /dev/null
