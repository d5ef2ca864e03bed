//! The keys of formats: those of Confluent's object store sinks, and `landfall.parquet.*`.

use landfall_api::{Faults, Key, Properties, Value as _, Width, config};

use super::parquet::Statistics;
use super::{Compression, Format, avro, bytes, json, parquet};
use crate::config::no_effect;

const LEVEL: &str = "landfall.parquet.compression.level";
const FPP: &str = "landfall.parquet.bloom.filter.fpp";
const SEPARATOR: &str = "format.bytearray.separator";
const COLUMNS: &str = "landfall.columns";

config! {
    /// What the keys of formats say.
    pub struct FormatKeys {
        /// The codec that Parquet pages are compressed with: none or uncompressed, snappy, gzip, zstd, lz4, lz4_raw or brotli. No effect in
        /// other formats.
        parquet_codec: String = "parquet.codec" { default: Some("snappy"), importance: Low, group: "Connector", width: Width::Long, display: "Parquet Compression Codec", valid: By(|name| parquet::Codec::named(name.trim()).map(drop)), dependents: &[LEVEL] };
        /// The level of the Parquet compression codec: 0 to 9 for gzip, 1 to 22 for zstd, 0 to 11 for brotli; the others have none. If it is
        /// not given: 6 for gzip, 1 for zstd and brotli.
        parquet_level: Option<i32> = "landfall.parquet.compression.level" { importance: Low, group: "Connector", width: Width::Short, display: "Parquet Compression Level" };
        /// The encoded bytes that end a row group of a Parquet file, about: what the writer still fills counts before compression. Row
        /// groups are smaller where many files are open, so that all stay inside half of the worker's memory, and end at four times as
        /// many bytes of rows.
        row_group_bytes: i32 = "landfall.parquet.row.group.bytes" { default: Some("33554432"), importance: Low, group: "Connector", width: Width::Medium, display: "Parquet Row Group (bytes)", valid: AtLeast(65536) };
        /// The rows that end a row group of a Parquet file; -1 for any number.
        row_group_rows: i32 = "landfall.parquet.row.group.rows" { default: Some("-1"), importance: Low, group: "Connector", width: Width::Medium, display: "Parquet Row Group (rows)", valid: By(off_or_positive) };
        /// The encoded bytes of a page of a Parquet file, about; a page also ends at 20,000 rows.
        page_bytes: i32 = "landfall.parquet.page.bytes" { default: Some("1048576"), importance: Low, group: "Connector", width: Width::Medium, display: "Parquet Page (bytes)", valid: AtLeast(1024) };
        /// Where Parquet files say the least value, the greatest and the number of nulls: none, for each column of a row group (chunk), or
        /// also for each page (page), which is the page index. Of the index, a writer holds some hundred bytes for each page until the
        /// file ends.
        statistics: String = "landfall.parquet.statistics" { default: Some("page"), importance: Low, group: "Connector", width: Width::Short, display: "Parquet Statistics", valid: OneOf(&["none", "chunk", "page"]) };
        /// Whether whole numbers, times and dates of Parquet files that are not worth a dictionary are written as differences
        /// (DELTA_BINARY_PACKED): ids and times take a fraction of the bytes, and less time to write. Spark before 3.3, Impala and what
        /// is made of them do not read it.
        delta_integers: bool = "landfall.parquet.delta.integers" { default: Some("false"), importance: Low, group: "Connector", width: Width::Short, display: "Parquet Integers as Differences" };
        /// The columns of Parquet files that have a bloom filter, by which readers skip row groups that do not have a value: names with
        /// points between them for a field of a struct, as in a file's schema (an item of a list is at `list.item` below it). A column
        /// that a schema does not have is left out. Until a row group ends, a filter takes 1 MiB of memory a column, up to 4 MiB for one
        /// false positive in 10,000, and less with few `landfall.parquet.row.group.rows`.
        bloom_columns: Vec<String> = "landfall.parquet.bloom.filter.columns" { default: Some(""), importance: Low, group: "Connector", width: Width::Long, display: "Parquet Bloom Filter Columns", dependents: &[FPP] };
        /// How often a bloom filter may say that a value could be there that is not: more than 0 and less than 1.
        bloom_fpp: f64 = "landfall.parquet.bloom.filter.fpp" { default: Some("0.05"), importance: Low, group: "Connector", width: Width::Short, display: "Parquet Bloom Filter False Positives", valid: By(probability) };
        /// The compression of files of JSON and of raw bytes: none or gzip. No effect in other formats.
        compression: String = "az.compression.type" { default: Some("none"), importance: Low, group: "Connector", width: Width::Long, display: "Compression Type", valid: By(|name| Compression::confluent(name.trim()).map(drop)) };
        /// The codec that the blocks of Avro files are compressed with: null, deflate, snappy, bzip2 or zstandard. No effect in other formats.
        avro_codec: String = "avro.codec" { default: Some("null"), importance: Low, group: "Connector", width: Width::Long, display: "Avro Compression Codec", valid: By(|name| avro::Codec::named(name.trim()).map(drop)) };
        /// Whether text that is one of an enum's symbols by its Connect schema is an enum in Avro files, and not a string.
        enhanced: bool = "enhanced.avro.schema.support" { default: Some("true"), importance: Low, group: "Schema", width: Width::Short, display: "Enhanced Avro Support" };
        /// Whether the schema of Avro files says what Connect's does besides: names, versions, documentation, parameters and defaults.
        meta_data: bool = "connect.meta.data" { default: Some("true"), importance: Low, group: "Schema", width: Width::Short, display: "Connect Metadata" };
        /// Whether maps whose keys are text that may be null are maps in Avro files, and not lists of entries.
        optional_keys: bool = "allow.optional.map.keys" { default: Some("false"), importance: Low, group: "Schema", width: Width::Short, display: "Allow Optional Map Keys", effect: Nothing("a key of a map is never null here, so that text keys make a map in any case") };
        /// The number of schemas that Java's Avro converter keeps.
        schemas_cache: i32 = "schemas.cache.config" { default: Some("1000"), importance: Low, group: "Schema", width: Width::Short, display: "Schema Cache Size", effect: Nothing("a file's schema is made once, when it begins") };
        /// How the names of files of raw bytes end, before what a compression adds.
        extension: String = "format.bytearray.extension" { default: Some(".bin"), importance: Low, group: "Connector", width: Width::Long, display: "Output file extension for ByteArrayFormat", valid: By(file_extension) };
        /// What stands behind each record in files of raw bytes. `\n`, `\r`, `\t`, `\\` and `\u` with four digits are the characters that
        /// they are in Java; white space counts. A line end if it is not given.
        separator: Option<String> = "format.bytearray.separator" { importance: Low, group: "Connector", width: Width::Long, display: "Line separator for ByteArrayFormat", valid: By(|text| unescaped(text).map(drop)) };
    }
}

