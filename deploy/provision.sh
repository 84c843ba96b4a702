#!/usr/bin/env bash
# PostgreSQL 17 with TimescaleDB, and Mosquitto, for this folder alone: no root needed, no package of the host touched,
# no network after the first run.
#
#   provision.sh install                       fetch and unpack the programs (once)
#   provision.sh up NAME [PORT [SETTING=VALUE...]]   make or start the cluster NAME, print its DSN (last line of stdout)
#   provision.sh down NAME                     stop it
#   provision.sh destroy NAME                  stop it and delete its data
#   provision.sh dsn NAME                      print its DSN
#   provision.sh data NAME                     print its data folder
#   provision.sh mosquitto                     print the path of the broker
#   provision.sh dynsec                        print the path of the broker's dynamic-security plugin
#
# Each NAME is a cluster of its own: own data, own port, own password. The programs are shared.
# Where the programs come from, first match wins:
#   1. the host's own packages, where it has PostgreSQL with TimescaleDB and Mosquitto with its dynamic-security plugin;
#   2. a private copy: Debian trixie's signed packages unpacked below $RPM_LOCAL, running on their own C library.
# Settings: RPM_LOCAL (default: .local beside this folder), RPM_DEBIAN_MIRROR (default: what the host's apt sources
# name), RPM_DEBIAN_KEYRING, RPM_DATABASE_USER (an unprivileged account, used only by root where the kernel allows no
# user namespaces; default nobody).
set -euo pipefail
umask 022
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=deploy/debian.sh
. "$HERE/debian.sh"

LOCAL=${RPM_LOCAL:-$(dirname "$HERE")/.local}
mkdir -p "$LOCAL" 2>/dev/null && [ -w "$LOCAL" ] || die "cannot write $LOCAL: set RPM_LOCAL to a folder of your own"
LOCAL=$(cd "$LOCAL" && pwd)
PREFIX=$LOCAL/servers
SUITE=trixie # the first Debian with timescaledb built for PostgreSQL 17
DATABASE=rpm
START_TRIES=6 # after a kill -9, dead backends hold the old shared memory for a second or two

# --- programs --------------------------------------------------------------------------------------------------------

first_of() { # the first of these paths that exists
  local path
  for path in "$@"; do [ -e "$path" ] && echo "$path" && return; done
  return 1
}

