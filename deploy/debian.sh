# Debian packages in a folder of our own. Sourced by provision.sh and chromium.sh; needs apt-get and dpkg-deb, no root.
# Nothing of the host is touched: apt works on lists, a status file and a cache of its own, and verifies signatures with
# the host's Debian keyring. Afterwards no network is needed.
# shellcheck shell=bash

log() { echo "${0##*/}: $*" >&2; }
die() {
  log "$*"
  exit 1
}

# debian_mirrors: "MIRROR SECURITY_MIRROR", as the host's own apt sources name them. (`apt-get indextargets` is empty
# before the first `apt-get update`, so the files themselves are read, deb822 and one-line form alike.)
debian_mirrors() {
  local uris mirror security
  uris=$({ cat /etc/apt/sources.list /etc/apt/sources.list.d/*.{list,sources} 2>/dev/null || true; } |
    sed -nE 's/^URIs: *([^ ]+).*/\1/p; s/^deb +(\[[^]]*\] +)?([^ ]+).*/\2/p')
  mirror=${RPM_DEBIAN_MIRROR:-$(grep -m1 '/debian/*$' <<<"$uris" || true)}
  security=$(grep -m1 'debian-security/*$' <<<"$uris" || true)
  [ -n "$mirror" ] || return 1
  echo "$mirror $security"
}

# private_apt DIR SUITE: APT_OPTIONS for an apt that lives in DIR and knows only SUITE (and its security updates).
private_apt() {
  local dir=$1 suite=$2 key=${RPM_DEBIAN_KEYRING:-/usr/share/keyrings/debian-archive-keyring.gpg} mirrors mirror security
  command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null || return 1
  mirrors=$(debian_mirrors) || return 1
  read -r mirror security <<<"$mirrors"
  mkdir -p "$dir"/state/lists/partial "$dir"/cache/archives/partial
  : >"$dir/status"
  echo "deb [signed-by=$key] $mirror $suite main" >"$dir/sources.list"
  [ -z "$security" ] || echo "deb [signed-by=$key] $security $suite-security main" >>"$dir/sources.list"
  APT_OPTIONS=(-qq
    -o "Dir::State=$dir/state" -o "Dir::State::status=$dir/status" -o "Dir::Cache=$dir/cache"
    -o "Dir::Etc::sourcelist=$dir/sources.list" -o Dir::Etc::sourceparts=/dev/null
    -o Dir::Etc::preferences=/dev/null -o Dir::Etc::preferencesparts=/dev/null
    -o APT::Sandbox::User=root -o APT::Install-Recommends=false
    -o Acquire::Languages=none -o Acquire::Retries=3 -o APT::Update::Error-Mode=any -o Debug::NoLocking=1)
}

# private_debs DIR SUITE FILTER PACKAGE...: the .debs of PACKAGE... and of what they depend on, as far as their names
# match the Perl expression FILTER, in DIR/debs.
private_debs() {
  local dir=$1 suite=$2 filter=$3 plan names
  shift 3
  private_apt "$dir" "$suite" || return 1
  log "reading Debian's list of packages ($suite)"
  apt-get "${APT_OPTIONS[@]}" update >&2 || return 1
  plan=$(apt-get "${APT_OPTIONS[@]}" -s install "$@") || return 1
  names=$(awk '/^Inst/ {print $2}' <<<"$plan" | grep -P "$filter") || return 1
  log "downloading $(wc -w <<<"$names") packages"
  mkdir -p "$dir/debs"
  # Word splitting is wanted: one package name per word.
  # shellcheck disable=SC2086
  (cd "$dir/debs" && apt-get "${APT_OPTIONS[@]}" download $names >&2)
}

# unpack_debs DIR TARGET [TAR OPTION...]: DIR/debs laid out below TARGET, documentation left out.
unpack_debs() {
  local dir=$1 target=$2 deb
  shift 2
  mkdir -p "$target"
  for deb in "$dir"/debs/*.deb; do
    dpkg-deb --fsys-tarfile "$deb" |
      tar -x -C "$target" --no-same-owner --exclude='./usr/share/'{doc,man,locale,lintian,bug} "$@"
  done
}
