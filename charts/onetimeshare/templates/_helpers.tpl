{{- define "onetimeshare.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- define "onetimeshare.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- $name := include "onetimeshare.name" . -}}
{{- ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name) | trunc 50 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "onetimeshare.selectorLabels" -}}
app.kubernetes.io/name: {{ include "onetimeshare.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "onetimeshare.labels" -}}
{{ include "onetimeshare.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* Not those of the operator's pods: no selector of theirs may find the test. */}}
{{- define "onetimeshare.testLabels" -}}
{{- $labels := include "onetimeshare.labels" . | fromYaml -}}
{{- $_ := set $labels "app.kubernetes.io/name" (printf "%s-test" (include "onetimeshare.name" .)) -}}
{{ toYaml $labels }}
{{- end -}}

{{- define "onetimeshare.podSecurity" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{- define "onetimeshare.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end -}}

{{- define "onetimeshare.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "onetimeshare.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- required "serviceAccount.name is needed with serviceAccount.create=false" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "onetimeshare.user" -}}
system:serviceaccount:{{ .Release.Namespace }}:{{ include "onetimeshare.serviceAccountName" . }}
{{- end -}}

{{- define "onetimeshare.image" -}}
{{- with .Values.image -}}
{{- if .digest -}}
{{ .repository }}@{{ .digest }}
{{- else -}}
{{ .repository }}:{{ default $.Chart.AppVersion .tag }}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* NO_PROXY: what the values say, and the cluster itself. Empty when no value is about proxies. */}}
{{- define "onetimeshare.noProxy" -}}
{{- if or .Values.httpProxy .Values.httpsProxy .Values.noProxy -}}
{{- $own := list "$(KUBERNETES_SERVICE_HOST)" "localhost" "127.0.0.1" ".svc" ".cluster.local" -}}
{{- join "," (concat (list .Values.noProxy | compact) $own) -}}
{{- end -}}
{{- end -}}

{{/* The TCP ports of egress as JSON, with those of the proxies. */}}
{{- define "onetimeshare.egressPorts" -}}
{{- $ports := list -}}
{{- range .Values.networkPolicy.egressPorts -}}
{{- $ports = append $ports (int .) -}}
{{- end -}}
{{- range compact (list .Values.httpProxy .Values.httpsProxy) -}}
{{- $default := ternary "443" "80" (hasPrefix "https://" .) -}}
{{- $ports = append $ports (regexFind ":[0-9]+/?$" . | trimPrefix ":" | trimSuffix "/" | default $default | int) -}}
{{- end -}}
{{- uniq $ports | toJson -}}
{{- end -}}

{{/* Binds the Role or ClusterRole "name" to the operator. */}}
{{- define "onetimeshare.binding" -}}
apiVersion: rbac.authorization.k8s.io/v1
kind: {{ .kind }}Binding
metadata:
  name: {{ .name }}
  {{- with .namespace }}
  namespace: {{ . | quote }}
  {{- end }}
  labels: {{- include "onetimeshare.labels" .root | nindent 4 }}
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: {{ .kind }}
  name: {{ .name }}
subjects:
- kind: ServiceAccount
  name: {{ include "onetimeshare.serviceAccountName" .root }}
  namespace: {{ .root.Release.Namespace }}
{{- end -}}

{{/* The leases of this release and of those that share the work with it, as JSON. */}}
{{- define "onetimeshare.leases" -}}
{{- $leases := list "onetimeshare" -}}
{{- range .Values.sharding.shards -}}
{{- $leases = append $leases (printf "onetimeshare-%s" .) -}}
{{- end -}}
{{- $leases | toJson -}}
{{- end -}}

{{/* What the operator does in a namespace of shares. */}}
{{- define "onetimeshare.shareRules" -}}
- apiGroups: [onetimeshare.dev]
  resources: [onetimeshares]
  verbs: [get, list, watch]
- apiGroups: [onetimeshare.dev]
  resources: [shareproviders]
  verbs: [list, watch]
- apiGroups: [onetimeshare.dev]
  resources: [onetimeshares/status, shareproviders/status]
  verbs: [patch]
- apiGroups: [""]
  resources: [secrets]
  verbs: {{ include "onetimeshare.secretVerbs" . }}
- apiGroups: [""]
  resources: [configmaps]
  verbs: [get]
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create, patch]
# The Lease that names the one ledger of a namespace. It is never changed.
- apiGroups: [coordination.k8s.io]
  resources: [leases]
  verbs: [create]
- apiGroups: [coordination.k8s.io]
  resources: [leases]
  resourceNames: [onetimeshare-ledger]
  verbs: [get]
{{- end -}}

{{- define "onetimeshare.secretVerbs" -}}
[get{{ if .Values.watchSecrets }}, list, watch{{ end }}{{ if .Values.generate.enabled }}, create, update{{ end }}]
{{- end -}}

{{/* A name as a CEL string. */}}
{{- define "onetimeshare.celStrings" -}}
[{{ range $index, $name := . }}{{ if $index }}, {{ end }}'{{ $name | replace "\\" "\\\\" | replace "'" "\\'" }}'{{ end }}]
{{- end -}}

{{/* What the schema cannot say. */}}
{{- define "onetimeshare.check" -}}
{{- if and .Values.provider.region .Values.provider.url -}}
{{- fail "set one of provider.region and provider.url, not both" -}}
{{- end -}}
{{- if and .Values.provider.credentialsSecretName (not (or .Values.provider.region .Values.provider.url)) -}}
{{- fail "provider.credentialsSecretName needs provider.region or provider.url" -}}
{{- end -}}
{{- if eq .Values.ledger.namespace .Release.Namespace -}}
{{- fail "ledger.namespace must not be the namespace of the release: nothing else belongs beside the ledger" -}}
{{- end -}}
{{- with .Values.sharding -}}
{{- if and .watchLabelSelector (not $.Values.leaderElect) -}}
{{- fail "sharding.watchLabelSelector needs leaderElect: by its lease the default shard sees that somebody works on a shard" -}}
{{- end -}}
{{- $name := regexReplaceAll "^[^=(]*[=(]=?" .watchLabelSelector "" | trimAll " )" -}}
{{- if not (or (eq .watchLabelSelector "") (hasPrefix "!" .watchLabelSelector) (has $name .shards)) -}}
{{- fail (printf "sharding.watchLabelSelector is for the shard %q: add it to sharding.shards, which names all shards in all releases" $name) -}}
{{- end -}}
{{- if and .shards (not .watchLabelSelector) -}}
{{- fail "sharding.shards needs sharding.watchLabelSelector: \"!onetimeshare.dev/shard\" in the release of the default shard" -}}
{{- end -}}
{{- end -}}
{{- if has .Values.ledger.namespace .Values.watchNamespaces -}}
{{- fail "ledger.namespace must not be one of watchNamespaces: nothing else belongs beside the ledger" -}}
{{- end -}}
{{- end -}}

{{/* When a policy about authors applies: to what is new in a spec, so that labels can be changed by anybody who may. */}}
{{- define "onetimeshare.authorConditions" -}}
- name: spec-is-new-or-changed
  expression: "request.operation == 'CREATE' || object.spec != oldObject.spec"
{{- if ne . "[]" }}
- name: author-is-not-exempt
  expression: {{ printf "!(request.userInfo.username in %s)" . | quote }}
{{- end }}
{{- end -}}

{{/* CEL: a path below spec of one or two steps is not set. A field may be there and null, which dyn() lets one ask. */}}
{{- define "onetimeshare.absent" -}}
{{- $at := "object.spec" -}}
{{- $absent := list -}}
{{- range splitList "." . -}}
{{- $at = printf "%s.%s" $at . -}}
{{- $absent = concat $absent (list (printf "!has(%s)" $at) (printf "dyn(%s) == null" $at)) -}}
{{- end -}}
({{ join " || " $absent }})
{{- end -}}

{{- define "onetimeshare.policyBinding" -}}
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata:
  name: {{ .name }}
  labels: {{- include "onetimeshare.labels" .root | nindent 4 }}
spec:
  policyName: {{ .name }}
  validationActions: [Deny]
{{- end -}}

{{/* The seconds of a duration such as 1h2m3s. */}}
{{- define "onetimeshare.seconds" -}}
{{- $hours := regexFind "[0-9]+h" . | trimSuffix "h" | int64 -}}
{{- $minutes := regexFind "[0-9]+m" . | trimSuffix "m" | int64 -}}
{{- $seconds := regexFind "[0-9]+s" . | trimSuffix "s" | int64 -}}
{{- add (mul $hours 3600) (mul $minutes 60) $seconds -}}
{{- end -}}

{{/* How long a pod may take to end: its requests to the service, and half a minute to write down what came of them. */}}
{{- define "onetimeshare.gracePeriod" -}}
{{- $attempt := include "onetimeshare.seconds" .Values.attemptDeadline | int64 -}}
{{- $request := include "onetimeshare.seconds" .Values.requestTimeout | int64 -}}
{{- max (int64 .Values.terminationGracePeriodSeconds) (add (max $attempt $request) 30) -}}
{{- end -}}
