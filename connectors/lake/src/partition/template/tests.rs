//! Paths that templates make, and what they refuse.

use super::*;
use std::collections::{BTreeSet, HashMap};

use arrow_array::builder::{BinaryBuilder, ListBuilder, StringBuilder, StructBuilder};
use arrow_array::{Date32Array, Float64Array, Int32Array, StringArray};
use arrow_schema::{DataType, Fields};
use landfall_api::TopicPartition;
use proptest::prelude::*;

use crate::partition::tests::{column, fields, of_rows, put, schemaless};
use crate::partition::{Source, Unit};

fn names() -> Names {
    Names { prefix: "topics".into(), directory_delim: "/".into(), file_delim: "+".into(), offset_width: 10 }
}

fn ours(text: &str) -> Result<Template, String> {
    Template::ours(text, Zone::utc(), Extractor::new(Source::Record, Unit::Millis), false)
}

/// The paths of the files that the rows of a batch begin.
fn paths(template: &Template, batch: &Batch) -> Result<Vec<String>, String> {
    let folders = template.folders(batch, 1_763_757_000_000).map_err(|refused| refused[0].1.to_string())?;
    assert_eq!(folders.times.is_some(), template.time_based());
    let path = |(row, folder)| {
        let file = File {
            topic: &batch.topic,
            folder,
            origin: &batch.origin,
            first: batch.offset.value(row),
            suffix: "",
            extension: ".parquet",
        };
        template.path(&names(), &file)
    };
    Ok(of_rows(&folders, batch.len()).into_iter().enumerate().map(path).collect())
}

/// Two rows with fields, keys `k1` and none, and a header on the first.
fn rows() -> Batch {
    let inner = fields(vec![column("b", Int32Array::from(vec![Some(-7), None]))]);
    let value = fields(vec![
        column("region", StringArray::from(vec!["eu-west", "a/b"])),
        column("inner", inner.array.as_struct().clone()),
        column("day", Date32Array::from(vec![20_000, 1])),
        column("x", Float64Array::from(vec![1.0, 2.0])),
    ]);
    let mut headers = ListBuilder::new(StructBuilder::new(
        Fields::from(vec![Field::new("key", DataType::Utf8, false), Field::new("value", DataType::Binary, true)]),
        vec![Box::new(StringBuilder::new()), Box::new(BinaryBuilder::new())],
    ));
    for (key, text) in [("h", "old"), ("h", "new"), ("other", "x")] {
        headers.values().field_builder::<StringBuilder>(0).expect("keys").append_value(key);
        headers.values().field_builder::<BinaryBuilder>(1).expect("values").append_value(text);
        headers.values().append(true);
    }
    headers.append(true);
    headers.append(true);
    let key = Column {
        field: Arc::new(Field::new("k", DataType::Utf8, true)),
        array: Arc::new(StringArray::from(vec![Some("k1"), None])),
    };
    Batch { key, headers: Some(headers.finish()), ..put(value) }
}

