# shellcheck shell=bash
# A real API server judges every manifest, by server-side apply: unknown fields, the
# rules for native sidecars, names of ports, Pod Security.

: "${lab:?}" "${work:?}" # lib.sh sets them

# Modules whose custom resource definitions are needed.
operator=github.com/prometheus-operator/prometheus-operator
operator_version=v0.85.0
certmanager=github.com/cert-manager/cert-manager
certmanager_version=v1.19.1

stage_manifests() {
  low "$lab" build api tools
  "$lab" up api
  build_tlslift
  kubectl_ apply --server-side -f "$(module $operator $operator_version)/example/prometheus-operator-crd" >/dev/null
  kubectl_ apply --server-side -f "$(module $certmanager $certmanager_version)/deploy/crds" >/dev/null
  eventually 30 kubectl_ get podmonitors.monitoring.coreos.com -A
  eventually 30 kubectl_ get certificates.cert-manager.io -A
  namespace restricted restricted
  namespace privileged privileged

  controls
  kustomized
  injected
  charts
}

# The judge does judge.
controls() {
  cat >"$work/bad.yaml" <<'X'
apiVersion: v1
kind: Pod
metadata: {name: bad}
spec:
  containers: [{name: app, image: "a:1", ports: [{name: much-too-long-port-name, containerPort: 1}]}]
X
  show "control: a port's name of more than 15 characters is refused" refused privileged "$work/bad.yaml" "must be no more than 15 characters"
  sed 's/, ports: .*}]}]/}]/' "$work/bad.yaml" >"$work/root.yaml"
  show "control: a pod that may be root is refused under restricted" refused restricted "$work/root.yaml" 'violates PodSecurity "restricted'
}

kustomized() {
  local dir
  for dir in example example-transparent; do
    kubectl_ kustomize "deploy/kubernetes/$dir" >"$work/$dir.yaml"
  done
  show "kustomize component, sidecar: restricted" accepted restricted "$work/example.yaml"
  show "kustomize component, transparent: privileged" accepted privileged "$work/example-transparent.yaml"
  show "kustomize component, transparent: not restricted" refused restricted "$work/example-transparent.yaml" "would violate PodSecurity"
  show "classic sidecar: restricted" accepted restricted deploy/kubernetes/classic/deployment.yaml
  show "classic Job: restricted" accepted restricted deploy/kubernetes/classic/job.yaml
  show "NetworkPolicy of an application: restricted" accepted restricted deploy/firewall/networkpolicy.yaml
  show "PodMonitor" accepted restricted deploy/kubernetes/monitoring/podmonitor.yaml
}

injected() {
  local f=test/k8s/workloads.yaml image=localhost/tlslift:1
  show "control: the workloads without a sidecar: restricted" accepted restricted $f
  "$work/tlslift" inject -q -f $f --image $image >"$work/injected.yaml"
  show "inject, every kind of workload: restricted" accepted restricted "$work/injected.yaml"
  "$work/tlslift" inject -q -f $f --image $image --ca-secret ca --config-map cm >"$work/injected-ca.yaml"
  show "inject with CA and ConfigMap: restricted" accepted restricted "$work/injected-ca.yaml"
  "$work/tlslift" inject -q -f $f --image $image --transparent >"$work/injected-transparent.yaml"
  show "inject, transparent: privileged" accepted privileged "$work/injected-transparent.yaml"
  show "inject, transparent: not restricted" refused restricted "$work/injected-transparent.yaml" "PodSecurity"
  "$work/tlslift" inject -q --uninject -f "$work/injected.yaml" >"$work/uninjected.yaml"
  show "uninject: restricted" accepted restricted "$work/uninjected.yaml"

  # As an operator does it: from the server, and back.
  kubectl_ apply -n restricted -f "$work/example.yaml" >/dev/null
  kubectl_ -n restricted get deployment billing -o json >"$work/live.json"
  "$work/tlslift" inject -q -f "$work/live.json" 2>"$work/told" >/dev/null || true
  show "inject says so when a pod has a sidecar already" grep -q "that tlslift inject did not add" "$work/told"
  kubectl_ delete -n restricted -f "$work/example.yaml" >/dev/null
  kubectl_ apply -n restricted -f deploy/kubernetes/example-application/deployment.yaml >/dev/null
  kubectl_ -n restricted get deployment billing -o json | "$work/tlslift" inject -q >"$work/live.json"
  show "inject into what kubectl get -o json printed" accepted restricted "$work/live.json"
  show "... and apply" kubectl_ apply -n restricted -f "$work/live.json"
  kubectl_ -n restricted get deployment billing -o yaml | "$work/tlslift" inject -q --uninject >"$work/back.yaml"
  show "... and uninject from the server" kubectl_ replace -n restricted -f "$work/back.yaml"
  show "... leaves no init container" test -z "$(kubectl_ -n restricted get deployment billing -o 'jsonpath={.spec.template.spec.initContainers}')"
}

# template NAME FLAG...: the rendered chart is accepted
template() {
  local name=$1
  shift
  helm_ template gw deploy/helm/tlslift -n restricted "$@" >"$work/$name.yaml" 2>"$work/$name.err" || {
    cat "$work/$name.err"
    return 1
  }
  accepted restricted "$work/$name.yaml"
}

charts() {
  show "helm lint --strict" helm_ lint --strict deploy/helm/tlslift
  show "chart, defaults: restricted" template chart-default
  show "chart, everything on: restricted" template chart-all \
    --set listeners.http.enabled=true,listeners.https.enabled=true,autoscaling.enabled=true \
    --set 'extraListeners[0].name=billing,extraListeners[0].port=3129,extraListeners[0].client=billing' \
    --set ca.certManager.enabled=true,ca.certManager.issuerRef.name=root \
    --set monitoring.podMonitor.enabled=true,monitoring.prometheusRule.enabled=true,monitoring.dashboards.enabled=true \
    --set service.type=LoadBalancer,service.externalTrafficPolicy=Local
  show "chart, existing CA and ServiceMonitor: restricted" template chart-ca \
    --set ca.existingSecret=ca,monitoring.serviceMonitor.enabled=true,networkPolicy.enabled=false,podDisruptionBudget.enabled=false
}
