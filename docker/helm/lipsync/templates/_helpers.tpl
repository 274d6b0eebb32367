{{/* The release's name in names of objects, short enough for what is appended. */}}
{{- define "lipsync.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name) | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end }}

{{- define "lipsync.selector" -}}
app.kubernetes.io/name: {{ default .Chart.Name .Values.nameOverride }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "lipsync.labels" -}}
{{ include "lipsync.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* A pod's: without versions, which would make new pods where nothing else changes. */}}
{{- define "lipsync.podLabels" -}}
{{ include "lipsync.selector" . }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* An image as Compose builds it: (list $ "bridge"); the GPU's have NVIDIA's release in their tags. */}}
{{- define "lipsync.image" -}}
{{- $root := index . 0 -}}
{{- $name := index . 1 -}}
{{- $image := $root.Values.image -}}
{{- $tag := default $root.Chart.AppVersion $image.tag -}}
{{- if has $name (list "triton-gpu" "engines") -}}{{- $tag = printf "%s-%s" $tag $image.tritonRelease -}}{{- end -}}
{{- with $image.registry }}{{ trimSuffix "/" . }}/{{ end -}}
triton-lipsync/{{ $name }}:{{ $tag }}
{{- end }}

{{- define "lipsync.serviceAccount" -}}
{{- default (ternary (include "lipsync.fullname" .) "default" .Values.serviceAccount.create) .Values.serviceAccount.name -}}
{{- end }}

{{/* All kinds of Tritons, as JSON: the CPUs', and one of each type of GPU, with what its entry does not say. */}}
{{- define "lipsync.pools" -}}
{{- $triton := .Values.triton -}}
{{- $pools := list -}}
{{- if $triton.cpu.enabled -}}
{{- $pools = append $pools (mergeOverwrite (deepCopy $triton.cpu) (dict "name" "cpu" "isGpu" false)) -}}
{{- end -}}
{{- range $triton.gpuTypes -}}
{{- $pools = append $pools (mergeOverwrite (deepCopy $triton.gpuDefaults) (deepCopy .) (dict "isGpu" true)) -}}
{{- end -}}
{{- toJson $pools -}}
{{- end }}

{{- define "lipsync.isShared" -}}
{{- if has .Values.models.volume (list "persistentVolumeClaim" "nfs") }}yes{{ end -}}
{{- end }}

{{/* What the avatars of a volume are made of: where it changes, Jobs run again. */}}
{{- define "lipsync.revision" -}}
{{- list .Values.avatars .Values.image .Values.models .Chart.AppVersion | toJson | sha256sum | trunc 10 -}}
{{- end }}

{{- define "lipsync.avatarsSecret" -}}
{{- if .Values.avatars.existingSecret -}}{{ .Values.avatars.existingSecret }}
{{- else if .Values.avatars.fetch -}}{{ include "lipsync.fullname" . }}-avatars
{{- end -}}
{{- end }}

{{- define "lipsync.controlSecret" -}}
{{- default (printf "%s-control" (include "lipsync.fullname" .)) .Values.triton.controlSecret -}}
{{- end }}

{{/* Names that clients may call the bridge by. */}}
{{- define "lipsync.allowedHosts" -}}
{{- $service := printf "%s-bridge" (include "lipsync.fullname" .) -}}
{{- $namespace := .Release.Namespace -}}
{{- $hosts := list $service (printf "%s.%s" $service $namespace) (printf "%s.%s.svc" $service $namespace) (printf "%s.%s.svc.cluster.local" $service $namespace) -}}
{{- $hosts = concat $hosts (list (printf "%s-metrics" $service)) .Values.bridge.allowedHosts -}}
{{- if .Values.ingress.enabled -}}{{- $hosts = concat $hosts .Values.ingress.hosts .Values.ingress.grpc.hosts -}}{{- end -}}
{{- if .Values.gateway.enabled -}}{{- $hosts = concat $hosts .Values.gateway.hosts .Values.gateway.grpc.hosts -}}{{- end -}}
{{- $hosts | uniq | join "," -}}
{{- end }}

{{/* Refuse what only several values together can be wrong about. */}}
{{- define "lipsync.check" -}}
{{- $triton := .Values.triton -}}
{{- $models := .Values.models -}}
{{- $pools := include "lipsync.pools" . | fromJsonArray -}}
{{- if not $pools -}}{{- fail "triton: expected cpu.enabled or an entry in gpuTypes, got neither" -}}{{- end -}}
{{- $total := 0 -}}
{{- $names := list -}}
{{- range $pools -}}
{{- $total = add $total (ternary .maxReplicas .replicas $triton.autoscaling.enabled) -}}
{{- if has .name $names -}}{{- fail (printf "triton.gpuTypes: expected each name once, and none cpu, got %s twice" .name) -}}{{- end -}}
{{- if gt (int .replicas) (int .maxReplicas) -}}{{- fail (printf "triton: expected replicas up to maxReplicas, got %v of %v for %s" .replicas .maxReplicas .name) -}}{{- end -}}
{{- $names = append $names .name -}}
{{- end -}}
{{- if gt (int $total) 20 -}}{{- fail (printf "triton: expected up to 20 replicas in all, as many as a bridge uses, got %d" $total) -}}{{- end -}}
{{- if and (eq $models.volume "nfs") (not (and $models.nfs.server $models.nfs.path)) -}}{{- fail "models.nfs: expected server and path, got none" -}}{{- end -}}
{{- if and (eq $models.volume "image") (not $models.image.reference) -}}{{- fail "models.image: expected a reference, got none" -}}{{- end -}}
{{- if and (ne $models.volume "image") (not (include "lipsync.isShared" .)) (not .Values.avatars.demo) (not (include "lipsync.avatarsSecret" .)) -}}
{{- fail "avatars: expected demo, fetch or existingSecret for an emptyDir, got none" -}}
{{- end -}}
{{- if and .Values.avatars.fetch .Values.avatars.existingSecret -}}{{- fail "avatars: expected either fetch or existingSecret, got both" -}}{{- end -}}
{{- if ne (empty $triton.tls.serverSecret) (empty $triton.tls.clientSecret) -}}{{- fail "triton.tls: expected serverSecret and clientSecret, got one" -}}{{- end -}}
{{- if and $triton.tls.serverSecret (not $triton.tls.name) -}}{{- fail "triton.tls: expected the name in the Tritons' certificate, got none" -}}{{- end -}}
{{- $scaling := $triton.autoscaling -}}
{{- if and $scaling.enabled (not (or $scaling.sessionsPerReplica $scaling.busyPercent $scaling.queueTimeUs $scaling.cpuPercent)) -}}
{{- fail "triton.autoscaling: expected a metric above 0, got none" -}}
{{- end -}}
{{- if and .Values.bridge.autoscaling.enabled (not (or .Values.bridge.autoscaling.connectionsPerReplica .Values.bridge.autoscaling.cpuPercent)) -}}
{{- fail "bridge.autoscaling: expected a metric above 0, got none" -}}
{{- end -}}
{{- if gt (int .Values.bridge.replicas) (int .Values.bridge.autoscaling.maxReplicas) -}}{{- if .Values.bridge.autoscaling.enabled -}}
{{- fail (printf "bridge: expected replicas up to autoscaling.maxReplicas, got %v of %v" .Values.bridge.replicas .Values.bridge.autoscaling.maxReplicas) -}}
{{- end -}}{{- end -}}
{{- if and .Values.ingress.enabled (not .Values.ingress.hosts) -}}{{- fail "ingress: expected a host, got none" -}}{{- end -}}
{{- if and .Values.ingress.enabled .Values.ingress.grpc.enabled (not (and .Values.ingress.grpc.hosts .Values.ingress.grpc.tlsSecret)) -}}
{{- fail "ingress.grpc: expected hosts and tlsSecret, got one or none" -}}
{{- end -}}
{{- if and .Values.gateway.enabled (not .Values.gateway.parentRefs) -}}{{- fail "gateway: expected parentRefs, got none" -}}{{- end -}}
{{- end }}
