//! Conformance cases of ssl-provider as plain functions of a backend.
