# shellcheck shell=bash
# A real node runs it: pods with an old application and a sidecar, against the
# pretend SMSPortal.

: "${lab:?}" "${work:?}" "${cache:?}" # lib.sh sets them
# shellcheck source=test/k8s/images.sh
. test/k8s/images.sh
# shellcheck source=test/k8s/prometheus.sh
. test/k8s/prometheus.sh

# What an application of many years asks for; each caller has its own number.
sms='http://api.smsportal.com/api5/http5.aspx?Type=sendparam&Username=demo&Password=planted-secret&numto=2783000'

stage_pods() {
  [ "$(id -u)" = 0 ] || die "running pods needs root"
  low "$lab" build node tools
  build_prometheus
  build_tlslift
  "$lab" up node
  make_images
  namespace lab restricted
  namespace restricted restricted
  namespace privileged privileged
  for ns in lab restricted privileged; do eventually 30 kubectl_ -n $ns get serviceaccount default; done

  start_portal portal 0s
  start_portal slow 1s
  the_image
  proxy_variables
  transparent
  termination
  jobs_
  gateway
  scraping
  nothing_secret
}

# start_portal NAME DELAY: a pretend SMSPortal; its address in $NAME, its certificate
# in $work/NAME.pem, and configurations that send there
start_portal() {
  local name=$1 ip
  kubectl_ apply -f - >/dev/null <<X
apiVersion: v1
kind: Pod
metadata: {name: $name, namespace: lab}
spec:
  automountServiceAccountToken: false
  securityContext:
    runAsNonRoot: true
    seccompProfile: {type: RuntimeDefault}
    sysctls: [{name: net.ipv4.ip_unprivileged_port_start, value: "0"}]
  containers:
    - name: portal
      image: localhost/demo:1
      args: [portal, -listen, ":443", -stats, ":80", -delay, $2]
      readinessProbe: {httpGet: {path: /, port: 80}, periodSeconds: 1}
      securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}
X
  kubectl_ -n lab wait --for=condition=Ready "pod/$name" --timeout=60s >/dev/null
  ip=$(kubectl_ -n lab get pod "$name" -o 'jsonpath={.status.podIP}')
  declare -g "$name=$ip"
  "$lab" exec curl -fsS "http://$ip/ca.pem" >"$work/$name.pem"
  config deploy/kubernetes/sidecar/tlslift.yaml "$ip" >"$work/$name.yaml"
  config deploy/kubernetes/transparent/tlslift.yaml "$ip" >"$work/$name-transparent.yaml"
  for ns in restricted privileged; do
    kubectl_ -n $ns create configmap "$name" "--from-file=tlslift.yaml=$work/$name.yaml" "--from-file=portal.pem=$work/$name.pem" >/dev/null
    kubectl_ -n $ns create configmap "$name-transparent" "--from-file=tlslift.yaml=$work/$name-transparent.yaml" "--from-file=portal.pem=$work/$name.pem" >/dev/null
  done
}

# config FILE ADDRESS: a shipped configuration, with the pretend SMSPortal in the
# real one's place
config() {
  cat "$1"
  printf 'upstreams:\n'
  for host in smsportal.com '*.smsportal.com' mymobileapi.com '*.mymobileapi.com'; do
    printf '  - {host: "%s", address: "%s:443", ca_file: portal.pem}\n' "$host" "$2"
  done
}

# sent [PORTAL]: how many messages arrived there, and how many twice
sent() { "$lab" exec curl -fsS "http://${1:-${portal:?}}/" | sed -n 's/.*"doubles":\([0-9]*\).*"messages":\([0-9]*\).*/\2 \1/p'; }

# pod NAME IMAGE ARG...: the manifest of an application that runs once
pod() {
  local name=$1 image=$2 arg
  shift 2
  printf 'apiVersion: v1\nkind: Pod\nmetadata: {name: %s}\nspec:\n  restartPolicy: Never\n  automountServiceAccountToken: false\n' "$name"
  printf '  securityContext: {runAsNonRoot: true, runAsUser: 1000, seccompProfile: {type: RuntimeDefault}}\n'
  printf '  hostAliases: [{ip: 192.0.2.77, hostnames: [api.smsportal.com]}]\n'
  printf '  containers:\n    - name: app\n      image: %s\n      securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}\n      args:\n' "$image"
  for arg in "$@"; do printf "        - '%s'\n" "${arg//\'/\'\'}"; done
}

# inject FLAG...: standard input through tlslift inject
inject() { "$work/tlslift" inject -q --image localhost/tlslift:1 "$@"; }

# ran NAMESPACE POD: it has ended well; its log is told otherwise
ran() {
  eventually 60 ended "$1" "$2" && return
  kubectl_ -n "$1" describe pod "$2" | tail -n 15
  kubectl_ -n "$1" logs "$2" --all-containers --tail=8
  return 1
}
ended() { [ "$(kubectl_ -n "$1" get pod "$2" -o 'jsonpath={.status.phase}')" = Succeeded ]; }

