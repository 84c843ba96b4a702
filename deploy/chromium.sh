#!/usr/bin/env bash
# A Chromium for tests and screenshots; prints its path (last line of stdout). Idempotent; no network after the first run.
# First match wins: the host's own; apt, where we are root on a Debian; a private copy of this Debian's signed packages
# below $RPM_LOCAL, started through a small script that tells it where its libraries and fonts are.
# Settings: RPM_LOCAL, RPM_DEBIAN_MIRROR, RPM_DEBIAN_KEYRING as in provision.sh; RPM_CHROMIUM=private skips the host's.
set -euo pipefail
umask 022
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=deploy/debian.sh
. "$HERE/debian.sh"

LOCAL=${RPM_LOCAL:-$(dirname "$HERE")/.local}
mkdir -p "$LOCAL" 2>/dev/null && [ -w "$LOCAL" ] || die "cannot write $LOCAL: set RPM_LOCAL to a folder of your own"
LOCAL=$(cd "$LOCAL" && pwd)
PREFIX=$LOCAL/chromium
ADVICE="no Chromium: install Debian's package chromium (or Ubuntu's chromium-browser), then run again"

runs() { [ -x "$1" ] && "$1" --version >/dev/null 2>&1; }

host_chromium() {
  local name path
  for name in chromium chromium-browser google-chrome-stable google-chrome; do
    path=$(command -v "$name" || true)
    runs "$path" && echo "$path" && return
  done
  return 1
}

is_debian() { grep -q '^ID=debian$' /etc/os-release 2>/dev/null; }
release() { sed -n 's/^VERSION_CODENAME=//p' /etc/os-release; }

install_for_all() {
  log "installing Debian's chromium (once)"
  { apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq -y --no-install-recommends install chromium fonts-dejavu-core; } >"$LOCAL/chromium.log" 2>&1
}

unpack_chromium() {
  local work=$LOCAL/chromium.work new=$LOCAL/chromium.new libraries
  # The C library stays the host's: this is the host's own Debian.
  local wanted='^(lib(?!c6$|c-bin$|gcc-s1$|llvm|z3|perl|.*-perl$).*|zlib1g|chromium(-common)?|fontconfig-config|fonts-dejavu-core)$'
  rm -rf "$work" "$new"
  private_debs "$work" "$(release)" "$wanted" chromium fonts-dejavu-core || die "$ADVICE"
  log "unpacking"
  unpack_debs "$work" "$new" --exclude='*/dri/*'
  libraries=$(dirname "$(find "$new/usr/lib" -name 'libnss3.so' | head -1)")
  libraries=${libraries/#$new/}
  # Debian's fontconfig looks in /usr/share/fonts and /etc/fonts of the host; ours lie elsewhere.
  cat >"$new/fonts.conf" <<CONF
<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig>
  <dir>$PREFIX/usr/share/fonts</dir>
  <dir>/usr/share/fonts</dir>
  <cachedir prefix="xdg">fontconfig</cachedir>
</fontconfig>
CONF
  cat >"$new/chromium" <<RUN
#!/bin/sh
# Written by deploy/chromium.sh.
export LD_LIBRARY_PATH="$PREFIX$libraries:$PREFIX$libraries/nss:$PREFIX$libraries/pulseaudio:$PREFIX/lib/${libraries##*/}:$PREFIX/usr/lib/chromium"
export FONTCONFIG_FILE="$PREFIX/fonts.conf"
exec "$PREFIX/usr/lib/chromium/chromium" "\$@"
RUN
  chmod +x "$new/chromium"
  rm -rf "$PREFIX"
  mv "$new" "$PREFIX"
  rm -rf "$work"
}

exec 9>"$LOCAL/chromium.lock"
flock 9
if [ "${RPM_CHROMIUM:-}" != private ]; then
  host_chromium && exit
  if [ "$(id -u)" = 0 ] && is_debian && install_for_all && host_chromium; then exit; fi
fi
if ! runs "$PREFIX/chromium"; then
  is_debian || die "$ADVICE"
  unpack_chromium
  runs "$PREFIX/chromium" || die "$ADVICE"
fi
echo "$PREFIX/chromium"
