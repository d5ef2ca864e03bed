//! Landfall: a Kafka Connect-compatible sink worker whose records are columns.
//!
//! The modules, in the order of the path that data takes and then of the path that control takes:
//!
//! - [`tls`] reads stores of certificates and keys,
//! - [`kafka`] fetches records in a consumer group,
//! - [`convert`] types their bytes,
//! - [`task`] runs the loop that hands them to a sink and commits,
//! - [`plugins`] lists the sinks,
//! - [`config`] reads the worker's properties,
//! - [`state`] is what a cluster of workers keeps in its internal topics,
//! - [`herder`] keeps connectors and their tasks,
//! - [`rest`] is how users talk to it,
//! - [`log_levels`] says what it logs, [`logging`] where to,
//! - [`metrics`] is how dashboards do, [`otlp`] how collectors do,
//! - [`worker`] is all of this together,
//! - [`broker`] is a Kafka for those who have none,
//! - [`demo`] is the first thing to try,
//! - [`admin`] is for operators, beside workers that run.

pub mod admin;
pub mod broker;
pub mod config;
pub mod convert;
pub mod demo;
pub mod herder;
mod https;
pub mod kafka;
pub mod log_levels;
pub mod logging;
pub mod metrics;
pub mod otlp;
pub mod plugins;
pub mod rest;
pub mod state;
pub mod task;
pub mod tls;
pub mod transform;
pub mod worker;
