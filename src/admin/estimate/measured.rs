//! What was measured of a worker, as far as an estimate needs it: the figures of docs/performance.md.

/// What records of one format cost.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cost {
    /// The bytes of a record's value.
    pub(super) record_bytes: f64,
    /// CPU seconds for a million records on the whole path: fetched, converted, encoded, staged and committed in a directory.
    pub(super) cpu_seconds: f64,
    /// Bytes of a Parquet file with zstd for each byte of the values in it: one of 100,000 rows and more.
    pub(super) parquet_ratio: f64,
}

/// All that was measured. What is memory is in MiB.
#[derive(Clone, Copy, Debug)]
pub(super) struct Measured {
    /// Change events of 14 fields as JSON without a schema.
    pub(super) json: Cost,
    /// The same with Connect's schema envelope.
    pub(super) env: Cost,
    /// The same as Avro of a registry.
    pub(super) avro: Cost,
    /// The same as Protobuf of a registry.
    pub(super) protobuf: Cost,
    /// What a worker without a connector takes, at most.
    pub(super) idle_memory: f64,
    /// What a worker takes whose task reads as fast as it can into four files.
    pub(super) busy_memory: f64,
    /// What each file that is open takes besides, at most, as long as few rows wait in it.
    pub(super) file_memory: f64,
    /// The bytes of a pointer that names one file.
    pub(super) pointer_bytes: f64,
}

/// The figures, with where docs/performance.md has them.
pub(super) const MEASURED: Measured = Measured {
    // CPU: the table of the whole path. A row of the 14 fields has 28.6 bytes in Parquet, whatever it came as: the table of file sizes.
    json: Cost { record_bytes: 311.0, cpu_seconds: 2.38, parquet_ratio: 28.6 / 311.0 },
    env: Cost { record_bytes: 1256.0, cpu_seconds: 2.92, parquet_ratio: 28.6 / 1256.0 },
    avro: Cost { record_bytes: 136.0, cpu_seconds: 1.84, parquet_ratio: 28.6 / 136.0 },
    // Computed: Avro's whole path, and what converting alone takes more.
    protobuf: Cost { record_bytes: 141.0, cpu_seconds: 2.1, parquet_ratio: 28.6 / 141.0 },
    idle_memory: 45.0,
    // The highest peak with one folder in the table of the whole path.
    busy_memory: 280.0,
    file_memory: 1.4,
    // Counted: the text that `pointer.rs` stores.
    pointer_bytes: 500.0,
};
