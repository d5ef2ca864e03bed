//! The contract between the Landfall worker and its plugins: columns, configuration, converters, sinks. No I/O lives here.
//!
//! In the order in which a record meets them: a fetch becomes a [`RawBatch`]; a [`Converter`] turns its bytes into typed
//! [`Column`]s; a [`Batch`] of them goes to a [`SinkTask`], which a [`SinkConnector`] made from its [`Properties`].

pub mod batch;
pub mod config;
pub mod convert;
pub mod error;
pub mod metrics;
pub mod sink;

pub use batch::{Batch, Column, RawBatch, TopicPartition};
pub use config::{Fault, Faults, Importance, Key, Kind, Password, Properties, Valid, Value, Width};
pub use convert::{Converter, ConverterClass, Records, Role, Run};
pub use error::{RecordError, Stage, TaskError};
pub use metrics::{Counter, FilesEnded, TaskMetrics};
pub use sink::{Committed, Offset, Opened, SinkConnector, SinkTask, TaskContext};
