//! The file-sink engine of Landfall, without any cloud: partitions, rolls, encodes, names and publishes files.

pub mod storage;
