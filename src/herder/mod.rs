//! Keeps the connectors and their tasks.
