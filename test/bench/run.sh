#!/usr/bin/env bash
# Measures tlslift beside HAProxy, nginx and Squid and prints the table of docs/benchmarks.md.
#   test/bench/run.sh                                all of it, under six minutes
#   test/bench/run.sh -only keepalive                one section
#   test/bench/run.sh -write docs/benchmarks.md
#   test/bench/run.sh -only keepalive -against OLD   two builds of tlslift beside each other
#   BENCH_LONG=1 test/bench/run.sh                   pauses of a whole minute
# Needs two cores, Linux, and root where the peers are to be installed (apt).
set -euo pipefail
cd "$(dirname "$0")/../.."

missing=()
for pair in nginx:nginx-light haproxy:haproxy squid:squid-openssl wrk:wrk taskset:util-linux; do
  PATH=$PATH:/usr/sbin command -v "${pair%%:*}" >/dev/null || missing+=("${pair##*:}")
done
if [ ${#missing[@]} -gt 0 ]; then
  echo "installing ${missing[*]}" >&2
  # The distribution's services must not start: only this run's own processes are wanted.
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -qq
  apt-get install -y -qq --no-install-recommends "${missing[@]}" >&2
fi
export PATH=$PATH:/usr/sbin

program=$(mktemp -d)
trap 'rm -rf "$program"' EXIT
go build -o "$program/bench" ./test/bench
taskset -c 1 "$program/bench" "$@"
