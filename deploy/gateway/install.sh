#!/usr/bin/env bash
# Puts the gateway on a Raspberry Pi, or on any Debian 12 or newer; may be run again at any time.
#
#   sudo ./install.sh check                                   will this machine do? Changes nothing
#   sudo ./install.sh install --release FOLDER --key FILE     a signed release, checked against the maker's public key
#   sudo ./install.sh install --wheels FOLDER                 wheels of your own; what they need comes from pip's index
#   sudo ./install.sh uninstall                               the program goes; settings, readings and bonds stay
#
# What it makes: the user rpm-gateway; /opt/rpm/versions/VERSION, an environment from wheels alone, with /opt/rpm/current and
# /opt/rpm/good pointing to it; the command rpm-gateway; units for systemd, a udev rule for lamps, a polkit rule for
# `reboot = true`, a tmpfiles rule for owners. The key is kept as /etc/rpm/release-key.pem: updates must be signed with it.
# Settings (/etc/rpm/gateway.toml) are never touched.
#
#   --python PROGRAM   which Python (3.11 or newer; default python3)
#   --root FOLDER      install into the system below FOLDER, for an image that is made elsewhere; nothing is started
set -euo pipefail
umask 022
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
ACCOUNT=rpm-gateway
UNITS=(rpm-gateway.service rpm-gateway-update.service rpm-gateway-update.timer)
FREE_MIB_MIN=500

log() { echo "install.sh: $*"; }
die() {
  echo "install.sh: $*" >&2
  exit 2
}

