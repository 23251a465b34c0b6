#!/usr/bin/env bash
# Every rule and every panel of the dashboards against a real Prometheus: a scripted migration of a
# month, and a real tlslift. Installs Prometheus (apt) when it is not there. About a minute.
set -euo pipefail
cd "$(dirname "$0")/../.."

if ! command -v prometheus >/dev/null || ! command -v promtool >/dev/null; then
  sudo=
  [ "$(id -u)" -eq 0 ] || sudo=sudo
  $sudo apt-get update -qq
  $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends prometheus >/dev/null
fi
prometheus --version 2>&1 | head -n 1

# What is committed is what the code makes.
(cd deploy/grafana/generate && go vet . && go test -count=1 .)

# The rules' own unit tests, and the dashboards.
CI=true TLSLIFT_DASHBOARDS=require go test -count=1 -timeout 15m ./deploy/prometheus/ ./test/dashboards/...
