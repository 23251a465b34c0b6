#!/usr/bin/env bash
# Counts the functions of ours that one plain GET crosses: those that a run with one request executes and a run without
# does not. The list goes to standard output, the count to standard error.
#   test/functions.sh | sed 's/:.*//' | sort | uniq -c    by file
set -euo pipefail
cd "$(dirname "$0")/.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
go build -cover -coverpkg=tlslift/... -o "$work/tlslift" ./cmd/tlslift
go run ./test/functions -binary "$work/tlslift" -dir "$work"
for run in idle get; do
  go tool covdata func -i="$work/$run" | awk '$NF != "0.0%" && /\.go:/ {print $1, $2}' | sort >"$work/$run.txt"
done
comm -13 "$work/idle.txt" "$work/get.txt" | tee "$work/list.txt"
echo "$(wc -l <"$work/list.txt") functions in $(cut -d: -f1 "$work/list.txt" | sort -u | wc -l) files" >&2
