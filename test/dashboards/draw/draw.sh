#!/usr/bin/env bash
# Draws the dashboards with Grafana's own components, in Chromium: from the scripted month, and
# from the first twenty minutes of a real installation.
#
#   test/dashboards/draw/draw.sh [OUT_DIR]      (default: docs/pictures)
#
# Needs Node 20, apt's prometheus and chromium; installs @grafana/ui and its kin (npm, 450 MB).
# START_FOR says how long the installation runs.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../../.." && pwd)
out=$(mkdir -p "${1:-$root/docs/pictures}" && cd "${1:-$root/docs/pictures}" && pwd)
work=$(mktemp -d)

cd "$root"
go build -o "$work" ./cmd/tlslift ./test/dashboards/serve ./test/dashboards/start
"$work/serve" -listen 127.0.0.1:0 >"$work/serve.out" &
serving=$!
"$work/start" -binary "$work/tlslift" -for "${START_FOR:-20m}" >"$work/start.out" 2>"$work/start.err" &
starting=$!
trap 'kill "$serving" "$starting" 2>/dev/null; wait "$serving" "$starting" 2>/dev/null; rm -rf "$work"' EXIT

cd "$here"
# Not npm ci: it wants packages for every other platform too, which not every registry mirror has.
npm install --no-save --omit-lockfile-registry-resolved --no-audit --no-fund --ignore-scripts --loglevel=error
node_modules/.bin/vite build --logLevel error

# shoot OUTPUT_OF PID SUFFIX: waits until the Prometheus of a command is ready, and draws.
shoot() {
  until grep -q '^ready' "$1"; do
    kill -0 "$2" || { echo 'there is nothing to draw from' >&2; exit 1; }
    sleep 1
  done
  local url now
  read -r _ url now < <(grep '^ready' "$1")
  node shoot.mjs "$url" "$now" "$out" "$3"
}
shoot "$work/serve.out" "$serving" ''
shoot "$work/start.out" "$starting" -start
ls -l "$out"/dashboard-*.png
