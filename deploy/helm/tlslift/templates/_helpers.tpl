{{- define "tlslift.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- define "tlslift.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 52 | trimSuffix "-" }}
{{- else if contains (include "tlslift.name" .) .Release.Name }}
{{- .Release.Name | trunc 52 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name (include "tlslift.name" .) | trunc 52 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{- define "tlslift.selector" -}}
app.kubernetes.io/name: {{ include "tlslift.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: gateway
{{- end }}

{{- define "tlslift.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{ include "tlslift.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "tlslift.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end -}}
{{- end }}

{{- define "tlslift.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{ .Values.serviceAccount.name | default (include "tlslift.fullname" .) }}
{{- else -}}
{{ .Values.serviceAccount.name | default "default" }}
{{- end -}}
{{- end }}

{{- /* The Secret with the signing CA; empty without one. */ -}}
{{- define "tlslift.caSecret" -}}
{{- if .Values.ca.certManager.enabled -}}
{{ include "tlslift.fullname" . }}-ca
{{- else -}}
{{ .Values.ca.existingSecret }}
{{- end -}}
{{- end }}

{{- /* All ports: a JSON object with the key "all", a list of {name, port, containerPort, client}. */ -}}
{{- define "tlslift.ports" -}}
{{- if hasKey .Values.config "listen" -}}
{{- fail "config.listen is not taken: use listeners (proxy, http, https) or extraListeners, from which the chart makes listen, the ports, the Service and the NetworkPolicy" -}}
{{- end -}}
{{- $all := list -}}
{{- range $name := list "proxy" "http" "https" -}}
{{- with index $.Values.listeners $name -}}
{{- if .enabled -}}
{{- $all = append $all (dict "name" $name "port" (int .port) "containerPort" (int .containerPort) "client" "") -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- range .Values.extraListeners -}}
{{- $all = append $all (dict "name" .name "port" (int .port) "containerPort" (int (.containerPort | default .port)) "client" (.client | default "")) -}}
{{- end -}}
{{- if not $all -}}
{{- fail "no listener is enabled: set listeners.proxy.enabled, listeners.http.enabled, listeners.https.enabled or extraListeners" -}}
{{- end -}}
{{- /* What is taken: name, port of the Service, port of the container. */ -}}
{{- $admin := .Values.config.admin -}}
{{- $taken := dict "name tlslift-metrics" "config.admin.public" -}}
{{- range $key := list "public" "address" -}}
{{- with get $admin $key -}}
{{- $_ := set $taken (printf "containerPort %s" (splitList ":" . | last)) (printf "config.admin.%s" $key) -}}
{{- end -}}
{{- end -}}
{{- range $all -}}
{{- $who := printf "the listener %s" .name -}}
{{- range $claim := list (printf "name %s" .name) (printf "port %d" (int .port)) (printf "containerPort %d" (int .containerPort)) -}}
{{- with get $taken $claim -}}
{{- fail (printf "listeners and extraListeners: %s has the %s, which %s has already: give each its own" $who $claim .) -}}
{{- end -}}
{{- $_ := set $taken $claim $who -}}
{{- end -}}
{{- end -}}
{{- dict "all" $all | toJson -}}
{{- end }}

{{- /* tlslift.yaml */ -}}
{{- define "tlslift.config" -}}
{{- $listen := list -}}
{{- range (include "tlslift.ports" . | fromJson).all -}}
{{- $l := dict "address" (printf ":%d" (int .containerPort)) -}}
{{- with .client }}{{ $_ := set $l "client" . }}{{ end -}}
{{- with $.Values.listeners.allow }}{{ $_ := set $l "allow" . }}{{ end -}}
{{- with $.Values.listeners.proxyProtocolFrom }}{{ $_ := set $l "proxy_protocol_from" . }}{{ end -}}
{{- $listen = append $listen $l -}}
{{- end -}}
{{- toYaml (merge (dict "listen" $listen) .Values.config) -}}
{{- end }}

{{- define "tlslift.publicPort" -}}
{{- .Values.config.admin.public | splitList ":" | last -}}
{{- end }}
