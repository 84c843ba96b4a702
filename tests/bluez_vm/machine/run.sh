#!/usr/bin/env bash
# Boot the machine, have the tests run in it, judge. Exit status 0 only where every one of them passed.
#
#   run.sh [PYTEST ARGUMENT...]
#
# This computer's files are the machine's, read-only, with a layer of memory above them: what is tested is the tree as it lies
# here. No network, no disk. What it says goes to the terminal and to build/bluez-vm/console.
# Settings: RPM_BLUEZ_S_MAX, seconds until the machine is given up (default 1800).
set -euo pipefail
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
ROOT=$(cd "$HERE/../../.." && pwd)
PREFIX=$("$HERE/get.sh")
OUT=$ROOT/build/bluez-vm
S_MAX=${RPM_BLUEZ_S_MAX:-1800}
BUSYBOX=$PREFIX/bin/busybox
KERNEL=$(ls "$PREFIX/lib/modules")
MODULES=$PREFIX/lib/modules/$KERNEL

# verdict WORD: how it went, in what, how long; then pytest's own last line from inside, where it came to that.
verdict() {
  echo "bluez: $* (Linux $KERNEL, BlueZ $(cat "$OUT/bluez" 2>/dev/null || echo '?')," \
    "bleak $(cat "$OUT/bleak" 2>/dev/null || echo '?'), $((SECONDS)) s with the machine's start; all it said: $OUT)"
  tail -n 1 "$OUT/pytest" 2>/dev/null || true
}

rm -rf "$OUT"
mkdir -p "$OUT/initrd"/{bin,modules,proc,sys,dev,host,memory,root}
for argument in "$@"; do printf '%s\n' "$argument"; done >"$OUT/arguments"

# The initial file system: busybox, what a 9p share over virtio needs, and the way into guest.sh.
depends() { # the modules this one needs, deepest first, then itself
  local module
  for module in $(sed -n "s|^$1: *||p" "$MODULES/modules.dep" | tr ' ' '\n' | tac); do depends "$module"; done
  echo "$1"
}
for name in virtio_pci 9pnet_virtio 9p overlay; do
  depends "$(sed -n "s|^\([^:]*/$name\.ko\):.*|\1|p" "$MODULES/modules.dep")"
done | awk '!seen[$0]++' >"$OUT/modules"
while read -r module; do cp "$MODULES/$module" "$OUT/initrd/modules/"; done <"$OUT/modules"
cp "$BUSYBOX" "$OUT/initrd/bin/busybox"
{
  echo "#!/bin/busybox sh"
  sed 's|.*/|b insmod /modules/|; 1i b() { /bin/busybox "$@"; }' "$OUT/modules"
  cat <<INIT
b mount -t proc proc /proc
b mount -t devtmpfs dev /dev
b mount -t 9p -o trans=virtio,version=9p2000.L,ro,msize=262144,cache=loose host /host
b mount -t tmpfs -o size=70% memory /memory
b mkdir /memory/above /memory/work
b mount -t overlay -o lowerdir=/host,upperdir=/memory/above,workdir=/memory/work overlay /root
b umount /proc
exec /bin/busybox switch_root /root "$BUSYBOX" sh "$HERE/guest.sh" "$ROOT" "$PREFIX" "$OUT"
INIT
} >"$OUT/initrd/init"
chmod +x "$OUT/initrd/init"
(cd "$OUT/initrd" && find . | "$BUSYBOX" cpio -o -H newc 2>/dev/null | gzip -1 >"$OUT/initrd.gz")
rm -rf "$OUT/initrd"

# TCG: /dev/kvm may be there and hang. Nehalem: the oldest processor that has all that Python's wheels use.
export QEMU_MODULE_DIR=$PREFIX/usr/lib/x86_64-linux-gnu/qemu
timeout --foreground --kill-after=10 "$S_MAX" nice -n 10 "$PREFIX/run" usr/bin/qemu-system-x86_64 \
  -L "$PREFIX/usr/share/qemu" -L "$PREFIX/usr/share/seabios" -nodefaults -no-user-config -display none -no-reboot \
  -machine q35,accel=tcg -cpu Nehalem -smp 2 -m 1536 -serial stdio \
  -kernel "$PREFIX/boot/vmlinuz-$KERNEL" -initrd "$OUT/initrd.gz" -append "console=ttyS0 loglevel=4 panic=-1" \
  -virtfs "local,path=/,mount_tag=host,security_model=none,multidevs=remap,readonly=on" \
  -virtfs "local,path=$OUT,mount_tag=out,security_model=none" </dev/null 2>&1 | tee "$OUT/console" || true

if grep -qE 'kernel BUG|Kernel panic|BUG: unable' "$OUT/console"; then
  verdict "FAILED: the machine's kernel broke"
elif [ ! -e "$OUT/status" ]; then
  verdict "FAILED: the machine did not finish within $S_MAX s, or did not start"
elif [ "$(cat "$OUT/status")" != 0 ]; then
  verdict FAILED
else
  verdict passed
  exit 0
fi
exit 1
