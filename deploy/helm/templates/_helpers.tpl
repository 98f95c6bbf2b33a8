{{- define "callsync.labels" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{/* Labels of one component; takes the root context and a component. */}}
{{- define "callsync.component" -}}
{{ include "callsync.labels" .root }}
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{- define "callsync.metadata" -}}
name: {{ .root.Release.Name }}-{{ .component }}
labels:
  {{- include "callsync.component" . | nindent 2 }}
  app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
  helm.sh/chart: {{ .root.Chart.Name }}-{{ .root.Chart.Version }}
{{- end }}

{{- define "callsync.host" -}}
{{ get (urlParse (required "publicUrl is required: this service's https:// address" .Values.publicUrl)) "hostname" }}
{{- end }}

{{- define "callsync.image" -}}
{{ printf "%s:%s" .image.repository (.image.tag | default .root.Chart.AppVersion) | quote }}
{{- end }}

{{/* What every container of ours may do: nothing. */}}
{{- define "callsync.confinement" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end }}

{{/*
A pod. Takes the root context, the component, its command as a list, the secret settings that it
reads (names of variables, each with the Secret's key), settings (the names of the others that it
reads; all of them unless said), a grace period in seconds, its resources, and optionally variables
(of its own), container (further fields: ports, probes, lifecycle), beside (further containers) and
volumes (of theirs).
*/}}
{{- define "callsync.pod" -}}
automountServiceAccountToken: false
enableServiceLinks: false
terminationGracePeriodSeconds: {{ .grace }}
{{- with .root.Values.image.pullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
securityContext:
  runAsNonRoot: true
  runAsUser: 10001
  runAsGroup: 10001
  fsGroup: 10001
  seccompProfile: {type: RuntimeDefault}
topologySpreadConstraints:
  {{- range list "topology.kubernetes.io/zone" "kubernetes.io/hostname" }}
  - topologyKey: {{ . }}
    maxSkew: 1
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels:
        {{- include "callsync.component" $ | nindent 8 }}
  {{- end }}
containers:
  - name: {{ .component }}
    image: {{ include "callsync.image" (dict "root" .root "image" .root.Values.image) }}
    imagePullPolicy: {{ .root.Values.image.pullPolicy }}
    command: {{ toJson .command }}
    env:
      {{- range $name, $key := .secrets }}
      - {name: {{ $name }}_FILE, value: /run/secrets/callsync/{{ $key }}}
      {{- end }}
      {{- range $name, $value := merge (dict "PUBLIC_URL" .root.Values.publicUrl) .root.Values.settings }}
      {{- if or (not (hasKey $ "settings")) (has $name $.settings) }}
      - {name: {{ $name }}, value: {{ $value | quote }}}
      {{- end }}
      {{- end }}
      {{- range $name, $value := .variables }}
      - {name: {{ $name }}, value: {{ $value | quote }}}
      {{- end }}
    {{- with .container }}
    {{- . | nindent 4 }}
    {{- end }}
    resources:
      {{- toYaml .resources | nindent 6 }}
    securityContext:
      {{- include "callsync.confinement" . | nindent 6 }}
    volumeMounts:
      - {name: secrets, mountPath: /run/secrets/callsync, readOnly: true}
      - {name: tmp, mountPath: /tmp}
  {{- with .beside }}
  {{- . | nindent 2 }}
  {{- end }}
volumes:
  - name: secrets
    secret:
      secretName: {{ .root.Values.secretName }}
      defaultMode: 0440
      items:
        {{- range $key := .secrets | values | sortAlpha }}
        - {key: {{ $key }}, path: {{ $key }}}
        {{- end }}
  - name: tmp
    emptyDir: {sizeLimit: 64Mi}
  {{- with .volumes }}
  {{- . | nindent 2 }}
  {{- end }}
{{- end }}

{{/* What the API and the worker both check when they start; a dictionary for callsync.pod, in JSON. */}}
{{- define "callsync.serviceSecrets" -}}
{{- $found := dict }}
{{- range concat (list "DATABASE_URL" "REDIS_URL" "HUBSPOT_CLIENT_SECRET" "TOKEN_ENCRYPTION_KEYS") .Values.optionalSecrets }}
{{- $_ := set $found . . }}
{{- end }}
{{- toJson $found }}
{{- end }}

{{/* All that beat and Flower are told: where messages go. The same, in JSON. */}}
{{- define "callsync.brokerSecrets" -}}
{{- $key := has "BROKER_URL" .Values.optionalSecrets | ternary "BROKER_URL" "REDIS_URL" }}
{{- dict "BROKER_URL" $key | toJson }}
{{- end }}

{{/* The settings that beat and Flower read, beside their secrets. */}}
{{- define "callsync.brokerSettings" -}}
{{ list "REDIS_PREFIX" "LOG_LEVEL" "LOG_FORMAT" | toJson }}
{{- end }}
