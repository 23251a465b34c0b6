#!/usr/bin/env bash
# Every fuzz target of the project in turn, for the time given (default 30s each).
# A finding is kept in the package's testdata/fuzz and ends the run.
set -euo pipefail
cd "$(dirname "$0")/.."
each=${1:-30s}
count=0
while IFS=: read -r file name; do
  package=./$(dirname "$file")
  printf '== %s %s\n' "$package" "$name"
  go test "$package" -run '^$' -fuzz "^$name\$" -fuzztime "$each" -fuzzminimizetime 10x
  count=$((count + 1))
done < <(git grep -oE '^func Fuzz[A-Za-z0-9_]+' -- '*_test.go' | sed 's/:func /:/')
[ "$count" -gt 0 ] || { echo 'no fuzz target was found'; exit 1; }
echo "$count fuzz targets, $each each, no finding"