/// The formats that only the keys with a name that begins so have an effect in.
const OF: &[(&str, &[&str])] = &[
    ("parquet.", &["Parquet"]),
    ("landfall.parquet.", &["Parquet"]),
    ("avro.", &["Avro"]),
    ("enhanced.avro.", &["Avro"]),
    ("connect.meta.data", &["Avro"]),
    ("format.bytearray.", &["ByteArray"]),
    ("az.compression.type", &["Json", "ByteArray"]),
];

impl FormatKeys {
    /// Reads the keys as `declared` changes them.
    pub fn read(declared: fn(Key) -> Key, properties: &Properties, faults: &mut Faults) -> Option<Self> {
        let keys = Self::parse_as(declared, properties, faults)?;
        if let Some(level) = keys.parquet_level
            && let Err(why) = keys.codec()
        {
            faults.push(LEVEL, format!("Invalid value {level} for configuration {LEVEL}: {why}"));
        }
        Some(Self { separator: properties.get(SEPARATOR).cloned(), ..keys })
    }

    fn codec(&self) -> Result<parquet::Codec, String> {
        let codec = parquet::Codec::named(&self.parquet_codec)?;
        self.parquet_level.map_or(Ok(codec), |level| codec.at(level))
    }

    /// Parquet as the keys say.
    ///
    /// # Errors
    /// A name is not known; reading the keys would have refused it.
    pub fn parquet(&self) -> Result<Format, String> {
        Ok(Format::Parquet(parquet::Options {
            codec: self.codec()?,
            row_group_bytes: usize::try_from(self.row_group_bytes).unwrap_or_default(),
            row_group_rows: usize::try_from(self.row_group_rows).ok(),
            page_bytes: usize::try_from(self.page_bytes).unwrap_or_default(),
            statistics: Statistics::named(&self.statistics)?,
            delta_integers: self.delta_integers,
            bloom_columns: self.bloom_columns.clone(),
            bloom_fpp: self.bloom_fpp,
        }))
    }

    /// JSON lines as the keys say.
    ///
    /// # Errors
    /// A name is not known; reading the keys would have refused it.
    pub fn json(&self) -> Result<Format, String> {
        Ok(Format::Json(json::Options::from(Compression::confluent(&self.compression)?)))
    }

