#!/usr/bin/env bash
# Draws the dashboards with Grafana's own components, in Chromium, from the scripted month:
#
#   test/dashboards/draw/draw.sh [OUT_DIR]      (default: docs/pictures)
#
# Needs Node 20, apt's prometheus and chromium; installs @grafana/ui and its kin (npm, 450 MB).
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../../.." && pwd)
out=$(mkdir -p "${1:-$root/docs/pictures}" && cd "${1:-$root/docs/pictures}" && pwd)
work=$(mktemp -d)

cd "$root"
go build -o "$work/serve" ./test/dashboards/serve
"$work/serve" -listen 127.0.0.1:0 >"$work/serve.out" &
serving=$!
trap 'kill "$serving" 2>/dev/null; wait "$serving" 2>/dev/null; rm -rf "$work"' EXIT

cd "$here"
# Not npm ci: it wants packages for every other platform too, which not every registry mirror has.
npm install --no-save --omit-lockfile-registry-resolved --no-audit --no-fund --ignore-scripts --loglevel=error
node_modules/.bin/vite build --logLevel error

until grep -q '^ready' "$work/serve.out"; do
  kill -0 "$serving" || { echo 'the month could not be served' >&2; exit 1; }
  sleep 1
done
read -r _ url now <"$work/serve.out"
node shoot.mjs "$url" "$now" "$out"
ls -l "$out"/dashboard-*.png
