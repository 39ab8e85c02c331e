//! onetimeshare: a Kubernetes operator that puts a Secret behind a one-time link.