    /// Avro as the keys say.
    ///
    /// # Errors
    /// A name is not known; reading the keys would have refused it.
    pub fn avro(&self) -> Result<Format, String> {
        let codec = avro::Codec::named(&self.avro_codec)?;
        let (enhanced, meta_data) = (self.enhanced, self.meta_data);
        Ok(Format::Avro(avro::Options { codec, enhanced, meta_data, compression: Compression::None }))
    }

    /// Raw bytes as the keys say.
    ///
    /// # Errors
    /// A name is not known; reading the keys would have refused it.
    pub fn bytes(&self) -> Result<Format, String> {
        let separator = self.separator.as_deref().map_or(Ok("\n".to_owned()), unescaped)?.into_bytes();
        let (extension, compression) = (self.extension.clone(), Compression::confluent(&self.compression)?);
        Ok(Format::Bytes(bytes::Options { extension, separator, compression, text: false }))
    }

    /// Warnings about keys that are set and have no effect in the format that `format.class` names, Parquet if it names none.
    pub fn warnings(properties: &Properties) -> Vec<String> {
        let class = properties.get("format.class").map_or("", |class| class.trim());
        let simple = class.rsplit('.').next().and_then(|name| name.strip_suffix("Format")).unwrap_or("Parquet");
        let idle = |key: &&Key| {
            OF.iter().any(|(begin, formats)| key.name.starts_with(begin) && !formats.contains(&simple))
                || matches!(key.effect, landfall_api::Effect::Nothing(_))
        };
        let idle: Vec<Key> = Self::KEYS.iter().filter(idle).copied().collect();
        no_effect(&idle, properties).collect()
    }
}

/// Refuses columns that files of `format` have no place for.
pub fn check_columns(format: &Format, properties: &Properties, faults: &mut Faults) {
    let asked = properties.get(COLUMNS).is_some_and(|columns| !Vec::<String>::parse(columns).is_ok_and(|all| all.is_empty()));
    if asked && !format.has_columns() {
        faults.push(COLUMNS, format!("{COLUMNS} cannot be given: files of this format hold nothing but the values"));
    }
}

fn off_or_positive(number: &str) -> Result<(), String> {
    match number.trim().parse::<i32>() {
        Ok(n) if n == -1 || n > 0 => Ok(()),
        _ => Err("Value must be at least 1, or -1 for none".into()),
    }
}

fn probability(number: &str) -> Result<(), String> {
    match number.trim().parse::<f64>() {
        Ok(n) if n > 0.0 && n < 1.0 => Ok(()),
        _ => Err("Value must be more than 0 and less than 1".into()),
    }
}

fn file_extension(text: &str) -> Result<(), String> {
    match text.contains(|c: char| c.is_control() || c == '/' || c == '\\') {
        true => Err("it must not have a slash, a backslash or a control character".into()),
        false => Ok(()),
    }
}

