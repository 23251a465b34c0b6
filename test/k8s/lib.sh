# shellcheck shell=bash
# What the stages of run.sh share.

passed=0
failed=0
export LC_ALL=C
cache=${XDG_CACHE_HOME:-$HOME/.cache}/tlslift-k8s # what is built once
work=$(mktemp -d)                                 # what this run makes
lab=                                              # kube-lab, once it is found
mkdir -p "$cache"

title() { printf '\n== %s\n' "$*"; }
note() { printf '   %s\n' "$*"; }
die() {
  printf 'test/k8s: %s\n' "$*" >&2
  exit 1
}

# pass and fail take what was to be shown.
pass() {
  passed=$((passed + 1))
  printf 'ok    %s\n' "$*"
}
fail() {
  failed=$((failed + 1))
  printf 'FAIL  %s\n' "$*"
}

# show WHAT COMMAND...: the command's success is the proof. Its output is told when
# it fails.
show() {
  local what=$1 out
  shift
  if out=$("$@" 2>&1); then pass "$what"; else
    fail "$what"
    printf '%s\n' "$out" | tail -n 25 | sed 's/^/      /'
  fi
}

verdict() {
  printf '\n%d shown, %d failed\n' "$passed" "$failed"
  [ "$failed" -eq 0 ] || exit 1
}

# eventually SECONDS COMMAND...: until it succeeds
eventually() {
  local deadline=$((SECONDS + $1))
  shift
  until "$@" >/dev/null 2>&1; do
    [ "$SECONDS" -lt "$deadline" ] || { "$@"; return 1; }
    sleep 0.5
  done
}

find_lab() {
  local dir
  for dir in "${KUBE_LAB_DIR:-}" ../shared/kube-lab; do
    if [ -n "$dir" ] && [ -x "$dir/kube-lab" ]; then
      lab=$(cd "$dir" && pwd)/kube-lab
      note "kube-lab: $lab"
      return
    fi
  done
  cat >&2 <<'X'
*************************************************************************
* NOT TESTED: there is no kube-lab. Set KUBE_LAB_DIR to its folder.     *
* Nothing was shown about Kubernetes.                                   *
*************************************************************************
X
  exit 1
}

# low COMMAND...: with one core and the lowest priority, if asked for
low() {
  if [ -n "${KUBE_LAB_LOW:-}" ]; then GOMAXPROCS=1 nice -n 19 "$@"; else "$@"; fi
}

clean_up() {
  lab_down
  rm -rf "$work"
}

lab_down() {
  if [ -n "$lab" ]; then "$lab" down >/dev/null 2>&1 || true; fi
}

kubectl_() { "$lab" kubectl "$@"; }
# Helm tells that it follows the chart's symbolic links.
helm_() { "$lab" helm "$@" 2> >(grep -v 'found symbolic link' >&2); }

# module MODULE VERSION: its folder in the module cache
module() {
  (cd "$work" && go mod download -json "$1@$2" | sed -n 's/.*"Dir": "\(.*\)",/\1/p')
}

# namespace NAME PROFILE: with Pod Security enforced, and warnings for what only
# makes pods
namespace() {
  kubectl_ create namespace "$1" >/dev/null
  kubectl_ label namespace "$1" "pod-security.kubernetes.io/enforce=$2" "pod-security.kubernetes.io/warn=$2" >/dev/null
}

# accepted NAMESPACE FILE: by server-side apply, without a warning
accepted() {
  local out
  out=$(kubectl_ apply --server-side --dry-run=server --force-conflicts -n "$1" -f "$2" 2>&1) || { printf '%s\n' "$out"; return 1; }
  case $out in *Warning*)
    printf '%s\n' "$out"
    return 1
    ;;
  esac
}

# refused NAMESPACE FILE WORD: refused or warned about, and the word is in it
refused() {
  local out
  out=$(kubectl_ apply --server-side --dry-run=server --force-conflicts -n "$1" -f "$2" 2>&1) || true
  case $out in *"$3"*) return 0 ;; esac
  printf 'not a word of "%s":\n%s\n' "$3" "$out"
  return 1
}

build_tlslift() {
  CGO_ENABLED=0 go build -trimpath -ldflags "-s -w -X main.version=k8s-test" -o "$work/tlslift" ./cmd/tlslift
}