#[test]
fn a_template_is_a_path() {
    let null = "__HIVE_DEFAULT_PARTITION__";
    for (template, first, second) in [
        (
            "{topic}/{value.region}/year={timestamp:%Y}/{partition}-{offset:020}",
            "orders/eu-west/year=2023/3-00000000000000000010.parquet".to_owned(),
            "orders/a%2Fb/year=2023/3-00000000000000000011.parquet".to_owned(),
        ),
        (
            "{topic}/b={value.inner.b}/{timestamp:%Y/%m/%dT%H%M}/",
            "orders/b=-7/2023/11/14T2213/orders+3+0000000010.parquet".to_owned(),
            format!("orders/b={null}/2023/11/14T2214/orders+3+0000000011.parquet"),
        ),
        (
            "{key}/{header.h}/{value.day}/{source.topic}.{partition:03}.{offset}",
            "k1/new/2024-10-04/orders.003.10.parquet".to_owned(),
            format!("{null}/{null}/1970-01-02/orders.003.11.parquet"),
        ),
        (
            "{value.region}-{value.inner.b}_{partition}_{offset}",
            "eu%2Dwest--7_3_10.parquet".to_owned(),
            format!("a%2Fb-{null}_3_11.parquet"),
        ),
        ("{offset:03}/{offset}-{partition}", "010/10-3.parquet".to_owned(), "011/11-3.parquet".to_owned()),
    ] {
        let found = paths(&ours(template).expect(template), &rows()).expect(template);
        assert_eq!(found, [format!("topics/{first}"), format!("topics/{second}")], "{template}");
    }
    let data = "org.apache.kafka.connect.errors.DataException: Field 'none' is not present in the schema.";
    let missing = ours("{value.none}/").expect("a template");
    assert_eq!(paths(&missing, &rows()), Err(data.to_owned()));
    let free = Batch { value: schemaless(rows().value), ..rows() };
    assert_eq!(paths(&missing, &free).expect("paths")[0], format!("topics/{null}/orders+3+0000000010.parquet"));
    assert!(paths(&ours("{value.x}/").expect("a template"), &rows()).expect_err("a float").contains("Float64"));
}

#[test]
fn files_of_two_topics_in_one_have_two_names() {
    let routed = Batch { topic: "all.".into(), ..rows() };
    let by = |template: &str| paths(&ours(template).expect(template), &routed).expect(template).swap_remove(0);
    assert_eq!(by("{topic}/{partition}-{offset}"), "topics/all%2E/3-10+orders.parquet");
    assert_eq!(by("{topic}/{source.topic}-{partition}-{offset}"), "topics/all%2E/orders-3-10.parquet");
    assert_eq!(by("{topic}/"), "topics/all%2E/orders+3+0000000010.parquet");
    let other = File {
        topic: "t",
        folder: "t/3-{offset}",
        origin: &TopicPartition::new("t", 3),
        first: 5,
        suffix: ".r1",
        extension: ".json",
    };
    assert_eq!(ours("{topic}/{partition}-{offset:02}").expect("good").path(&names(), &other), "topics/t/3-05.r1.json");
}

#[test]
fn what_is_hidden_from_readers_is_encoded() {
    let value =
        fields(vec![column("a", StringArray::from(vec!["_x", ".x", "", "%", "__HIVE_DEFAULT_PARTITION__", "_landfall"]))]);
    let found = paths(&ours("{value.a}/a={value.a}/").expect("good"), &put(value)).expect("paths");
    let folders: Vec<_> = found.iter().map(|path| path.rsplit_once('/').expect("a file").0).collect();
    let word = "%5F%5F%48%49%56%45%5F%44%45%46%41%55%4C%54%5F%50%41%52%54%49%54%49%4F%4E%5F%5F";
    assert_eq!(
        folders,
        [
            "topics/%5Fx/a=_x",
            "topics/%2Ex/a=.x",
            "topics/%/a=%",
            "topics/%25/a=%25",
            &format!("topics/{word}/a={word}"),
            "topics/%5Flandfall/a=_landfall",
        ]
    );
}

