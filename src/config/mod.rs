//! The worker's properties, by their Java names.