/// `text` with its escapes as the characters that they mean.
fn unescaped(text: &str) -> Result<String, String> {
    let mut plain = String::new();
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once('\\') {
        plain.push_str(before);
        let mut chars = behind.chars();
        let escaped = match chars.next() {
            Some('n') => '\n',
            Some('r') => '\r',
            Some('t') => '\t',
            Some('\\') => '\\',
            Some('u') => {
                let digits = behind.get(1..5).and_then(|digits| u32::from_str_radix(digits, 16).ok());
                chars = behind.get(5..).unwrap_or_default().chars();
                digits.and_then(char::from_u32).ok_or("\\u is followed by the four hexadecimal digits of a character")?
            }
            _ => return Err("a backslash is followed by n, r, t, u or another backslash".into()),
        };
        plain.push(escaped);
        rest = chars.as_str();
    }
    plain.push_str(rest);
    Ok(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(pairs: &[(&str, &str)]) -> Properties {
        pairs.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect()
    }

    fn read(pairs: &[(&str, &str)]) -> (Option<FormatKeys>, Vec<String>) {
        let mut faults = Faults::default();
        let keys = FormatKeys::read(std::convert::identity, &given(pairs), &mut faults);
        (keys, faults.0.into_iter().map(|fault| fault.message).collect())
    }

    #[test]
    fn defaults_are_confluents() {
        let keys = read(&[]).0.expect("good");
        let snappy = parquet::Codec::named("snappy").expect("a codec");
        assert_eq!(keys.parquet(), Ok(Format::Parquet(snappy.into())));
        assert_eq!(keys.json(), Ok(Format::Json(json::Options::default())));
        assert_eq!(keys.avro(), Ok(Format::Avro(avro::Options::default())));
        assert_eq!(keys.bytes(), Ok(Format::Bytes(bytes::Options::default())));
        let ends: Vec<_> = [keys.parquet(), keys.json(), keys.avro(), keys.bytes()].map(|f| f.expect("good").extension()).into();
        assert_eq!(ends, [".snappy.parquet", ".json", ".avro", ".bin"]);
    }

    #[test]
    fn what_is_given_is_in_the_format() {
        let set = [
            ("parquet.codec", "ZSTD"),
            ("landfall.parquet.compression.level", "9"),
            ("landfall.parquet.row.group.bytes", "65536"),
            ("landfall.parquet.row.group.rows", "1000"),
            ("landfall.parquet.page.bytes", "4096"),
            ("landfall.parquet.statistics", "chunk"),
            ("landfall.parquet.delta.integers", "true"),
            ("landfall.parquet.bloom.filter.columns", "id, a.b"),
            ("landfall.parquet.bloom.filter.fpp", "0.01"),
            ("az.compression.type", "GZIP"),
            ("avro.codec", "snappy"),
            ("enhanced.avro.schema.support", "false"),
            ("connect.meta.data", "false"),
            ("format.bytearray.extension", ".raw"),
            ("format.bytearray.separator", " \\n\\u0041\\\\"),
        ];
        let keys = read(&set).0.expect("good");
        let parquet = parquet::Options {
            codec: parquet::Codec::named("zstd").and_then(|codec| codec.at(9)).expect("a codec"),
            row_group_bytes: 65536,
            row_group_rows: Some(1000),
            page_bytes: 4096,
            statistics: Statistics::Chunk,
            delta_integers: true,
            bloom_columns: vec!["id".into(), "a.b".into()],
            bloom_fpp: 0.01,
        };
        assert_eq!(keys.parquet(), Ok(Format::Parquet(parquet)));
        assert_eq!(keys.json(), Ok(Format::Json(Compression::Gzip.into())));
        let compression = Compression::None;
        let avro = avro::Options { codec: avro::Codec::Snappy, enhanced: false, meta_data: false, compression };
        assert_eq!(keys.avro(), Ok(Format::Avro(avro)));
        let (separator, compression) = (b" \nA\\".to_vec(), Compression::Gzip);
        let bytes = Format::Bytes(bytes::Options { extension: ".raw".into(), separator, compression, text: false });
        assert_eq!(bytes.extension(), ".raw.gz");
        assert_eq!(keys.bytes(), Ok(bytes));
        let warned = |format: &str| FormatKeys::warnings(&given(&[&set[..], &[("format.class", format)]].concat())).len();
        let warned = ["x.ParquetFormat", "x.JsonFormat", "x.AvroFormat", "x.ByteArrayFormat"].map(warned);
        assert_eq!(warned, [6, 14, 12, 12]);
        assert_eq!(FormatKeys::warnings(&given(&[("schemas.cache.config", "1")])).len(), 1);
    }

    #[test]
    fn bad_values_are_explained() {
        for (key, value, why) in [
            ("parquet.codec", "lzo", "lzo is not supported, and few readers have it: take snappy, zstd or lz4_raw"),
            ("landfall.parquet.compression.level", "1", "only gzip, zstd and brotli have levels"),
            ("landfall.parquet.row.group.bytes", "1", "Value must be at least 65536"),
            ("landfall.parquet.row.group.rows", "0", "Value must be at least 1, or -1 for none"),
            ("landfall.parquet.page.bytes", "1023", "Value must be at least 1024"),
            ("landfall.parquet.statistics", "all", "String must be one of: none, chunk, page"),
            ("landfall.parquet.bloom.filter.fpp", "1", "Value must be more than 0 and less than 1"),
            ("az.compression.type", "lz4", "String must be one of: none, gzip"),
            ("avro.codec", "lz4", "String must be one of: null, deflate, snappy, bzip2, zstandard"),
            ("format.bytearray.extension", "/x", "it must not have a slash, a backslash or a control character"),
            ("format.bytearray.separator", "\\x", "a backslash is followed by n, r, t, u or another backslash"),
        ] {
            assert_eq!(read(&[(key, value)]).1, [format!("Invalid value {value} for configuration {key}: {why}")]);
        }
    }

    #[test]
    fn raw_bytes_have_no_place_for_columns() {
        let check = |format: &Format, columns: &str| {
            let mut faults = Faults::default();
            check_columns(format, &given(&[(COLUMNS, columns)]), &mut faults);
            faults.0.len()
        };
        let (bytes, json) = (Format::Bytes(bytes::Options::default()), Format::Json(json::Options::default()));
        assert_eq!([check(&bytes, "__key"), check(&bytes, " "), check(&json, "__key")], [1, 0, 0]);
    }
}
