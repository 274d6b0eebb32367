{{/* Pod Security "restricted": the pod's half. The user and group are those of the images. */}}
{{- define "lipsync.podSecurity" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
fsGroup: 10001
fsGroupChangePolicy: OnRootMismatch
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{/* The container's half. */}}
{{- define "lipsync.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end }}

{{- define "lipsync.podBasics" -}}
serviceAccountName: {{ include "lipsync.serviceAccount" . }}
automountServiceAccountToken: false
enableServiceLinks: false
{{- with .Values.image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
securityContext:
  {{- include "lipsync.podSecurity" . | nindent 2 }}
{{- end }}

{{/* (list $ selector labels): over zones and nodes, as far as there are several. */}}
{{- define "lipsync.spread" -}}
{{- $root := index . 0 -}}
{{- $labels := index . 1 -}}
{{- if $root.Values.topologySpread.enabled }}
topologySpreadConstraints:
  {{- range list "topology.kubernetes.io/zone" "kubernetes.io/hostname" }}
  - maxSkew: 1
    topologyKey: {{ . }}
    whenUnsatisfiable: {{ $root.Values.topologySpread.whenUnsatisfiable }}
    labelSelector:
      matchLabels:
        {{- $labels | nindent 8 }}
  {{- end }}
{{- end }}
{{- end }}

{{/* The volume of avatars and models. */}}
{{- define "lipsync.modelsVolume" -}}
{{- $models := .Values.models -}}
- name: models
  {{- if eq $models.volume "emptyDir" }}
  emptyDir:
    sizeLimit: {{ $models.emptyDir.sizeLimit }}
  {{- else if eq $models.volume "persistentVolumeClaim" }}
  persistentVolumeClaim:
    claimName: {{ default (printf "%s-models" (include "lipsync.fullname" .)) $models.persistentVolumeClaim.existingClaim }}
  {{- else if eq $models.volume "nfs" }}
  nfs:
    server: {{ $models.nfs.server }}
    path: {{ $models.nfs.path }}
  {{- else }}
  image:
    reference: {{ $models.image.reference }}
    pullPolicy: {{ $models.image.pullPolicy }}
  {{- end }}
{{- end }}

{{/* What is put into the volume, by whatever container does it: (list $ further arguments). */}}
{{- define "lipsync.fillContainer" -}}
{{- $root := index . 0 -}}
- name: avatars
  image: {{ include "lipsync.image" (list $root "triton") }}
  imagePullPolicy: {{ $root.Values.image.pullPolicy }}
  args:
    - docker/fill_models.py
    - --demo={{ ternary "yes" "no" $root.Values.avatars.demo }}
    {{- if include "lipsync.avatarsSecret" $root }}
    - --fetch=/etc/lipsync/avatars/avatars
    {{- end }}
    {{- range index . 1 }}
    - {{ . }}
    {{- end }}
  securityContext:
    {{- include "lipsync.containerSecurity" $root | nindent 4 }}
  resources:
    {{- toYaml $root.Values.avatars.resources | nindent 4 }}
  volumeMounts:
    - {name: models, mountPath: /models}
    - {name: tmp, mountPath: /tmp}
    {{- if include "lipsync.avatarsSecret" $root }}
    - {name: avatars, mountPath: /etc/lipsync/avatars, readOnly: true}
    {{- end }}
{{- end }}

{{- define "lipsync.avatarsVolume" -}}
{{- with include "lipsync.avatarsSecret" . }}
- name: avatars
  secret: {secretName: {{ . }}, defaultMode: 0440}
{{- end }}
{{- end }}

{{- define "lipsync.gpuResources" -}}
{{- $gpu := dict .resourceName (printf "%v" .count) -}}
{{- toYaml (mergeOverwrite (deepCopy .resources) (dict "limits" (mergeOverwrite (deepCopy (default dict .resources.limits)) $gpu))) -}}
{{- end }}

{{/* Where a pool's Tritons find their models. Engines are written, so not into an image. */}}
{{- define "lipsync.repository" -}}
{{- $root := index . 0 -}}
{{- $pool := index . 1 -}}
{{- if not $pool.isGpu -}}/models/model_repository
{{- else -}}{{ ternary "/engines" "/models/engines" (eq $root.Values.models.volume "image") }}/{{ $pool.name }}
{{- end -}}
{{- end }}

{{/* What builds a type's engines, on a GPU of that type: (list $ pool further arguments). */}}
{{- define "lipsync.enginesContainer" -}}
{{- $root := index . 0 -}}
{{- $pool := index . 1 -}}
- name: engines
  image: {{ include "lipsync.image" (list $root "engines") }}
  imagePullPolicy: {{ $root.Values.image.pullPolicy }}
  args:
    - python3
    - docker/build_engines.py
    - --model-repository={{ include "lipsync.repository" (list $root $pool) }}
    {{- range index . 2 }}
    - {{ . }}
    {{- end }}
  securityContext:
    {{- include "lipsync.containerSecurity" $root | nindent 4 }}
  resources:
    {{- include "lipsync.gpuResources" $pool | nindent 4 }}
  volumeMounts:
    - {name: models, mountPath: /models}
    - {name: tmp, mountPath: /tmp}
    {{- if eq $root.Values.models.volume "image" }}
    - {name: engines, mountPath: /engines}
    {{- end }}
{{- end }}

{{/* Waits for a file, which a Job writes: (list $ image name condition what). */}}
{{- define "lipsync.waitContainer" -}}
{{- $root := index . 0 -}}
- name: wait
  image: {{ include "lipsync.image" (list $root (index . 1)) }}
  imagePullPolicy: {{ $root.Values.image.pullPolicy }}
  command: [sh, -c, {{ printf "until %s; do echo 'waiting for %s'; sleep 2; done" (index . 2) (index . 3) | quote }}]
  securityContext:
    {{- include "lipsync.containerSecurity" $root | nindent 4 }}
  resources:
    requests: {cpu: 10m, memory: 16Mi}
    limits: {memory: 64Mi}
  volumeMounts:
    - {name: models, mountPath: /models, readOnly: true}
{{- end }}

{{/* Has the Tritons of a pool load what is new: (list $ pool name). */}}
{{- define "lipsync.loadContainer" -}}
{{- $root := index . 0 -}}
{{- $fullname := include "lipsync.fullname" $root -}}
- name: load
  image: {{ include "lipsync.image" (list $root "triton") }}
  imagePullPolicy: {{ $root.Values.image.pullPolicy }}
  args:
    - -m
    - embedded.load
    - dns:///{{ $fullname }}-{{ index . 1 }}-all:8001
    - --control-secret-file=/etc/lipsync/control/secret
    - --timeout-s={{ $root.Values.triton.startTimeoutS }}
    {{- if $root.Values.triton.tls.clientSecret }}
    - --grpc-tls-dir=/etc/lipsync/triton-tls
    - --grpc-tls-name={{ $root.Values.triton.tls.name }}
    {{- end }}
  securityContext:
    {{- include "lipsync.containerSecurity" $root | nindent 4 }}
  resources:
    requests: {cpu: 50m, memory: 64Mi}
    limits: {memory: 256Mi}
  volumeMounts:
    - {name: control, mountPath: /etc/lipsync/control, readOnly: true}
    {{- if $root.Values.triton.tls.clientSecret }}
    - {name: triton-tls, mountPath: /etc/lipsync/triton-tls, readOnly: true}
    {{- end }}
{{- end }}

{{/* The secrets that whoever controls Tritons has. */}}
{{- define "lipsync.controlVolumes" -}}
- name: control
  secret: {secretName: {{ include "lipsync.controlSecret" . }}, defaultMode: 0440}
{{- with .Values.triton.tls.clientSecret }}
- name: triton-tls
  secret: {secretName: {{ . }}, defaultMode: 0440}
{{- end }}
{{- end }}
