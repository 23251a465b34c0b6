# shellcheck shell=bash
# A real Prometheus, with the shipped scrape job. Debian's is built without
# Kubernetes, so this one is built from its module, once.

: "${lab:?}" "${work:?}" "${cache:?}" # lib.sh sets them
prometheus_version=v0.308.0           # of the module; the release is 3.8

build_prometheus() {
  local dir=$cache/prometheus-$prometheus_version
  prometheus=${PROMETHEUS:-$dir/prometheus}
  [ ! -x "$prometheus" ] || return 0
  note "building Prometheus $prometheus_version ..."
  mkdir -p "$dir"
  (
    cd "$dir"
    [ -f go.mod ] || go mod init prometheus-for-test
    go get "github.com/prometheus/prometheus@$prometheus_version"
    CGO_ENABLED=0 GOFLAGS=-mod=mod low go build -trimpath -ldflags '-s -w' -o prometheus.new github.com/prometheus/prometheus/cmd/prometheus
    mv prometheus.new prometheus
  ) >"$dir/build.log" 2>&1 || die "building Prometheus failed: $dir/build.log"
}

scraping() {
  local pid
  # The shipped job, told where the API server is: outside of a pod it cannot know.
  sed "s|      - role: pod|      - {role: pod, kubeconfig_file: ${KUBE_LAB:-${XDG_CACHE_HOME:-$HOME/.cache}/kube-lab}/run/kubeconfig}|" deploy/kubernetes/monitoring/scrape.yml >"$work/prometheus.yml"
  printf 'global: {scrape_interval: 2s}\n' >>"$work/prometheus.yml"
  kubectl_ -n restricted delete pod --ignore-not-found drain >/dev/null
  pod scraped localhost/demo:1 loop -after 1s -every 500ms "${sms:?}0010&data1=scraped+" | inject --config-map portal | kubectl_ apply -n restricted -f - >/dev/null
  # shellcheck disable=SC2016
  "$lab" exec sh -c 'echo $$ >"$1/prometheus.pid"; exec "$2" --config.file="$1/prometheus.yml" --storage.tsdb.path="$1/tsdb" --web.listen-address=127.0.0.1:9090' \
    sh "$work" "$prometheus" >"$work/prometheus.log" 2>&1 &
  pid=$!
  show "Prometheus finds the sidecar by the shipped job" eventually 60 query 'up{job="tlslift",namespace="restricted",pod="scraped",container="tlslift"} == 1'
  show "... and its requests, by the workload's name" eventually 60 query 'tlslift_client_requests_total{client="restricted/scraped",insecure="true"} > 0'
  show "... and GOMEMLIMIT follows the memory limit" eventually 60 query 'go_gc_gomemlimit_bytes{pod="scraped"} == 64000000'
  show "... and the gateway" eventually 60 query 'up{job="tlslift",pod=~"gw-tlslift-.*"} == 1'
  show "... and no ended pod" test "$(targets)" -eq 0
  kill "$(cat "$work/prometheus.pid")" 2>/dev/null || true
  wait "$pid" 2>/dev/null || true
  kubectl_ -n restricted delete pod scraped >/dev/null
}

# query EXPRESSION: it has a result
query() {
  "$lab" exec curl -fsS --get --data-urlencode "query=$1" http://127.0.0.1:9090/api/v1/query | tee "$work/query.json" | grep -q '"value":\['
}

# targets: how many are down
targets() {
  "$lab" exec curl -fsS --get --data-urlencode 'query=up{job="tlslift"} == 0' http://127.0.0.1:9090/api/v1/query | grep -o '"value":' | wc -l
}