host_postgres() { # the newest installed server that has the extension
  local bin version
  for bin in $(printf '%s\n' /usr/lib/postgresql/*/bin | sort -rV); do
    version=$(basename "$(dirname "$bin")")
    [ -e "/usr/share/postgresql/$version/extension/timescaledb.control" ] && echo "$bin" && return
  done
  return 1
}
host_mosquitto() { first_of /usr/sbin/mosquitto; }
host_dynsec() { first_of /usr/lib/*/mosquitto_dynamic_security.so; }

# BIN, MOSQUITTO, DYNSEC. The private copy wins once it exists: the data was made by it.
find_programs() {
  BIN=$(first_of "$PREFIX"/usr/lib/postgresql/*/bin || true)
  MOSQUITTO=$PREFIX/usr/sbin/mosquitto
  DYNSEC=$(first_of "$PREFIX"/usr/lib/*/mosquitto_dynamic_security.so || true)
  [ -z "$BIN" ] || return 0
  if host_dynsec >/dev/null && MOSQUITTO=$(host_mosquitto) && BIN=$(host_postgres); then DYNSEC=$(host_dynsec); else BIN=; fi
}

# The copy holds absolute paths, so that it no longer runs after the folder was moved; it is then made again.
programs_run() { [ -n "$BIN" ] && "$BIN/postgres" --version >/dev/null 2>&1 && [ -e "$DYNSEC" ] && [ -x "$MOSQUITTO" ]; }

unpack_programs() {
  local work=$LOCAL/servers.work new=$LOCAL/servers.new libraries loader program
  # libllvm would treble the download, for a JIT that short queries never use.
  local wanted='^(lib(?!llvm|z3|perl|.*-perl$).*|zlib1g|postgresql-(client-)?[0-9]+(-timescaledb)?|mosquitto|patchelf)$'
  rm -rf "$work" "$new"
  private_debs "$work" "$SUITE" "$wanted" 'postgresql-*-timescaledb' mosquitto patchelf ||
    die "cannot get PostgreSQL with TimescaleDB: this needs apt-get and a Debian mirror (RPM_DEBIAN_MIRROR); or set TSDB_DSN and RPM_BROKER_URL to servers of your own"
  log "unpacking"
  unpack_debs "$work" "$new" --exclude='*/bitcode' --exclude='llvmjit*'
  libraries=$(dirname "$(find "$new/usr/lib" -name libc.so.6 | head -1)")
  loader=$(first_of "$libraries"/ld-linux-*.so.*)
  cp "$new/usr/bin/patchelf" "$work/patchelf"
  # Trixie's programs need a newer C library than the host may have: they get trixie's own loader, and an RPATH (not
  # RUNPATH) so that what they load at run time, the broker's plugin included, finds its libraries there too.
  for program in "$new"/usr/lib/postgresql/*/bin/* "$new/usr/sbin/mosquitto"; do
    [ ! -L "$program" ] && [ "$(head -c4 "$program" | tail -c3)" = ELF ] || continue
    "$loader" --library-path "$libraries" "$work/patchelf" --set-interpreter "${loader/#$new/$PREFIX}" \
      --force-rpath --set-rpath "${libraries/#$new/$PREFIX}" "$program"
  done
  rm -rf "$PREFIX"
  mv "$new" "$PREFIX" # whole or not at all: an interrupted run leaves nothing half-made in its place
  rm -rf "$work"
  log "PostgreSQL, TimescaleDB and Mosquitto are in $PREFIX ($(du -sh "$PREFIX" | cut -f1))"
}

install() {
  find_programs
  programs_run && return
  unpack_programs
  find_programs
  programs_run || die "the unpacked programs do not run on this machine ($(uname -m))"
}

# --- clusters --------------------------------------------------------------------------------------------------------

# PostgreSQL refuses to run as root. As root we start it in a user namespace in which our own uid is called nobody (no
# other account, no chown, works below /root), or, where the kernel forbids that, as an unprivileged account.
AS_OWNER=()
choose_owner() {
  local user=${RPM_DATABASE_USER:-nobody} map=(--user --map-user=65534 --map-group=65534)
  [ "$(id -u)" = 0 ] || return 0
  if unshare "${map[@]}" true 2>/dev/null; then
    AS_OWNER=(unshare "${map[@]}" --)
    return
  fi
  AS_OWNER=(setpriv "--reuid=$user" "--regid=$(id -g "$user")" --clear-groups --)
  chown -R "$user" "$CLUSTER"
  "${AS_OWNER[@]}" test -r "$CLUSTER/password" ||
    die "$user cannot reach $CLUSTER and this kernel forbids user namespaces: set RPM_LOCAL=/var/lib/rpm"
}
as_owner() { "${AS_OWNER[@]}" "$@"; }

name_cluster() {
  [[ ${1:-} =~ ^[a-z0-9][a-z0-9_-]{0,40}$ ]] || die "a cluster's name is lower-case letters, digits, - and _: got '${1:-}'"
  CLUSTER=$LOCAL/clusters/$1
  DATA=$CLUSTER/data
}
read_pid_file() { sed -n "${1}p" "$DATA/postmaster.pid" 2>/dev/null || true; }
# A pid file alone proves nothing: after a kill -9 or a restart of the machine its pid may be somebody else's.
owned_process() {
  local pid
  pid=$(read_pid_file 1)
  [ -n "$pid" ] && [ "$(readlink "/proc/$pid/cwd" 2>/dev/null)" = "$DATA" ]
}
running() { owned_process && "$BIN/pg_isready" -q -h 127.0.0.1 -p "$(read_pid_file 4)"; }

port_taken() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }
free_port() {
  local port
  for _ in $(seq 50); do
    port=$((20000 + RANDOM % 12000))
    port_taken "$port" || { echo "$port" && return; }
  done
  die "no free port found between 20000 and 32000"
}

sql() { # DATABASE STATEMENT
  PGPASSWORD=$(cat "$CLUSTER/password") "$BIN/psql" -XqAt -v ON_ERROR_STOP=1 \
    -h 127.0.0.1 -p "$(read_pid_file 4)" -U postgres -d "$1" -c "$2"
}

make_cluster() { # beside its place, then moved there: an interrupted run leaves nothing half-made
  local new=$CLUSTER/data.new major locale=(--locale=C)
  major=$("$BIN/postgres" --version | grep -oE '[0-9]+' | head -1)
  log "making the database cluster $(basename "$CLUSTER") (PostgreSQL $major)"
  rm -rf "$new"
  [ "$major" -lt 17 ] || locale+=(--locale-provider=builtin --builtin-locale=C.UTF-8)
  as_owner "$BIN/initdb" -D "$new" -U postgres -A scram-sha-256 --pwfile="$CLUSTER/password" -E UTF8 \
    "${locale[@]}" --data-checksums >"$CLUSTER/initdb.log" 2>&1 9>&- || {
    tail -3 "$CLUSTER/initdb.log" >&2
    die "initdb failed"
  }
  cat >>"$new/postgresql.conf" <<CONF
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
shared_preload_libraries = 'timescaledb'
timescaledb.telemetry_level = off
shared_buffers = 256MB
max_wal_size = 4GB
max_worker_processes = 24
CONF
  if [ -e /usr/share/zoneinfo/UTC ]; then echo "timezone = 'UTC'" >>"$new/postgresql.conf"; else
    die "no time zones on this machine: install the package tzdata"
  fi
  mv "$new" "$DATA"
}

start_cluster() { # PORT SETTING=VALUE...
  local port=$1 options="-p $1" setting
  shift
  for setting in "$@"; do options+=" -c $setting"; done
  port_taken "$port" && die "port $port is taken: give another one, or stop what listens there"
  for _ in $(seq "$START_TRIES"); do
    owned_process || rm -f "$DATA/postmaster.pid"
    # 9>&-: the server outlives us and must not inherit our lock.
    as_owner "$BIN/pg_ctl" -D "$DATA" -l "$CLUSTER/server.log" -o "$options" -w -t 60 start >/dev/null 2>&1 9>&- && return
    sleep 1
  done
  tail -5 "$CLUSTER/server.log" >&2
  die "the database server did not start: see $CLUSTER/server.log"
}

dsn() {
  [ -s "$CLUSTER/password" ] && [ -n "$(read_pid_file 4)" ] || die "$(basename "$CLUSTER") is not running: $0 up $(basename "$CLUSTER")"
  echo "postgresql://postgres:$(cat "$CLUSTER/password")@127.0.0.1:$(read_pid_file 4)/$DATABASE"
}

up() { # [PORT [SETTING=VALUE...]]
  local port=${1:-0} made running_major
  [[ $port =~ ^[0-9]+$ ]] || die "a port is a number: got '$port'"
  install
  mkdir -p "$CLUSTER"
  [ -s "$CLUSTER/password" ] || (umask 077 && od -An -N16 -tx1 /dev/urandom | tr -d ' \n' >"$CLUSTER/password")
  choose_owner
  [ -d "$DATA" ] || make_cluster
  made=$(cut -d. -f1 "$DATA/PG_VERSION")
  running_major=$("$BIN/postgres" --version | grep -oE '[0-9]+' | head -1)
  [ "$made" = "$running_major" ] ||
    die "the data of $(basename "$CLUSTER") was made by PostgreSQL $made, this is $running_major: $0 destroy $(basename "$CLUSTER")"
  if ! running; then
    # Without a port given it is the one it had before, if that is still free.
    if [ "$port" = 0 ]; then
      port=$(cat "$CLUSTER/port" 2>/dev/null || true)
      [ -n "$port" ] && ! port_taken "$port" || port=$(free_port)
    fi
    echo "$port" >"$CLUSTER/port"
    start_cluster "$port" "${@:2}"
  fi
  [ "$(sql postgres "select count(*) from pg_database where datname = '$DATABASE'")" = 1 ] ||
    sql postgres "create database $DATABASE"
  dsn
}

down() {
  [ -d "$CLUSTER" ] || return 0
  find_programs
  choose_owner
  if owned_process; then as_owner "$BIN/pg_ctl" -D "$DATA" -m fast -w stop >/dev/null; fi
}

COMMAND=${1:-help}
shift || true
case $COMMAND in
  install | up | down | destroy) # one at a time in one folder; waits for the other, however it ends
    exec 9>"$LOCAL/lock"
    flock 9
    ;;
esac
case $COMMAND in
  install) install ;;
  mosquitto | dynsec)
    find_programs
    programs_run || die "not installed: run $0 install"
    if [ "$COMMAND" = mosquitto ]; then echo "$MOSQUITTO"; else echo "$DYNSEC"; fi
    ;;
  up | down | destroy | dsn | data)
    name_cluster "${1:-}"
    shift
    case $COMMAND in
      up) up "$@" ;;
      dsn) dsn ;;
      data) echo "$DATA" ;;
      down) down ;;
      destroy)
        down
        rm -rf "$CLUSTER"
        ;;
    esac
    ;;
  help | -h | --help) sed -n '2,/^set -/{/^set -/d; s/^# \{0,1\}//p}' "$0" ;;
  *) die "unknown command '$COMMAND': try $0 help" ;;
esac
