#!/usr/bin/env bash
# What tests of the network and of the clock need, for this folder alone: no root, no package of the host touched, no
# network after the first run.
#
#   tools.sh install     fetch and unpack them (once)
#   tools.sh nft         print the path of nft (packets dropped, refused, reset)
#   tools.sh ip          print the path of ip  (network namespaces, links, addresses)
#   tools.sh tc          print the path of tc  (bandwidth)
#   tools.sh dbus        print the path of dbus-daemon (a message bus of a test's own)
#   tools.sh analyze     print the path of systemd-analyze (is a unit right, and how far is it locked in)
#   tools.sh faketime    print the path of libfaketimeMT.so.1 (clocks that step)
#
# Each is the host's own where it has one, else a private copy of this Debian's signed packages below $RPM_LOCAL.
# Settings: RPM_LOCAL, RPM_DEBIAN_MIRROR, RPM_DEBIAN_KEYRING as in provision.sh; RPM_TOOLS=private skips the host's.
set -euo pipefail
umask 022
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=deploy/debian.sh
. "$HERE/debian.sh"

LOCAL=${RPM_LOCAL:-$(dirname "$HERE")/.local}
mkdir -p "$LOCAL" 2>/dev/null && [ -w "$LOCAL" ] || die "cannot write $LOCAL: set RPM_LOCAL to a folder of your own"
LOCAL=$(cd "$LOCAL" && pwd)
PREFIX=$LOCAL/tools
TOOLS=(nft ip tc dbus analyze faketime)
ADVICE="install Debian's packages nftables, iproute2, dbus-daemon, systemd and libfaketime, then run again"

runs() { # a program answers, a library is there
  if [ "${1##*.so.}" = 1 ]; then [ -e "$1" ]; else [ -x "$1" ] && { "$1" --version || "$1" -V || "$1" -v; } >/dev/null 2>&1; fi
}

program() {
  case $1 in
    dbus) echo dbus-daemon ;;
    analyze) echo systemd-analyze ;;
    *) echo "$1" ;;
  esac
}

host_tool() {
  local path
  [ "${RPM_TOOLS:-}" != private ] || return 1
  if [ "$1" = faketime ]; then
    for path in /usr/lib/*/faketime/libfaketimeMT.so.1; do runs "$path" && echo "$path" && return; done
    return 1
  fi
  path=$(PATH=$PATH:/usr/sbin:/sbin command -v "$(program "$1")") && runs "$path" && echo "$path"
}

private_tool() {
  local path=$PREFIX/$1
  [ "$1" != faketime ] || path=$(find "$PREFIX/usr/lib" -name libfaketimeMT.so.1 2>/dev/null | head -1)
  [ -n "$path" ] && runs "$path" && echo "$path"
}

tool() { host_tool "$1" || private_tool "$1"; }

unpack_tools() {
  local work=$LOCAL/tools.work new=$LOCAL/tools.new libraries release name program
  # The C library stays the host's: this is the host's own Debian.
  local wanted='^(lib(?!c6$|c-bin$|gcc-s1$|perl|.*-perl$|pam).*|zlib1g|nftables|iproute2|dbus-daemon|systemd)$'
  release=$(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release)
  grep -q '^ID=debian$' /etc/os-release 2>/dev/null || die "$ADVICE"
  rm -rf "$work" "$new"
  private_debs "$work" "$release" "$wanted" nftables iproute2 dbus-daemon systemd libfaketime || die "$ADVICE"
  unpack_debs "$work" "$new"
  libraries=$(basename "$(dirname "$(find "$new" -name 'libnftables.so.1' | head -1)")")
  for name in nft ip tc dbus analyze; do
    program=$(find "$new" -path "*bin/$(program "$name")" | head -1)
    cat >"$new/$name" <<RUN
#!/bin/sh
# Written by deploy/tools.sh.
LD_LIBRARY_PATH="$PREFIX/usr/lib/$libraries:$PREFIX/lib/$libraries:$PREFIX/lib/systemd:$PREFIX/usr/lib/$libraries/systemd:$PREFIX/lib/$libraries/systemd" exec "${program/#$new/$PREFIX}" "\$@"
RUN
    chmod +x "$new/$name"
  done
  rm -rf "$PREFIX"
  mv "$new" "$PREFIX" # whole or not at all
  rm -rf "$work"
}

install() {
  local name
  for name in "${TOOLS[@]}"; do tool "$name" >/dev/null || break; done
  tool "$name" >/dev/null || unpack_tools
  for name in "${TOOLS[@]}"; do tool "$name" >/dev/null || die "$name does not run on this machine; $ADVICE"; done
}

COMMAND=${1:-help}
exec 9>"$LOCAL/tools.lock"
flock 9
case $COMMAND in
  install) install ;;
  nft | ip | tc | dbus | analyze | faketime) tool "$COMMAND" || { install && tool "$COMMAND"; } ;;
  help | -h | --help) sed -n '2,/^set -/{/^set -/d; s/^# \{0,1\}//p}' "$0" ;;
  *) die "unknown command '$COMMAND': try $0 help" ;;
esac
