{{/* What the pods of workers and of jobs have in common. */}}
{{- define "landfall.pod" -}}
serviceAccountName: {{ include "landfall.serviceAccount" . }}
automountServiceAccountToken: false
# A service called connect would set variables that look like properties of the worker.
enableServiceLinks: false
{{- with .Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
securityContext:
  {{- toYaml .Values.podSecurityContext | nindent 2 }}
{{- with .Values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .Values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* The pod of a job that compares the connectors of the values with those of the cluster: root and arguments. */}}
{{- define "landfall.job" -}}
{{- $ := .root -}}
activeDeadlineSeconds: {{ $.Values.connectorsJob.timeoutSeconds }}
ttlSecondsAfterFinished: {{ $.Values.connectorsJob.keepSeconds }}
template:
  metadata:
    labels:
      {{- include "landfall.labels" $ | nindent 6 }}
      app.kubernetes.io/component: connectors
  spec:
    {{- include "landfall.pod" $ | nindent 4 }}
    restartPolicy: Never
    containers:
      - name: connectors
        image: {{ include "landfall.image" $ | quote }}
        imagePullPolicy: {{ $.Values.image.pullPolicy }}
        args: {{ concat (list "connectors" "apply" "-f" "/etc/landfall/connectors") .args $.Values.connectorsJob.args | toJson }}
        workingDir: /tmp
        env:
          - name: LANDFALL_URL
            value: {{ include "landfall.url" $ }}
          {{- if $.Values.rest.tls.secretName }}
          - name: LANDFALL_CA
            value: /etc/landfall-tls/ca.crt
          {{- end }}
          {{- with $.Values.connectorsJob.env }}
          {{- toYaml . | nindent 10 }}
          {{- end }}
        resources:
          {{- toYaml $.Values.connectorsJob.resources | nindent 10 }}
        securityContext:
          {{- toYaml $.Values.securityContext | nindent 10 }}
        volumeMounts:
          - name: connectors
            mountPath: /etc/landfall/connectors
            readOnly: true
          - name: tmp
            mountPath: /tmp
          {{- if $.Values.rest.tls.secretName }}
          - name: rest-tls
            mountPath: /etc/landfall-tls
            readOnly: true
          {{- end }}
    volumes:
      - name: connectors
        configMap:
          name: {{ include "landfall.fullname" $ }}-connectors
      - name: tmp
        emptyDir:
          sizeLimit: 16Mi
      {{- with $.Values.rest.tls.secretName }}
      - name: rest-tls
        secret:
          secretName: {{ . }}
          items: [{key: ca.crt, path: ca.crt}]
      {{- end }}
{{- end -}}
