//! What the keys of partitioners may be.

use super::*;

#[test]
fn all_classes_are_offered() {
    let key = PartitionerKeys::KEYS.iter().find(|key| key.name == "partitioner.class").expect("the key");
    let classes: Vec<_> = PARTITIONERS.iter().map(|class| class.class()).collect();
    assert_eq!(key.recommended, classes);
    for class in PARTITIONERS {
        for name in class.keys() {
            assert!(PartitionerKeys::KEYS.iter().any(|key| key.name == *name), "{name}");
        }
    }
}

#[test]
fn what_is_wrong_is_said_in_javas_words() {
    let class = |simple: &str| format!("{PACKAGE}{simple}Partitioner");
    let (by_field, by_time, daily) = (class("Field"), class("TimeBased"), class("Daily"));
    let time = |key: &'static str, value: &'static str| {
        let mut all = vec![
            ("partitioner.class", by_time.as_str()),
            ("partition.duration.ms", "1000"),
            ("path.format", "YYYY"),
            ("locale", "en"),
            ("timezone", "UTC"),
        ];
        all.retain(|(name, _)| *name != key);
        all.push((key, value));
        all
    };
    let template = |text: &'static str| vec![("landfall.path.template", text)];
    for (keys, why) in [
        (
            vec![("partitioner.class", "com.acme.Mine")],
            "Invalid value com.acme.Mine for configuration partitioner.class: Class com.acme.Mine could not be found.",
        ),
        (
            vec![("partitioner.class", by_field.as_str())],
            "Partition field name cannot be null or empty when using FieldPartitioner.",
        ),
        (
            vec![("partitioner.class", by_field.as_str()), ("partition.field.name", "a,,b")],
            "Invalid value a,,b for configuration partition.field.name: Field name cannot be null or empty",
        ),
        (
            vec![("partitioner.class", by_field.as_str()), ("partition.field.name", "a..b")],
            "Invalid value a..b for configuration partition.field.name: Field name cannot contain an empty or whitespace-only path segment",
        ),
        (
            vec![("partitioner.class", daily.as_str())],
            "Invalid value  for configuration locale: Locale cannot be empty.\nInvalid value  for configuration timezone: Timezone cannot be empty.",
        ),
        (
            time("timezone", "Mars/Base"),
            "Invalid value Mars/Base for configuration timezone: The datetime zone id 'Mars/Base' is not recognised",
        ),
        (
            time("partition.duration.ms", "-1"),
            "Invalid value -1 for configuration partition.duration.ms: Partition duration needs to be a positive.",
        ),
        (
            time("partition.duration.ms", "0"),
            "Invalid value 0 for configuration partition.duration.ms: Partition duration needs to be a positive.",
        ),
        (time("path.format", " "), "Invalid value  for configuration path.format: Path format cannot be empty."),
        (time("path.format", "/"), "Invalid value / for configuration path.format: Path format cannot be empty."),
        (time("path.format", "YYYY/b"), "Invalid value YYYY/b for configuration path.format: Illegal pattern component: b"),
        (
            time("path.format", "'..'/YYYY"),
            "Invalid value '..'/YYYY for configuration path.format: the path \"../1970\" cannot be used: it leaves its folder",
        ),
        (
            time("path.format", "/YYYY"),
            "Invalid value /YYYY for configuration path.format: the path \"/1970\" cannot be used: a name in it is empty",
        ),
        (
            time("path.format", "YYYY."),
            "Invalid value YYYY. for configuration path.format: the path \"1970.\" cannot be used: a name in it ends with a point",
        ),
        (time("timestamp.extractor", "com.acme.Mine"), "Invalid timestamp extractor: com.acme.Mine"),
        (time("landfall.timestamp.unit", "us "), ""),
        (
            time("landfall.timestamp.unit", "days"),
            "Invalid value days for configuration landfall.timestamp.unit: String must be one of: auto, ms, us, ns, s",
        ),
        (template("{topic}/"), ""),
        (
            template("{topic}/{partition}"),
            "Invalid value {topic}/{partition} for configuration landfall.path.template: it has no {offset}: two files of a partition would have one name",
        ),
        (
            vec![("landfall.path.template", "{partition}-{offset}"), ("topics", "a,b")],
            "Invalid value {partition}-{offset} for configuration landfall.path.template: it has no {topic}, and the connector may have several: their files would have one name",
        ),
        (
            vec![("landfall.path.template", "{topic}/"), ("partitioner.class", daily.as_str())],
            "landfall.path.template says what paths are: leave partitioner.class out",
        ),
    ] {
        assert_eq!(read(&keys).map(drop).err().unwrap_or_default(), why, "{keys:?}");
    }
    let german = [time("path.format", "MMM"), vec![("locale", "de")]].concat();
    let why =
        "Invalid value MMM for configuration path.format: 'MMM' is a text in the language de, and only those of en are known";
    assert_eq!(read(&german).map(drop), Err(why.to_owned()));
    let zoned = [time("path.format", "HH z"), vec![("timezone", "Europe/Berlin")]].concat();
    let why = "Invalid value HH z for configuration path.format: 'z' is the name of a time zone, which Java's runtime has: take Z, ZZ or ZZZ";
    assert_eq!(read(&zoned).map(drop), Err(why.to_owned()));
}

#[test]
fn keys_that_the_partitioner_does_not_read_are_warned_about() {
    let daily = format!("{PACKAGE}DailyPartitioner");
    let mut set =
        vec![("partition.field.name", "a"), ("path.format", "YYYY"), ("timezone", "UTC"), ("schema.generator.class", "x")];
    let why = |key: &str, by: &str| format!("{key} has no effect in Landfall: {by}");
    let default = "the partitioner is DefaultPartitioner";
    let found = PartitionerKeys::warnings(&given(&set));
    assert_eq!(found, ["partition.field.name", "path.format", "timezone", "schema.generator.class"].map(|key| why(key, default)));
    set.push(("partitioner.class", &daily));
    let found = PartitionerKeys::warnings(&given(&set));
    assert_eq!(
        found,
        ["partition.field.name", "path.format", "schema.generator.class"]
            .map(|key| why(key, "the partitioner is DailyPartitioner"))
    );
    let scheduled = [("timezone", "UTC"), ("rotate.schedule.interval.ms", "1000")];
    assert_eq!(PartitionerKeys::warnings(&given(&scheduled)), [""; 0]);
    let template = [("landfall.path.template", "{topic}/"), ("locale", "en"), ("timezone", "UTC")];
    assert_eq!(PartitionerKeys::warnings(&given(&template)), [why("locale", "landfall.path.template is given")]);
}

#[test]
fn a_template_is_read_with_its_zone_and_extractor() {
    let keys = [
        ("landfall.path.template", "{timestamp:%H}/{partition}-{offset}"),
        ("timezone", "+05:30"),
        ("timestamp.extractor", "RecordField"),
        ("timestamp.field", "t"),
        ("landfall.timestamp.unit", "s"),
    ];
    let template = read(&keys).expect("good");
    let batch = put(fields(vec![column("t", Int64Array::from(vec![0, 3600]))]));
    assert_eq!(folders(&*template, &batch), Ok(vec!["05/3-{offset}".into(), "06/3-{offset}".into()]));
}
