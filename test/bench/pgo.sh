#!/usr/bin/env bash
# Makes cmd/tlslift/default.pgo, which go build uses by itself: a CPU profile under keep-alive connections and one of a
# mixed house (new connections, TLS 1.0, tunnels), merged. Run it again when the way of a request has changed much.
set -euo pipefail
cd "$(dirname "$0")/../.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# Without the old profile, and with symbols, which the merged profile needs.
CGO_ENABLED=0 go build -trimpath -pgo=off -o "$work/tlslift" ./cmd/tlslift
for load in keepalive mixed; do
  test/bench/run.sh -tlslift "$work/tlslift" -turn 4s -profile "$work/$load.pprof" -load "$load"
done
go tool pprof -proto "$work/keepalive.pprof" "$work/mixed.pprof" >"$work/merged.pprof"
# Where the binary lay is nobody's business; a name of the same length keeps the lengths of the encoding right.
name=$(printf '%*s' "$((${#work} + 8))" tlslift | tr ' ' /)
gzip -dc "$work/merged.pprof" | LC_ALL=C sed "s|$work/tlslift|$name|g" | gzip -9n >cmd/tlslift/default.pgo
ls -l cmd/tlslift/default.pgo
