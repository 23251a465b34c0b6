#!/usr/bin/env bash
# Shows on a real Kubernetes that what is shipped works there.
#
#   test/k8s/run.sh manifests    a real API server judges every manifest (no root)
#   test/k8s/run.sh pods         a real node runs them (root, Linux)
#   test/k8s/run.sh              both
#
# Kubernetes comes from kube-lab, a script that builds it from Go modules and runs it
# in a network namespace: KUBE_LAB_DIR, or ../shared/kube-lab beside the checkout. The
# first build takes about ten minutes of two cores. KUBE_LAB_LOW=1 builds with one core
# and the lowest priority. What is built here lies in ${XDG_CACHE_HOME:-~/.cache}/tlslift-k8s.
set -euo pipefail
cd "$(dirname "$0")/../.."
# shellcheck source=test/k8s/lib.sh
. test/k8s/lib.sh

stages=("$@")
[ ${#stages[@]} -gt 0 ] || stages=(manifests pods)
for stage in "${stages[@]}"; do
  case $stage in
    manifests | pods) ;;
    *) die "unknown stage '$stage': manifests or pods" ;;
  esac
done

trap clean_up EXIT
find_lab
for stage in "${stages[@]}"; do
  title "$stage"
  # shellcheck source=/dev/null
  . "test/k8s/$stage.sh"
  "stage_$stage"
  lab_down
done
verdict
