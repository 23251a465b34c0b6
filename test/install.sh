#!/usr/bin/env bash
# Installs what the tests drive beyond Go: real clients, Prometheus and its promtool, Chromium, nftables. Debian 12 and
# its kin; idempotent, and quick when everything is already there.
#
#   test/install.sh CACHE_DIR
set -euo pipefail
cd "$(dirname "$0")/.."
cache=${1:?usage: test/install.sh CACHE_DIR}

as_root() {
  if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo "$@"; fi
}

missing=()
for package in prometheus chromium iproute2 nftables util-linux shellcheck systemd file make git; do
  status=$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null || true)
  [ "$status" = installed ] || missing+=("$package")
done
if [ "${#missing[@]}" -gt 0 ]; then
  echo "tests: installing ${missing[*]}"
  as_root apt-get update -qq
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
fi
test/interop/install.sh "$cache"
(cd test/browser && npm install --silent --no-audit --no-fund --no-package-lock)
if [ ! -x "$cache/helm" ]; then
  mkdir -p "$cache"
  GOBIN=$(cd "$cache" && pwd) go install helm.sh/helm/v4/cmd/helm@v4.3.1
fi
echo "tests: everything is installed"