#[test]
fn what_could_name_two_files_alike_is_refused() {
    for (template, why) in [
        ("{topic}/{offset}", "it has no {partition}: files of two partitions would have one name"),
        ("{topic}/{partition}", "it has no {offset}: two files of a partition would have one name"),
        ("{partition}{offset}", "two values stand beside each other, and could not be told apart: put a text between them"),
        ("{partition}-{offset}0", "a number comes right before \"0\", and could not be told from it"),
        ("1{partition}-{offset}", "a number comes right after \"1\", and could not be told from it"),
        (
            "{value.a}x{value.b}/{partition}-{offset}",
            "\"x\" comes between two values, and could not be told from them: it must begin with a sign",
        ),
        ("../{partition}-{offset}", "the path \"../x-x\" cannot be used: it leaves its folder"),
        ("/{partition}-{offset}", "the path \"/x-x\" cannot be used: a name in it is empty"),
        ("_landfall/{partition}-{offset}", "_landfall is where unfinished files are"),
        ("a}/{partition}-{offset}", "a brace is for what is put in: {topic}, {value.field}, …"),
        ("{partition", "the brace before \"partition\" is not closed"),
        ("{offset:20}/", "{offset:20} has no number of digits from 01 to 020"),
        ("{value.a..b}/", "{value.a..b} has an empty name"),
        ("{timestamp}/", "{timestamp} needs a format: {timestamp:%Y-%m-%d}"),
        ("{timestamp:%Q}/", "%Q is none of the letters that a time has here: YmdHMSLyjFBbAaIpGVuz%"),
        ("", "the path \"\" cannot be used: a name in it is empty"),
    ] {
        assert_eq!(ours(template).map(drop), Err(why.to_owned()), "{template}");
    }
    assert!(ours("{file}/").expect_err("unknown").starts_with("{file} is none of {topic}, "));
    let several = |text: &str| Template::ours(text, Zone::utc(), Extractor::new(Source::Record, Unit::Millis), true).map(drop);
    let why = "it has no {topic}, and the connector may have several: their files would have one name";
    assert_eq!(several("{partition}-{offset}"), Err(why.to_owned()));
    assert_eq!((several("{topic}/{partition}-{offset}"), several("all/")), (Ok(()), Ok(())));
}

#[test]
fn times_are_in_their_zone_and_have_four_digits_for_the_year() {
    let zone = Zone::joda("Asia/Kolkata").expect("a zone");
    let template = Template::ours(
        "{timestamp:%F %H:%M:%S.%L %y-%j %a %B it's %G}{timestamp:w%V}/",
        zone,
        Extractor::new(Source::Record, Unit::Millis),
        false,
    );
    let template = template.expect("good");
    let path = paths(&template, &rows()).expect("paths").swap_remove(0);
    assert_eq!(path, "topics/2023-11-15 03:43:20.000 23-319 Wed November it's 2023w46/orders+3+0000000010.parquet");
    let field = |time: i64| {
        let value = fields(vec![column("t", arrow_array::Int64Array::from(vec![time]))]);
        let by = Template::ours("{timestamp:%Y}/", Zone::utc(), Extractor::new(Source::Field("t".into()), Unit::Millis), false);
        paths(&by.expect("good"), &put(value))
    };
    assert!(field(253_402_300_799_999).is_ok());
    assert!(field(253_402_300_800_000).expect_err("late").contains("is in the year 10000"));
}

#[test]
fn aivens_templates_are_paths() {
    let aiven = |text: &str| Template::aiven("pre/x-", text, Zone::utc(), Extractor::new(Source::Record, Unit::Millis), true);
    for (text, path) in [
        ("{{topic}}-{{partition}}-{{start_offset}}", "pre/x-orders-3-10"),
        (
            "{{ topic }}/{{timestamp:unit=YYYY}}{{timestamp:unit=MM}}{{ timestamp:unit=dd }}/{{partition:padding=true}}-{{start_offset:padding=true}}",
            "pre/x-orders/20231114/0000000003-00000000000000000010",
        ),
        ("{{topic}}-{{partition:padding=false}}-{{key}}-{{start_offset}}", "pre/x-orders-3-k1-10"),
    ] {
        assert_eq!(paths(&aiven(text).expect(text), &rows()).expect(text)[0], format!("topics/{path}.parquet"));
    }
    let keyed = paths(&aiven("{{topic}}-{{partition}}-{{key}}-{{start_offset}}").expect("good"), &rows());
    assert_eq!(keyed.expect("paths")[1], "topics/pre/x-orders-3-null-11.parquet");
    for (text, why) in [
        (
            "{{topic}}-{{partition}}",
            "unsupported set of template variables, supported sets are: topic,partition,start_offset,timestamp; ",
        ),
        ("{{topic}}-{{foo}}", "unsupported set of template variables, supported sets are: "),
        (
            "{{key}}",
            "a template with {{key}} and without {{start_offset}} has one file for each key, which newer records overwrite",
        ),
        ("{{topic}}-{{key}}-{{partition}}", "a template with {{key}} and without {{start_offset}}"),
        ("{{topic}}-{{partition}}-{{start_offset}}-{{timestamp}}", "parameter unit is required for the the variable timestamp"),
        ("{{topic:padding=true}}{{partition}}", "two"),
        ("{{partition:padding=yes}}", "unsupported set of template variables parameters, supported sets are: partition:padding="),
        ("{{timestamp:unit=mm}}", "unsupported set of template variables parameters"),
        ("{{topic}}{{partition}}{{start_offset}}", "two values stand beside each other"),
        ("{{topic", "the braces before \"topic\" are not closed"),
    ] {
        let found = aiven(text).map(drop).expect_err(text);
        assert!(found.starts_with(why) || why == "two", "{text}: {found}");
    }
}

