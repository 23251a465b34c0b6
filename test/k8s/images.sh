# shellcheck shell=bash
# Images without a registry: tlslift's own, and applications made of what this
# machine has installed.

: "${lab:?}" "${work:?}" "${cache:?}" # lib.sh sets them

# image TAG FLAG... BINARY ARG...: into the node's store
image() {
  local tag=$1
  shift
  go run ./deploy/image -t "$tag" -o "$work/image.tar" "$@" && "$lab" load "$work/image.tar" >/dev/null
}

# tree ROOT FILE...: files at their own places, with the libraries they need
tree() {
  local root=$1 file lib
  shift
  for file in "$@"; do
    install -D -m 0755 "$file" "$root$file"
    while read -r lib; do
      [ -e "$root$lib" ] || install -D -m 0755 "$lib" "$root$lib"
    done < <(ldd "$file" 2>/dev/null | sed -n -E 's|^[^/]*(/[^ ]+) \(0x.*|\1|p')
  done
  install -d "$root/etc" "$root/tmp"
  # Without it glibc would ask DNS before the hosts file.
  printf 'hosts: files dns\n' >"$root/etc/nsswitch.conf"
}

need() {
  local pair missing=()
  for pair in "$@"; do command -v "${pair%%=*}" >/dev/null || missing+=("${pair#*=}"); done
  [ ${#missing[@]} -eq 0 ] || { apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "${missing[@]}"; } >"$work/apt.log" 2>&1 ||
    die "cannot install ${missing[*]}"
}

make_images() {
  local java php
  need curl=curl php=php-cli javac=default-jdk-headless
  php -m | grep -qx curl || need no-such-command=php-curl

  image localhost/tlslift:1 -ca /etc/ssl/certs/ca-certificates.crt "$work/tlslift"
  mv "$work/image.tar" "$work/tlslift.tar"
  CGO_ENABLED=0 go build -trimpath -ldflags '-s -w' -o "$work/demo" ./deploy/demo
  image localhost/demo:1 "$work/demo"

  tree "$work/curl" "$(readlink -f "$(command -v curl)")" /bin/sh "$(command -v sleep)"
  image localhost/curl:1 -user 1000:1000 -root "$work/curl" /usr/bin/curl

  php=$(readlink -f "$(command -v php)")
  tree "$work/php" "$php" "$(php -r 'echo ini_get("extension_dir");')/curl.so"
  image localhost/php:1 -user 1000:1000 -root "$work/php" "$php"

  java=$(dirname "$(dirname "$(readlink -f "$(command -v javac)")")")
  [ -d "$cache/java" ] || "$java/bin/jlink" --add-modules java.base --strip-debug --no-header-files --no-man-pages --output "$cache/java"
  tree "$work/java" "$cache/java/bin/java" "$cache"/java/lib/*.so "$cache"/java/lib/server/libjvm.so
  rm -rf "$work/java$cache" # only its libraries are wanted; it goes to /jre
  mkdir -p "$work/java/jre"
  cp -a "$cache/java/." "$work/java/jre/"
  javac -d "$work/java/app" test/k8s/java/Call.java
  image localhost/java:1 -user 1000:1000 -root "$work/java" /jre/bin/java -cp /app Call
}
