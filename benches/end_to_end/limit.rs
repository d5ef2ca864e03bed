//! The raw limit: the least work that turns a topic into Parquet, with nothing of a worker around it.
//!
//! Fetch and decode on one thread, encode on a second, one file for all partitions, no offsets, no group, one schema known beforehand.
//! Records that are none go to another topic as they came.

use std::collections::HashSet;
use std::fs::File;
use std::io::BufWriter;
use std::path::Path;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use arrow_array::cast::AsArray;
use arrow_array::types::{Int32Type, Int64Type};
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_schema::DataType;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, Encoding};
use parquet::file::properties::WriterProperties;
use parquet::schema::types::ColumnPath;
use rdkafka::ClientConfig;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};

use crate::decode::{Decoder, Wire};
use crate::fetch::Fetch;
use crate::shape::Shape;

const PATIENCE: Duration = Duration::from_secs(60);

/// Where the records of a topic go that cannot be decoded.
pub(crate) fn refused(topic: &str) -> String {
    format!("{topic}-refused")
}

/// Lands the first `records` records of a topic in `<folder>/limit.parquet`.
pub(crate) fn land(bootstrap: &str, topic: &str, partitions: i32, records: usize, (shape, wire): (Shape, Wire), folder: &Path) {
    let mut decoder = Decoder::new(shape, wire);
    let (full, batches) = mpsc::sync_channel::<RecordBatch>(4);
    let file = BufWriter::with_capacity(1 << 20, File::create(folder.join("limit.parquet")).expect("a file to write"));
    let schema = decoder.schema();
    let encoder = thread::spawn(move || {
        let mut batches = batches.into_iter().peekable();
        let properties = batches.peek().map(properties);
        let mut writer = ArrowWriter::try_new(file, schema, properties).expect("a writer");
        for batch in batches {
            writer.write(&batch).expect("write");
        }
        writer.close().expect("close");
    });
    let (mut fetch, mut seen) = (Fetch::new(bootstrap, topic, partitions), 0);
    let refused = (shape == Shape::Faulty).then(|| Refused::new(bootstrap, topic));
    while seen < records {
        seen += fetch.next(|record| match &refused {
            Some(refused) if record[0] != b'{' => refused.send(record),
            _ => decoder.push(record).into_iter().for_each(|batch| full.send(batch).expect("an encoder")),
        });
    }
    if let Some(batch) = decoder.flush() {
        full.send(batch).expect("an encoder");
    }
    drop(full);
    encoder.join().expect("an encoder");
    if let Some(refused) = refused {
        refused.producer.flush(PATIENCE).expect("acknowledged");
    }
}

/// Sends what cannot be decoded.
struct Refused {
    producer: BaseProducer,
    topic: String,
}

impl Refused {
    fn new(bootstrap: &str, topic: &str) -> Self {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", bootstrap).set("enable.idempotence", "true").set("delivery.report.only.error", "true");
        Self { producer: config.create().expect("a producer"), topic: refused(topic) }
    }

    fn send(&self, record: &[u8]) {
        self.producer.send(BaseRecord::<(), _>::to(&self.topic).payload(record)).expect("room in the queue");
    }
}

/// Snappy; a dictionary for the columns where the first batch says that it pays.
fn properties(first: &RecordBatch) -> WriterProperties {
    let mut properties = WriterProperties::builder().set_compression(Compression::SNAPPY);
    for (field, column) in first.schema().fields().iter().zip(first.columns()) {
        if distinct(column) * 2 > column.len() - column.null_count() {
            let path = ColumnPath::from(field.name().as_str());
            properties = properties.set_column_dictionary_enabled(path.clone(), false);
            if field.data_type().is_integer() {
                properties = properties.set_column_encoding(path, Encoding::DELTA_BINARY_PACKED);
            }
        }
    }
    properties.build()
}

fn distinct(column: &ArrayRef) -> usize {
    match column.data_type() {
        DataType::Utf8 => column.as_string::<i32>().iter().flatten().collect::<HashSet<_>>().len(),
        DataType::Int64 => column.as_primitive::<Int64Type>().iter().flatten().collect::<HashSet<_>>().len(),
        DataType::Int32 => column.as_primitive::<Int32Type>().iter().flatten().collect::<HashSet<_>>().len(),
        _ => 0,
    }
}