#[test]
fn lenses_folders_are_those_of_its_statement() {
    fn lenses(by: PartitionBy<'_>, keys: Option<bool>) -> Result<Template, String> {
        Template::lenses(by, keys, Padding { partition: 0, offset: 12 }, "", Zone::utc(), true)
    }
    let of = |by, keys| paths(&lenses(by, keys).expect("good"), &rows()).expect("paths").swap_remove(0);
    assert_eq!(of(PartitionBy::Nothing, None), "topics/orders/3/000000000010.parquet");
    assert_eq!(of(PartitionBy::Nothing, Some(true)), "topics/topic=orders/partition=3/000000000010.parquet");
    assert_eq!(of(PartitionBy::None, None), "topics/orders(3_000000000010).parquet");
    let fields = |specs: &[&str]| specs.iter().map(|spec| (*spec).to_owned()).collect::<Vec<_>>();
    let all = fields(&["_key", "_value.inner.b", "region", "_header.h", "_topic", "_partition", "_date.yyyy-MM-dd"]);
    let name = "orders(3_000000000010).parquet";
    assert_eq!(
        of(PartitionBy::Fields(&all), None),
        format!("topics/key=k1/inner.b=-7/region=eu-west/h=new/topic=orders/partition=3/date=2023-11-14/{name}")
    );
    assert_eq!(of(PartitionBy::Fields(&all[..2]), Some(false)), format!("topics/k1/-7/{name}"));
    let padded = Template::lenses(PartitionBy::None, None, Padding { partition: 4, offset: 0 }, "-eu", Zone::utc(), false);
    assert_eq!(paths(&padded.expect("good"), &rows()).expect("paths")[0], "topics/orders(0003_10)-eu.parquet");
    let missing = paths(&lenses(PartitionBy::Fields(&fields(&["_key"])), None).expect("good"), &rows()).expect("paths");
    assert_eq!(missing[1], "topics/key=[missing]/orders(3_000000000011).parquet");
    for (spec, why) in [
        ("_header", "cannot partition by Header partition field without path"),
        ("_value", "cannot partition by Value partition field without path"),
        ("_date", "cannot partition by Date partition field without format"),
        ("_topic.a", "partitioning by topic requires no path"),
        ("_partition.a", "partitioning by partition requires no path"),
        ("_value.`a/b`", "Name must not be empty and must not contain a slash character"),
        ("_date.`yyyy/MM`", "Name must not be empty and must not contain a slash character"),
        ("_date.YYYY", "the date format \"YYYY\" has a letter, Y, that is none of uyMdDHhkKmsSaE"),
        ("_header.a.b", "_header.a.b: a header's value is text, which has no fields"),
    ] {
        assert_eq!(lenses(PartitionBy::Fields(&fields(&[spec])), None).map(drop), Err(why.to_owned()), "{spec}");
    }
    let quoted = lenses(PartitionBy::Fields(&fields(&["_value.`a.b`.c", "_id"])), None).expect("good");
    assert_eq!(quoted.names[0], [Part::Literal("a.b.c=".into()), Part::Value(vec!["a.b".into(), "c".into()])]);
    assert_eq!(quoted.names[1], [Part::Literal("_id=".into()), Part::Value(vec!["_id".into()])]);
}

