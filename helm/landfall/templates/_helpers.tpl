{{- define "landfall.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{/* The name of objects: at most 52 characters, which leaves room for what some of them add. */}}
{{- define "landfall.fullname" -}}
{{- $name := include "landfall.name" . -}}
{{- $full := ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name) -}}
{{- default $full .Values.fullnameOverride | trunc 52 | trimSuffix "-" -}}
{{- end -}}

{{/* What never changes of a release: selectors. */}}
{{- define "landfall.selector" -}}
app.kubernetes.io/name: {{ include "landfall.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: worker
{{- end -}}

{{- define "landfall.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
app.kubernetes.io/name: {{ include "landfall.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "landfall.image" -}}
{{- with .Values.image -}}
{{- if .digest }}{{ .repository }}@{{ .digest }}{{ else }}{{ .repository }}:{{ default $.Chart.AppVersion .tag }}{{ end -}}
{{- end -}}
{{- end -}}

{{- define "landfall.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "landfall.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{/* A value as text. YAML makes every number a float, which text would show as 1.8e+06. */}}
{{- define "landfall.text" -}}
{{- if and (kindIs "float64" .) (eq (floor .) .) -}}{{ printf "%.0f" . }}{{- else -}}{{ toString . }}{{- end -}}
{{- end -}}

{{/* A key or a value of a properties file. */}}
{{- define "landfall.escaped" -}}
{{- $text := . | replace "\\" "\\\\" | replace "\n" "\\n" | replace "\r" "\\r" | replace "\t" "\\t" -}}
{{- if hasPrefix " " $text }}\{{ end }}{{ $text -}}
{{- end -}}

{{/* Bytes of a quantity of Kubernetes, such as 1.5Gi. */}}
{{- define "landfall.bytes" -}}
{{- $text := include "landfall.text" . -}}
{{- $number := regexFind "^[0-9.]+" $text -}}
{{- $unit := trimPrefix $number $text -}}
{{- $units := dict "" 1 "k" 1000 "M" 1000000 "G" 1000000000 "T" 1000000000000 "Ki" 1024 "Mi" 1048576 "Gi" 1073741824 "Ti" 1099511627776 -}}
{{- if or (not $number) (not (hasKey $units $unit)) -}}
{{- fail (printf "resources.limits.memory: not a quantity such as 512Mi or 2Gi: %s" $text) -}}
{{- end -}}
{{- printf "%.0f" (mulf (float64 $number) (float64 (get $units $unit))) -}}
{{- end -}}

{{- define "landfall.scheme" -}}{{ ternary "https" "http" (ne .Values.rest.tls.secretName "") }}{{- end -}}

{{/* Where the job finds the REST API. */}}
{{- define "landfall.url" -}}
{{ include "landfall.scheme" . }}://{{ include "landfall.fullname" . }}.{{ .Release.Namespace }}.svc:{{ .Values.service.port }}
{{- end -}}

{{- define "landfall.metricsPort" -}}{{ ternary "metrics" "rest" (gt (int .Values.metrics.port) 0) }}{{- end -}}

{{/* Why these values cannot work, before the cluster says it in its own words. */}}
{{- define "landfall.check" -}}
{{- $given := .Values.worker.properties -}}
{{- if not (or .Values.kafka.bootstrapServers (index $given "bootstrap.servers") .Values.worker.secrets) -}}
{{- fail "kafka.bootstrapServers: give the brokers, host:port separated by commas" -}}
{{- end -}}
{{- if and .Values.kafka.eventHubs (not .Values.azure.credential) -}}
{{- fail "kafka.eventHubs: needs azure.credential, such as workload-identity; a connection string goes into worker.properties instead" -}}
{{- end -}}
{{- if and .Values.azure.workloadIdentity.enabled (not .Values.azure.workloadIdentity.clientId) .Values.serviceAccount.create -}}
{{- fail "azure.workloadIdentity.clientId: give the client id of the identity" -}}
{{- end -}}
{{- if eq .Values.mode "standalone" -}}
{{- if gt (int .Values.replicas) 1 -}}
{{- fail "replicas: a standalone worker is alone; give 1, or mode: distributed" -}}
{{- end -}}
{{- if .Values.autoscaling.by -}}
{{- fail "autoscaling.by: a standalone worker is alone; leave it empty, or give mode: distributed" -}}
{{- end -}}
{{- end -}}
{{- if .Values.keyVault.enabled -}}
{{- if not .Values.keyVault.name }}{{ fail "keyVault.name: give the name of the vault" }}{{ end -}}
{{- if not .Values.keyVault.objects }}{{ fail "keyVault.objects: say which secrets" }}{{ end -}}
{{- end -}}
{{- if and .Values.ingress.enabled (not .Values.ingress.hosts) -}}
{{- fail "ingress.hosts: give at least one" -}}
{{- end -}}
{{- end -}}

{{/* The worker's properties: those of the chart, under those of the user. */}}
{{- define "landfall.properties" -}}
{{- include "landfall.check" . -}}
{{- $values := .Values -}}
{{- $scheme := include "landfall.scheme" . -}}
{{- $all := dict
  "key.converter" $values.worker.keyConverter
  "value.converter" $values.worker.valueConverter
  "listeners" (printf "%s://0.0.0.0:%s" $scheme (include "landfall.text" $values.rest.port))
  "task.shutdown.graceful.timeout.ms" (mul $values.stop.drainSeconds 1000)
-}}
{{- with $values.kafka.bootstrapServers }}{{ $_ := set $all "bootstrap.servers" . }}{{ end -}}
{{- if eq $values.mode "distributed" -}}
{{- $group := default (include "landfall.fullname" .) $values.distributed.groupId -}}
{{- $_ := set $all "group.id" $group -}}
{{- $topics := $values.distributed.topics -}}
{{- range $of, $named := dict "config" "configs" "offset" "offsets" "status" "status" -}}
{{- $_ := set $all (printf "%s.storage.topic" $of) (default (printf "%s-%s" $group $named) (index $topics $of)) -}}
{{- $_ := set $all (printf "%s.storage.replication.factor" $of) $topics.replicationFactor -}}
{{- end -}}
{{- /* A pod never comes back under the address that it had, so nobody need wait for it. */ -}}
{{- $_ := set $all "landfall.leave.hands.over" "true" -}}
{{- else -}}
{{- $_ := set $all "offset.storage.file.filename" "/tmp/connect.offsets" -}}
{{- with $values.standalone.state }}{{ $_ := set $all "landfall.state" . }}{{ end -}}
{{- end -}}
{{- with $values.azure.credential }}{{ $_ := set $all "landfall.azure.credential" . }}{{ end -}}
{{- if $values.kafka.eventHubs -}}
{{- range list "" "consumer." "producer." -}}
{{- $_ := set $all (printf "%ssecurity.protocol" .) "SASL_SSL" -}}
{{- $_ := set $all (printf "%ssasl.mechanism" .) "OAUTHBEARER" -}}
{{- end -}}
{{- end -}}
{{- with dig "limits" "memory" "" $values.resources -}}
{{- $bytes := divf (mulf (float64 (include "landfall.bytes" .)) $values.memory.budgetPercent) 100.0 -}}
{{- $_ := set $all "landfall.memory.bytes" (printf "%.0f" (floor $bytes)) -}}
{{- end -}}
{{- $providers := list "env" -}}
{{- $_ := set $all "config.providers.env.class" "org.apache.kafka.common.config.provider.EnvVarConfigProvider" -}}
{{- with $values.worker.envAllowed }}{{ $_ := set $all "config.providers.env.param.allowlist.pattern" . }}{{ end -}}
{{- $folders := dict -}}
{{- if $values.keyVault.enabled }}{{ $_ := set $folders "keyvault" $values.keyVault.mountPath }}{{ end -}}
{{- if $values.rest.tls.secretName }}{{ $_ := set $folders "resttls" "/etc/landfall-tls" }}{{ end -}}
{{- range $name, $folder := $folders -}}
{{- $providers = append $providers $name -}}
{{- $_ := set $all (printf "config.providers.%s.class" $name) "org.apache.kafka.common.config.provider.DirectoryConfigProvider" -}}
{{- $_ := set $all (printf "config.providers.%s.param.allowed.paths" $name) $folder -}}
{{- end -}}
{{- $_ := set $all "config.providers" (join "," $providers) -}}
{{- if $values.rest.tls.secretName -}}
{{- $_ := set $all "listeners.https.ssl.keystore.type" "PEM" -}}
{{- $_ := set $all "listeners.https.ssl.keystore.key" "${resttls:/etc/landfall-tls:tls.key}" -}}
{{- $_ := set $all "listeners.https.ssl.keystore.certificate.chain" "${resttls:/etc/landfall-tls:tls.crt}" -}}
{{- $_ := set $all "listeners.https.ssl.truststore.type" "PEM" -}}
{{- $_ := set $all "listeners.https.ssl.truststore.location" "/etc/landfall-tls/ca.crt" -}}
{{- /* Workers reach each other by addresses, which certificates do not have. */ -}}
{{- $_ := set $all "listeners.https.ssl.endpoint.identification.algorithm" "" -}}
{{- end -}}
{{- if gt (int $values.metrics.port) 0 -}}
{{- $_ := set $all "landfall.metrics.listeners" (printf "http://0.0.0.0:%s" (include "landfall.text" $values.metrics.port)) -}}
{{- end -}}
{{- if ne $values.metrics.names "connect" }}{{ $_ := set $all "landfall.metrics.names" $values.metrics.names }}{{ end -}}
{{- if or (index $values.worker.properties "landfall.rest.auth") (index $values.worker.properties "rest.extension.classes") -}}
{{- $_ := set $all "landfall.rest.open.paths" "/health,/metrics,/connector-plugins" -}}
{{- end -}}
{{- range $key, $value := $values.worker.properties -}}
{{- if kindIs "invalid" $value }}{{ $_ := unset $all $key }}{{ else }}{{ $_ := set $all $key $value }}{{ end -}}
{{- end -}}
{{- $lines := list -}}
{{- range $key, $value := $all -}}
{{- $name := include "landfall.escaped" $key | replace "=" "\\=" | replace ":" "\\:" | replace " " "\\ " -}}
{{- $lines = append $lines (printf "%s=%s" $name (include "landfall.escaped" (include "landfall.text" $value))) -}}
{{- end -}}
{{- join "\n" $lines -}}
{{- end -}}
