//! The file stream sink of Landfall: each record's value as a line of text in a file, as Java prints it.
//!
//! [`FileStreamSink`] is the class; [`java_text`] says how a value reads.

mod file_stream_sink;
pub mod java_text;

pub use file_stream_sink::FileStreamSink;