the_image() {
  local size
  size=$(stat -c %s "$work/tlslift.tar")
  show "the image has $(((size + 524288) / 1048576)) MiB, at most 25" test "$size" -le $((25 * 1048576))
  pod shell localhost/tlslift:1 version | sed 's/  containers:/  enableServiceLinks: false\n  containers:/; s/runAsUser: 1000/runAsUser: 47128/' | kubectl_ apply -n restricted -f - >/dev/null
  show "the image runs as non-root under restricted" ran restricted shell
  # shellcheck disable=SC2016
  pod no-shell localhost/tlslift:1 -c true | sed "s|      args:|      command: [/bin/sh]\n      args:|; s/runAsUser: 1000/runAsUser: 47128/" | kubectl_ apply -n restricted -f - >/dev/null
  show "there is no shell in it" eventually 30 no_shell
}
no_shell() { kubectl_ -n restricted get pod no-shell -o 'jsonpath={.status.containerStatuses[0]}' | grep -q 'no such file or directory'; }

# The application knows nothing but its environment.
proxy_variables() {
  local before
  before=$(sent)
  pod curl localhost/curl:1 -fsS "${sms}0001&data1=from+curl" | inject --config-map portal | kubectl_ apply -n restricted -f - >/dev/null
  # shellcheck disable=SC2016
  pod php localhost/php:1 -d extension=curl -r '$c = curl_init($argv[1]); curl_setopt($c, CURLOPT_FAILONERROR, true); exit(curl_exec($c) ? 0 : 1);' -- "${sms}0002&data1=from+php" |
    inject --config-map portal | kubectl_ apply -n restricted -f - >/dev/null
  pod java localhost/java:1 -cp /app Call "${sms}0003&data1=from+java" | inject --config-map portal | kubectl_ apply -n restricted -f - >/dev/null
  for app in curl php java; do show "$app with a sidecar, knowing its environment alone (restricted)" ran restricted $app; done
  note "messages and doubles before: $before, after: $(sent)"
  show "each sent its message, once" test "$(sent)" = "$((${before% *} + 3)) 0"
  show "the sidecar's name is namespace/workload" grep -q '"client":"restricted/php"' <(kubectl_ -n restricted logs php -c tlslift)
  show "its answer came over TLS 1.3" grep -q '"upstream_tls_version":"1.3"' <(kubectl_ -n restricted logs java -c tlslift)
}

# The application knows nothing at all.
transparent() {
  local before
  before=$(sent)
  # shellcheck disable=SC2016
  pod streams localhost/php:1 -r 'exit(file_get_contents($argv[1]) ? 0 : 1);' -- "${sms}0004&data1=from+streams" |
    inject --transparent --config-map portal-transparent | kubectl_ apply -n privileged -f - >/dev/null
  show "PHP streams, redirected, knowing nothing (privileged)" ran privileged streams
  show "... by the way in transparent, to where it was going" grep -q '"ingress":"transparent"' <(kubectl_ -n privileged logs streams -c tlslift)
  show "... sent its message, once" test "$(sent)" = "$((${before% *} + 1)) 0"

  pod foreign localhost/curl:1 -fsS -H 'Host: other.example' "http://$portal/" | inject --transparent --config-map portal-transparent | kubectl_ apply -n privileged -f - >/dev/null
  show "foreign http passes a redirect" ran privileged foreign
  pod foreign-tls localhost/curl:1 -fsS --insecure --resolve "other.example:443:$portal" 'https://other.example/api5/http5.aspx?Type=credits&Username=u&Password=p' |
    inject --transparent --config-map portal-transparent | kubectl_ apply -n privileged -f - >/dev/null
  show "foreign https passes a redirect" ran privileged foreign-tls
  pod spliced localhost/curl:1 -fsS --insecure "${sms/http:/https:}0005&data1=spliced" |
    inject --transparent --config-map portal-transparent | kubectl_ apply -n privileged -f - >/dev/null
  show "https of our host with TLS 1.3 is spliced" ran privileged spliced
  show "... as its log says" grep -q '"msg":"tunnel".*"tls_version":"1.3"' <(kubectl_ -n privileged logs spliced -c tlslift)
}

# What is in flight when the pod ends is answered, and nothing is sent twice.
termination() {
  local app proxy
  pod drain localhost/demo:1 loop -after 4s -every 100ms "${sms}0006&data1=loop+" | inject --config-map slow | kubectl_ apply -n restricted -f - >/dev/null
  kubectl_ -n restricted wait --for=condition=Ready pod/drain --timeout=60s >/dev/null
  eventually 30 some_sent
  kubectl_ -n restricted logs drain -c app -f --timestamps >"$work/app.log" 2>&1 &
  app=$!
  kubectl_ -n restricted logs drain -c tlslift -f --timestamps >"$work/proxy.log" 2>&1 &
  proxy=$!
  sleep 2 # calls are under way: each takes a second
  kubectl_ -n restricted delete pod drain --wait=true >/dev/null
  wait $app $proxy || true
  sed 's/^/   app: /' "$work/app.log"
  show "the application went on calling after its SIGTERM, and ended well" grep -q 'calls answered, ended' "$work/app.log"
  show "the proxy was told to end after the application had ended" ended_after
  show "the proxy cut nothing" grep -q '"msg":"stopped","cut":0' "$work/proxy.log"
  show "each call arrived once" test "$(sent "${slow:?}")" = "$(sed -n 's/.* \([0-9]*\) calls answered, ended/\1/p' "$work/app.log") 0"
}
some_sent() { [ "$(sent "${slow:?}")" != "0 0" ]; }
ended_after() {
  local app proxy
  app=$(sed -n 's/ [0-9]* calls answered, ended.*//p' "$work/app.log")
  proxy=$(sed -n 's/ .*"msg":"draining".*//p' "$work/proxy.log")
  printf 'application ended %s, proxy began to drain %s\n' "$app" "$proxy"
  [ -n "$app" ] && [ -n "$proxy" ] && [[ $app < $proxy ]]
}

