//! The contract between the Landfall worker and its plugins: columns, configuration, converters, transforms, sinks. No I/O
//! lives here but the looks at what paths lead to ([`Folders`]).
//!
//! In the order in which a record meets them: a fetch becomes a [`RawBatch`]; a [`Converter`] turns its bytes into typed
//! [`Column`]s; a [`Batch`] of them goes through [`Transform`]s to a [`SinkTask`], which a [`SinkConnector`] made from its [`Properties`].

pub mod batch;
pub mod config;
pub mod convert;
pub mod default;
pub mod error;
pub mod landed;
pub mod memory;
pub mod metrics;
pub mod reach;
pub mod schema;
pub mod sink;
pub mod transform;

/// The target of spans that are told of as traces: a commit, and each call of a store in it.
pub const TRACE: &str = "landfall::trace";

pub use batch::{Batch, Column, RawBatch, TopicId, TopicPartition};
pub use config::{Effect, Fault, Faults, Importance, Key, Kind, Password, Properties, Valid, Value, Width};
pub use convert::{Converter, ConverterClass, Records, Role, Run, Unavailable};
pub use error::{RecordError, Refused, Stage, TaskError};
pub use landed::{Landed, LandedFile, Preview, PreviewColumn, Previews};
pub use memory::{Holder, Memory, Reserved, Share, Taken};
pub use metrics::{Answers, Calls, Counter, FilesEnded, Lag, TaskMetrics};
pub use reach::{Folders, Reached, Reaches, real_path};
pub use sink::{
    AlteredOffsets, Committed, NewOffsets, Offset, Opened, Opening, Refuse, SinkConnector, SinkTask, TURN, TaskContext, Wake,
};
pub use transform::{Output, Predicate, PredicateClass, Transform, TransformClass};
