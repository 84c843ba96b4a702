# The first process of the machine, in busybox's shell: what the tests stand on, the tests, and the end.
# Arguments: the repository, the machine's parts, the folder that the computer outside reads.
ROOT=$1 PREFIX=$2 OUT=$3
b() { "$PREFIX/bin/busybox" "$@"; }
export PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin HOME=/root PYTHONDONTWRITEBYTECODE=1

b mount -t proc proc /proc
b mount -t sysfs sys /sys
b mount -t devtmpfs dev /dev
b mkdir -p /dev/shm "$OUT"
for memory in /dev/shm /run /tmp; do b mount -t tmpfs memory $memory; done
b mount -t 9p -o trans=virtio,version=9p2000.L,msize=262144 out "$OUT" || b poweroff -f
b ifconfig lo 127.0.0.1 up

# The kernel fetches modules by itself: without drbg and its kin, pairing hangs. Its modules are ours, not the computer's.
kernel=$(b uname -r)
b mkdir -p /lib/modules
b rm -rf "/lib/modules/$kernel"
b ln -s "$PREFIX/lib/modules/$kernel" "/lib/modules/$kernel"
b ln -s "$PREFIX/bin/busybox" /run/modprobe
echo /run/modprobe >/proc/sys/kernel/modprobe
for module in drbg hmac sha256_generic sha512_generic jitterentropy_rng cmac ecb aes_generic ccm hci_vhci uhid; do
  /run/modprobe $module || echo "guest: no module $module"
done

b mkdir -p /run/dbus /var/run
[ -e /var/run/dbus ] || b ln -s /run/dbus /var/run/dbus
# bleak asks it for BlueZ's version.
b mkdir -p /run/bin
b printf '#!/bin/sh\nexec "%s/run" usr/bin/bluetoothctl "$@"\n' "$PREFIX" >/run/bin/bluetoothctl
b chmod +x /run/bin/bluetoothctl
export PATH=/run/bin:$PATH

cd "$ROOT" || b poweroff -f
"$PREFIX/run" usr/bin/dbus-daemon --config-file="$ROOT/tests/bluez_vm/machine/bus.conf" --fork
"$PREFIX/run" usr/libexec/bluetooth/bluetoothd --version >"$OUT/bluez"
.venv/bin/python -c 'import importlib.metadata as m; print(m.version("bleak"))' >"$OUT/bleak"
echo "guest: up after $(b cut -d' ' -f1 /proc/uptime) s, Linux $kernel, BlueZ $(b cat "$OUT/bluez")"

set --
while read -r argument; do set -- "$@" "$argument"; done <"$OUT/arguments"
export RPM_BLUEZ_PARTS=$PREFIX RPM_BLUEZ_OUT=$OUT
# `confcutdir`: the other tests' ground (servers, browsers) is not loaded. A test that skips itself fails here too.
{
  .venv/bin/python -m pytest -m bluez_vm tests/bluez_vm --confcutdir=tests/bluez_vm -p tests.support.excuses \
    -p no:cacheprovider --timeout=400 --timeout-method=signal --basetemp=/tmp/pytest -v --durations=0 --durations-min=1 "$@"
  echo $? >/tmp/status
} 2>&1 | b tee "$OUT/pytest"
b cp /tmp/status "$OUT/status"
b sync
b poweroff -f