ROOT='' PYTHON=python3 RELEASE='' WHEELS='' KEY=''
COMMAND=${1:-help}
[ $# = 0 ] || shift
while [ $# -gt 0 ]; do
  case $1 in
    --root | --python | --release | --wheels | --key)
      [ $# -ge 2 ] || die "$1 needs a value: see $0 help"
      declare "$(tr '[:lower:]' '[:upper:]' <<<"${1#--}")=$2"
      shift 2
      ;;
    -h | --help) COMMAND=help && shift ;;
    *) die "unknown option '$1': see $0 help" ;;
  esac
done
[ -z "$ROOT" ] || ROOT=$(realpath -m "$ROOT")
OPT=$ROOT/opt/rpm

# Will this machine do? ---------------------------------------------------------------------------------------------------

WRONG=0
ok() { printf '  ok  %s\n' "$*"; }
wrong() { # wrong WHAT REMEDY
  printf '  !!  %s\n      → %s\n' "$1" "$2"
  WRONG=$((WRONG + 1))
}

check() {
  local found
  found=$(sed -n 's/^PRETTY_NAME="\(.*\)"$/\1/p' "$ROOT/etc/os-release" 2>/dev/null) || true
  if grep -qE '^ID(_LIKE)?="?([a-z ]* )?debian' "$ROOT/etc/os-release" 2>/dev/null; then
    ok "${found:-Debian}"
  else
    wrong "${found:-this system} is not Debian or Raspberry Pi OS" "it was made for those two: units and paths may differ elsewhere"
  fi
  if "$PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
    ok "$("$PYTHON" --version)"
    if "$PYTHON" -c 'import ensurepip, venv' 2>/dev/null; then
      ok "venv"
    else
      wrong "this Python cannot make environments" "apt install python3-venv"
    fi
  else
    wrong "no Python 3.11 or newer as $PYTHON" "Raspberry Pi OS 12 or newer has it; or --python PROGRAM"
  fi
  if command -v bluetoothctl >/dev/null; then
    ok "BlueZ: $(bluetoothctl --version 2>/dev/null || echo 'version not told')"
  else
    wrong "no BlueZ" "apt install bluez"
  fi
  if [ -n "$ROOT" ] || compgen -G '/sys/class/bluetooth/hci*' >/dev/null; then
    ok "a Bluetooth adapter"
  else
    wrong "no Bluetooth adapter" "rfkill list; on a Raspberry Pi no dtoverlay=disable-bt in config.txt"
  fi
  if command -v systemctl >/dev/null; then ok "systemd"; else wrong "no systemd" "the gateway is kept alive by it"; fi
  found=$(df --output=avail -m "$(existing "$OPT")" | tail -1)
  if [ "$found" -ge "$FREE_MIB_MIN" ]; then
    ok "$((found)) MiB free"
  else
    wrong "only $((found)) MiB free for $OPT" "$FREE_MIB_MIN MiB hold two versions and the outbox"
  fi
  [ "$WRONG" = 0 ]
}

existing() { # the nearest folder above that is there already
  local path=$1
  while [ ! -d "$path" ]; do path=$(dirname "$path"); done
  echo "$path"
}

# A release ---------------------------------------------------------------------------------------------------------------

# verify FOLDER KEY: the list of files is signed, each file is as the list says, and there is no other.
verify() {
  local folder=$1 key=$2
  [ -s "$folder/SHA256SUMS" ] && [ -s "$folder/SHA256SUMS.sig" ] || die "$folder is not a release: it has no SHA256SUMS with its .sig"
  command -v openssl >/dev/null || die "openssl is not installed: apt install openssl"
  openssl pkeyutl -verify -rawin -pubin -inkey "$key" -sigfile "$folder/SHA256SUMS.sig" -in "$folder/SHA256SUMS" >/dev/null 2>&1 ||
    die "$folder is not signed with $key: do not use it"
  (cd "$folder" && sha256sum --check --strict --quiet SHA256SUMS >&2) || die "$folder is damaged: fetch it again"
  diff <(cd "$folder" && find . ! -type d ! -path ./SHA256SUMS ! -path ./SHA256SUMS.sig -printf '%P\n' | sort) <(cut -c67- "$folder/SHA256SUMS" | sort) >/dev/null ||
    die "$folder holds files that nobody signed: do not use it"
}

# make_version WHEELS RELEASE_JSON PIP_OPTION...: an environment that is whole, or not there.
make_version() {
  local wheels=$1 described=$2 wheel version folder
  shift 2
  wheel=$(find "$wheels" -maxdepth 1 -name 'rpm_pipeline-*.whl' | sort -V | tail -1)
  [ -n "$wheel" ] || die "$wheels holds no rpm_pipeline-….whl"
  version=$(basename "$wheel" | cut -d- -f2)
  folder=$OPT/versions/$version
  if [ -s "$folder/release.json" ]; then
    log "version $version is there already"
  else
    log "making $folder (some minutes on a small machine)"
    rm -rf "$folder"
    mkdir -p "$OPT/versions"
    "$PYTHON" -m venv "$folder"
    "$folder/bin/python" -m pip --disable-pip-version-check --no-input install --quiet --only-binary :all: \
      --find-links "$wheels" "$@" "rpm-pipeline[gateway]==$version" ||
      die "not installed: some wheel is missing for $(uname -m) and $("$PYTHON" --version); nothing was changed"
    "$folder/bin/rpm-gateway" --help >/dev/null || die "version $version does not start on this machine; nothing was changed"
    # Last: a folder that has it is whole.
    if [ -n "$described" ]; then
      cp "$described" "$folder/release.json"
    else
      echo "{\"version\": \"$version\", \"number\": 0, \"stage_percent\": 100}" >"$folder/release.json"
    fi
    sync -f "$folder/release.json"
  fi
  VERSION=$version
}

# point NAME VERSION: in one step, whatever happens.
point() {
  ln -sfn "versions/$2" "$OPT/$1.new"
  mv -T "$OPT/$1.new" "$OPT/$1"
}

# The commands ------------------------------------------------------------------------------------------------------------

live() { [ -z "$ROOT" ]; }

put() { # put FILE FOLDER [NAME]
  install -D -m 644 "$HERE/$1" "$ROOT$2/${3:-$1}"
}

install_gateway() {
  live && [ "$(id -u)" != 0 ] && die "run this with sudo"
  if [ -n "$RELEASE" ] && [ -z "$WHEELS" ]; then
    [ -n "$KEY" ] || KEY=$ROOT/etc/rpm/release-key.pem
    [ -s "$KEY" ] || die "--release needs --key FILE: the public key of whoever made it"
    verify "$RELEASE" "$KEY"
  elif [ -z "$WHEELS" ] || [ -n "$RELEASE" ]; then
    die "one of --release FOLDER and --wheels FOLDER: see $0 help"
  fi
  check || die "this machine will not do yet: see above"
  local options=()
  if [ -n "$RELEASE" ]; then
    options=(--no-index --constraint "$RELEASE/constraints.txt")
    make_version "$RELEASE/wheels" "$RELEASE/release.json" "${options[@]}"
  else
    [ -d "$WHEELS" ] || die "there is no folder $WHEELS"
    [ ! -s "$WHEELS/constraints.txt" ] || options=(--constraint "$WHEELS/constraints.txt")
    make_version "$WHEELS" '' "${options[@]}"
  fi

  if ! grep -q "^$ACCOUNT:" "$ROOT/etc/passwd"; then
    useradd ${ROOT:+--prefix "$ROOT"} --system --user-group --home-dir /var/lib/rpm-gateway --no-create-home --shell /usr/sbin/nologin "$ACCOUNT"
  fi
  mkdir -p "$ROOT"/{etc/rpm,var/lib,usr/local/bin}
  [ -z "$RELEASE" ] || [ "$KEY" -ef "$ROOT/etc/rpm/release-key.pem" ] || install -m 644 "$KEY" "$ROOT/etc/rpm/release-key.pem"
  put gateway.toml.example /etc/rpm
  put README.md /opt/rpm
  local unit
  for unit in "${UNITS[@]}"; do put "$unit" /etc/systemd/system; done
  put 70-rpm-gateway.rules /etc/udev/rules.d
  put 50-rpm-gateway.rules /etc/polkit-1/rules.d
  put rpm-gateway.tmpfiles /etc/tmpfiles.d rpm-gateway.conf
  # `good` last: until then an update that runs beside this one is of the version that was good.
  point current "$VERSION"
  point good "$VERSION"
  ln -sfn /opt/rpm/current/bin/rpm-gateway "$ROOT/usr/local/bin/rpm-gateway"
  log "version $VERSION is installed"
  systemctl ${ROOT:+--root="$ROOT"} enable --quiet rpm-gateway.service rpm-gateway-update.timer
  if live; then start; else log "not started: $ROOT is not this machine's own system"; fi
}

start() {
  systemd-tmpfiles --create /etc/tmpfiles.d/rpm-gateway.conf
  udevadm control --reload
  udevadm trigger --action=add --subsystem-match=leds
  systemctl daemon-reload
  systemctl restart rpm-gateway.service rpm-gateway-update.timer
  if [ -s /etc/rpm/gateway.toml ]; then
    log "it runs; see: sudo rpm-gateway status /etc/rpm/gateway.toml"
  else
    log "it waits for its settings: sudo cp /etc/rpm/gateway.toml.example /etc/rpm/gateway.toml,"
    log "sudo rpm-gateway enrol /etc/rpm/gateway.toml --cloud https://…, then the home's devices: README.md, steps 5 to 7;"
    log "then sudo systemd-tmpfiles --create, and sudo systemctl restart rpm-gateway"
  fi
}

uninstall_gateway() {
  live && [ "$(id -u)" != 0 ] && die "run this with sudo"
  if live; then systemctl stop "${UNITS[@]}" 2>/dev/null || true; fi
  systemctl ${ROOT:+--root="$ROOT"} disable --quiet "${UNITS[@]}" 2>/dev/null || true
  local unit
  for unit in "${UNITS[@]}"; do rm -f "$ROOT/etc/systemd/system/$unit"; done
  rm -f "$ROOT"/etc/{udev/rules.d/70,polkit-1/rules.d/50}-rpm-gateway.rules "$ROOT/etc/tmpfiles.d/rpm-gateway.conf"
  rm -f "$ROOT/usr/local/bin/rpm-gateway" "$ROOT/etc/rpm/gateway.toml.example"
  rm -rf "$OPT"
  if live; then
    systemctl daemon-reload
    udevadm control --reload
  fi
  log "the program is gone. Kept: /etc/rpm (settings, key), /var/lib/rpm-gateway (readings, bonds), the user $ACCOUNT."
}

case $COMMAND in
  check) check || exit 1 ;;
  install) install_gateway ;;
  uninstall) uninstall_gateway ;;
  help | -h | --help) sed -n '2,/^set -/{/^set -/d; s/^# \{0,1\}//p}' "$0" ;;
  *) die "unknown command '$COMMAND': see $0 help" ;;
esac
