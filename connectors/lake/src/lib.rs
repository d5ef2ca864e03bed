//! The file-sink engine of Landfall, without any cloud: partitions, rolls, encodes, names and publishes files.
//!
//! [`LakeTask`] is the engine; the modules stand in the order in which a row meets them. [`nulls`] says what becomes of records
//! without a value, [`partition`] names the folders of its rows, [`roll`] cuts a batch into files, [`evolve`] says which of them take
//! rows of another schema. Rows get the file's [`columns`], of the [`types`] that it has, those of the [`system`] among them, or all
//! of a record in an [`envelope`]. An open [`file`](mod@file) encodes them by [`encode`] and stages the bytes in a [`storage`], under
//! a [`name`]; [`commit`] makes files visible once, and says what may be committed to Kafka.

pub mod columns;
pub mod commit;
pub mod config;
pub mod encode;
mod encoders;
pub mod envelope;
pub mod evolve;
mod file;
pub mod landed;
pub mod name;
pub mod nulls;
pub mod partition;
mod preview;
pub mod roll;
pub mod storage;
pub mod system;
mod task;
pub mod types;

pub use task::{LakeTask, Layout, PUBLISHED};
