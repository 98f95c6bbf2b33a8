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

{{/*
A pod. Takes the root context, the component, its command as a list, the names of its secret
settings, a grace period in seconds, its resources, and optionally settings (whether it reads the
others too, true unless said), variables (of its own) and container (further fields: ports, probes,
lifecycle).
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
    image: {{ printf "%s:%s" .root.Values.image.repository (.root.Values.image.tag | default .root.Chart.AppVersion) | quote }}
    imagePullPolicy: {{ .root.Values.image.pullPolicy }}
    command: {{ toJson .command }}
    env:
      {{- range .secrets }}
      - {name: {{ . }}_FILE, value: /run/secrets/callsync/{{ . }}}
      {{- end }}
      {{- if ne .settings false }}
      - {name: PUBLIC_URL, value: {{ .root.Values.publicUrl | quote }}}
      {{- range $name, $value := .root.Values.settings }}
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
      allowPrivilegeEscalation: false
      readOnlyRootFilesystem: true
      capabilities: {drop: [ALL]}
    volumeMounts:
      - {name: secrets, mountPath: /run/secrets/callsync, readOnly: true}
      - {name: tmp, mountPath: /tmp}
volumes:
  - name: secrets
    secret:
      secretName: {{ .root.Values.secretName }}
      defaultMode: 0440
      items:
        {{- range .secrets }}
        - {key: {{ . }}, path: {{ . }}}
        {{- end }}
  - name: tmp
    emptyDir: {sizeLimit: 64Mi}
{{- end }}

{{/* What every process of the service checks when it starts. */}}
{{- define "callsync.serviceSecrets" -}}
{{ join " " (concat (list "DATABASE_URL" "REDIS_URL" "HUBSPOT_CLIENT_SECRET" "TOKEN_ENCRYPTION_KEYS") .Values.optionalSecrets) }}
{{- end }}
