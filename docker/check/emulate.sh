#!/bin/sh
# Lets the kernel run arm64 programs by qemu until standard input ends, then undoes it. Argument: a line of binfmt.d.
# Meant to run in mount namespace of its own, so that the mount ends with it, whatever happens.
set -eu
mount -t binfmt_misc binfmt_misc /proc/sys/fs/binfmt_misc
cd /proc/sys/fs/binfmt_misc
if [ -e qemu-aarch64 ]; then
    echo "was possible already"
    cat > /dev/null
else
    cat "$1" > register
    echo "made possible"
    cat > /dev/null
    echo -1 > qemu-aarch64
fi
