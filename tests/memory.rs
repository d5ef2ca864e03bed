//! A file is written as its records arrive: how large it gets does not show in the worker's memory.

use serde_json::json;

use crate::support::broker::{Broker, Record};
use crate::support::read::{files, row_count};
use crate::support::records::Random;
use crate::support::store::{Store, with};
use crate::support::worker::Worker;

/// Characters of the text in each record.
const TEXT: usize = 10_000;
const LIMIT_MB: f64 = 300.0;

/// Lands one file of about `megabytes` of text that does not compress, and looks at the memory of the worker.
pub(crate) fn one_file_of(megabytes: usize) {
    let (broker, topic, connector) = (Broker::shared(), "one-file", "one-file");
    broker.create_topic(topic, 1);
    let mut random = Random::new(5);
    let letters: Vec<u8> = (0..1_000_000).map(|_| b'a' + u8::try_from(random.below(26)).unwrap()).collect();
    let letters = String::from_utf8(letters).unwrap();
    let records = megabytes * 1_000_000 / TEXT;
    let mut record = |id| {
        let from = usize::try_from(random.below((letters.len() - TEXT) as u64)).unwrap();
        Record::value(format!(r#"{{"id":{id},"text":"{}"}}"#, &letters[from..from + TEXT]))
    };
    broker.produce(topic, 0, (0..records).map(&mut record));

    let store = Store::directory();
    let worker = Worker::start(&broker.bootstrap(), &[]);
    let mut config = store.connector(topic, records);
    with(&mut config, &json!({"parquet.codec": "none"}));
    worker.create(connector, &config);
    worker.await_landed(broker, connector, topic);

    let peak = worker.process().peak_rss_mb();
    let landed = files(&store.folder(topic));
    assert_eq!(landed.len(), 1, "{landed:?}");
    let file = store.folder(topic).join(&landed[0]);
    assert_eq!(row_count(&file), i64::try_from(records).unwrap());
    let size = file.metadata().unwrap().len();
    assert!(size > (megabytes * 1_000_000) as u64, "a file of {size} bytes");
    assert!(peak < LIMIT_MB, "{peak:.0} MB of memory for a file of {megabytes} MB");
}