# job NAME: a Job around the pod on standard input
job() {
  printf 'apiVersion: batch/v1\nkind: Job\nmetadata: {name: %s}\nspec:\n  backoffLimit: 0\n  template:\n' "$1"
  sed -e '/^apiVersion/d; /^kind/d; /^metadata/d; s/^/    /'
}

jobs_() {
  pod once localhost/curl:1 -fsS "${sms}0007&data1=job" | job once | inject --config-map portal | kubectl_ apply -n restricted -f - >/dev/null
  show "a Job with a native sidecar completes" kubectl_ -n restricted wait --for=condition=Complete job/once --timeout=60s

  # The shipped manifest of a classic one, with an application that is here.
  sed -e 's|image: tlslift:dev|image: localhost/tlslift:1|; s|image: registry.example/reports:1|image: localhost/curl:1|' \
    -e "s|/app/month-end|curl -fsS '${sms//&/\\&}0008\&data1=classic'|" \
    -e "s|    admin: {quit: true}|    admin: {quit: true}\n    upstreams: [{host: \"*.smsportal.com\", address: \"$portal:443\", ca_file: /portal/portal.pem}]|" \
    -e 's|        - name: tlslift-config$|        - {name: portal, configMap: {name: portal}}\n        - name: tlslift-config|' \
    -e 's|            - {name: tlslift-config, mountPath: /etc/tlslift, readOnly: true}|&\n            - {name: portal, mountPath: /portal, readOnly: true}|' \
    deploy/kubernetes/classic/job.yaml >"$work/classic.yaml"
  kubectl_ apply -n restricted -f "$work/classic.yaml" >/dev/null
  show "a Job with a classic sidecar completes, by /quit" kubectl_ -n restricted wait --for=condition=Complete job/month-end --timeout=60s
}

gateway() {
  cat >"$work/values.yaml" <<X
image: {repository: localhost/tlslift, tag: "1"}
test: {image: "localhost/curl:1"}
config:
  upstreams: [{host: "*.smsportal.com", address: "$portal:443", ca_file: /portal/portal.pem}]
extraVolumes: [{name: portal, configMap: {name: portal}}]
extraVolumeMounts: [{name: portal, mountPath: /portal, readOnly: true}]
X
  show "helm install --wait" helm_ install gw deploy/helm/tlslift -n restricted -f "$work/values.yaml" --wait --timeout 90s
  local ip
  ip=$(kubectl_ -n restricted get service gw-tlslift -o 'jsonpath={.spec.clusterIP}')
  # There is no DNS in the lab.
  helm_ upgrade gw deploy/helm/tlslift -n restricted -f "$work/values.yaml" --set "test.host=$ip" --wait --timeout 90s >/dev/null
  show "helm test" helm_ test gw -n restricted --timeout 60s
  show "a call through the gateway's Service" "$lab" exec curl -fsS -x "http://$ip:3128" "${sms}0009&data1=gateway"
  show "helm upgrade changes the configuration without a restart" reloads "$ip"
}

# reloads IP: the same pods take over a new configuration
reloads() {
  local before after
  before=$(kubectl_ -n restricted get pods -l app.kubernetes.io/component=gateway -o name | sort)
  helm_ upgrade gw deploy/helm/tlslift -n restricted -f "$work/values.yaml" --set "test.host=$1,config.log.level=debug" --wait --timeout 90s
  after=$(kubectl_ -n restricted get pods -l app.kubernetes.io/component=gateway -o name | sort)
  [ "$before" = "$after" ] || { printf 'before: %s\nafter: %s\n' "$before" "$after"; return 1; }
  eventually 120 reloaded
}
reloaded() { kubectl_ -n restricted logs -l app.kubernetes.io/component=gateway --tail=-1 | grep -q '"msg":"reloaded"'; }

# Nothing that the applications sent is in a log.
nothing_secret() {
  local name
  for ns in restricted privileged; do
    for name in $(kubectl_ -n $ns get pods -o 'jsonpath={.items[*].metadata.name}'); do
      kubectl_ -n $ns logs "$name" -c tlslift --tail=-1 2>/dev/null || true
    done
  done >"$work/all.log"
  show "no password, number or text in $(wc -l <"$work/all.log") log lines of the proxies" none_planted
}
none_planted() { [ -s "$work/all.log" ] && ! grep -E 'planted-secret|2783000|from\+|data1' "$work/all.log"; }
