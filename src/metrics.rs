//! What the worker counts, in the text format of Prometheus.
