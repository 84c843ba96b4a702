#!/usr/bin/env bash
# The parts of the machine, from Debian's signed packages, below $RPM_LOCAL/bluez-vm: QEMU, a kernel with hci_vhci, bluetoothd,
# dbus-daemon, busybox. No root, no package of the host touched, no network after the first run.
#
#   get.sh          fetch and unpack what is not there yet; print the folder
#
# Everything runs on Debian's own C library, called through its own loader, so that the host may be another Linux.
# Settings: RPM_LOCAL, RPM_DEBIAN_MIRROR, RPM_DEBIAN_KEYRING as in deploy/provision.sh; RPM_BLUEZ_KERNEL: a kernel package.
set -euo pipefail
umask 022
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
ROOT=$(cd "$HERE/../../.." && pwd)
# shellcheck source=deploy/debian.sh
. "$ROOT/deploy/debian.sh"

LOCAL=${RPM_LOCAL:-$ROOT/.local}
mkdir -p "$LOCAL" && LOCAL=$(cd "$LOCAL" && pwd)
PREFIX=$LOCAL/bluez-vm
WORK=$LOCAL/bluez-vm.work
SUITE=bookworm # BlueZ 5.66, the one that loses readings; a kernel of the 6.1 series
# 6.1.0-56 met a list_del BUG in hci_chan_del once; 6.1.0-47 never. Without it: what Debian ships now.
KERNELS=(${RPM_BLUEZ_KERNEL:-linux-image-6.1.0-47-amd64 linux-image-amd64})

[ "$(uname -m)" = x86_64 ] || die "the machine is made of amd64 packages, this is $(uname -m)"
exec 9>"$LOCAL/bluez-vm.lock"
flock 9

if [ ! -e "$PREFIX/complete" ]; then
  rm -rf "$WORK" "$PREFIX"
  # Libraries of what runs; no graphics, no sound, no firmware of network cards.
  wanted='^(lib(?!perl|llvm|.*-perl$).*|zlib1g|qemu-system-(x86|common|data)|seabios|linux-image-6.*|bluez|dbus-daemon|busybox-static)$'
  for kernel in "${KERNELS[@]}"; do
    private_debs "$WORK" "$SUITE" "$wanted" qemu-system-x86 bluez dbus-daemon busybox-static "$kernel" && break
    kernel=
  done
  [ -n "$kernel" ] || die "cannot get QEMU, BlueZ and a kernel: this needs apt-get and a Debian mirror (RPM_DEBIAN_MIRROR)"
  log "unpacking"
  unpack_debs "$WORK" "$WORK/root" --exclude='*/debug' --exclude='*/drivers/gpu' --exclude='*/drivers/media' \
    --exclude='*/sound' --exclude='*/drivers/infiniband' --exclude='*/drivers/scsi'
  libraries=$PREFIX/lib/x86_64-linux-gnu
  cat >"$WORK/root/run" <<RUN
#!/bin/sh
# Written by get.sh: a program of this folder, on this folder's own C library.
program=\$1
shift
exec "$libraries/ld-linux-x86-64.so.2" --library-path "$libraries:$PREFIX/usr/lib/x86_64-linux-gnu" "$PREFIX/\$program" "\$@"
RUN
  chmod +x "$WORK/root/run"
  (cd "$WORK/root" && ./bin/busybox depmod -b . "$(ls lib/modules)")
  mv "$WORK/root" "$PREFIX"
  rm -rf "$WORK"
  touch "$PREFIX/complete"
  log "the machine's parts are in $PREFIX ($(du -sh "$PREFIX" | cut -f1))"
fi
echo "$PREFIX"
