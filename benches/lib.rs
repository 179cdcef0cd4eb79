//! Benchmarks of ssl-provider.