/// Values that are likely to be taken for another, or to break out.
const NASTY: &str = "[a_.\\-/%{}25F=\\\\\u{0}\u{e4}]{0,6}";

const TEMPLATES: [&str; 6] = [
    "{topic}/{value.a}/{value.b}/{partition}-{offset}",
    "{topic}/{value.a}-{value.b}-{partition}-{offset:02}",
    "{topic}/{value.a}-{partition}/{value.b}.{offset}",
    "{topic}/{value.a}-{partition}-{value.b}-{offset}",
    "{topic}/a={value.a}/{timestamp:%Y}-{value.b}/",
    "{topic}/{partition}_{value.a}_{offset}_{value.b}",
];

#[test]
fn other_values_and_partitions_have_other_paths() {
    let tokens = ["", "a", "-", "/", "%", "2F", "1", ".", "_"];
    let texts: BTreeSet<String> = tokens.iter().flat_map(|a| tokens.iter().map(move |b| format!("{a}{b}"))).collect();
    let pairs: Vec<(&String, &String)> = texts.iter().flat_map(|a| texts.iter().map(move |b| (a, b))).collect();
    let value = fields(vec![
        column("a", StringArray::from_iter_values(pairs.iter().map(|(a, _)| a))),
        column("b", StringArray::from_iter_values(pairs.iter().map(|(_, b)| b))),
    ]);
    let batch = put(value);
    for text in TEMPLATES {
        let template = ours(text).expect(text);
        let mut known = HashMap::new();
        for partition in [1, 2, 11, 12] {
            let batch = Batch { origin: TopicPartition::new("orders", partition), ..batch.clone() };
            let folders = template.folders(&batch, 0).expect(text);
            assert_eq!(folders.names.len(), pairs.len(), "{text}");
            for (folder, (a, b)) in folders.names.iter().zip(&pairs) {
                // the usual name of the file has the partition
                let other = known.insert((folder.clone(), if text.ends_with('/') { partition } else { 0 }), (a, b, partition));
                assert_eq!(other, None, "{folder} is also of {a:?}, {b:?} in partition {partition}");
            }
        }
    }
}

proptest! {
    #[test]
    fn no_value_leaves_its_folder(
        a in prop::option::of(NASTY),
        b in prop::option::of(".{0,12}"),
        template in prop::sample::select(&TEMPLATES[..]),
    ) {
        let value = fields(vec![
            column("a", StringArray::from(vec![a.as_deref()])),
            column("b", StringArray::from(vec![b.as_deref()])),
        ]);
        let path = paths(&ours(template).expect("good"), &put(value)).expect("paths").swap_remove(0);
        prop_assert!(checked_path(&path).is_ok(), "{}", path);
        prop_assert!(path.starts_with("topics/orders/"), "{}", path);
        let names = template.trim_end_matches('/').split('/').count() + 1 + usize::from(template.ends_with('/'));
        prop_assert_eq!(path.split('/').count(), names, "{}", path);
    }

    /// A template is refused, or no value takes it out of the folder of all topics.
    #[test]
    fn no_template_leaves_the_folder_of_topics(
        text in r"([a./\\_-]|\{(topic|partition|offset|value\.a|key|header\.h|yyyy|x)(:[0-9a-z]{0,2})?\}?){0,8}|\PC{0,16}",
        a in prop::option::of(NASTY),
    ) {
        let Ok(template) = ours(&text) else { return Ok(()) };
        let value = fields(vec![column("a", StringArray::from(vec![a.as_deref()]))]);
        let Ok(mut paths) = paths(&template, &put(value)) else { return Ok(()) };
        let path = paths.swap_remove(0);
        if crate::storage::visible_path(&path).is_ok() {
            prop_assert!(std::path::Path::new("/store").join(&path).starts_with("/store/topics"), "{}: {}", text, path);
        }
    }
}
