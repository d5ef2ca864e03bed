import io.confluent.connect.storage.partitioner.FieldPartitioner;
import io.confluent.connect.storage.partitioner.TimeBasedPartitioner;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Date;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Random;
import java.util.TimeZone;
import org.apache.kafka.common.record.TimestampType;
import org.apache.kafka.connect.data.Schema;
import org.apache.kafka.connect.data.SchemaBuilder;
import org.apache.kafka.connect.data.Struct;
import org.apache.kafka.connect.data.Timestamp;
import org.apache.kafka.connect.sink.SinkRecord;
import org.joda.time.DateTimeZone;
import org.joda.time.format.DateTimeFormat;
import org.joda.time.format.ISODateTimeFormat;

/**
 * Writes what Joda-Time and Confluent's partitioners make of times, zones and values: tables in the folder that is given.
 *
 * <p>{@code java -cp … PartitionerHarness.java tests/data/partitioners}. The README there says what is in them and what the class path
 * needs. Time zone and locale of the process are UTC and US.
 */
public class PartitionerHarness {
    static final List<String> ZONES = List.of("UTC", "Europe/Berlin", "America/New_York", "America/Sao_Paulo", "Asia/Kolkata",
            "Australia/Lord_Howe", "Africa/Monrovia", "Pacific/Apia", "-05:30", "+01:02:03");
    static final List<Long> INSTANTS = List.of(0L, 1L, -1L, 999L, 951_782_400_000L, 1_700_000_000_123L, 1_704_067_199_999L,
            1_704_067_200_000L, 1_711_846_800_000L, 1_729_990_800_000L, -2_208_988_800_000L, -62_135_596_800_000L, -62_167_219_200_000L,
            -70_000_000_000_000L, 253_402_300_800_000L, 1_700_000_000_123_000L);

    public static void main(String[] folder) throws Exception {
        TimeZone.setDefault(TimeZone.getTimeZone("UTC"));
        DateTimeZone.setDefault(DateTimeZone.UTC);
        Locale.setDefault(Locale.US);
        Path out = Path.of(folder[0]);
        write(out.resolve("patterns.tsv"), patterns());
        write(out.resolve("zones.tsv"), zones());
        write(out.resolve("iso.tsv"), iso());
        write(out.resolve("time_based.tsv"), timeBased());
        write(out.resolve("field.tsv"), field());
        if (folder.length > 1) {
            write(Path.of(folder[1]), aliases());
        }
    }

    static void write(Path file, List<String> lines) throws IOException {
        Files.writeString(file, String.join("\n", lines) + "\n");
    }

    static String error(Throwable error) {
        return "!" + error.getClass().getName() + ": " + error.getMessage();
    }

    /** Language, zone, pattern, millis, text. */
    static List<String> patterns() {
        List<String> lines = new ArrayList<>();
        List<String> patterns = new ArrayList<>(List.of("'year'=YYYY/'month'=MM/'day'=dd/'hour'=HH", "yyyy-MM-dd'T'HH:mm:ss.SSSZZ",
                "''yy''", "'it''s' M", "%d _(1)", "MMM", "MMMM", "EEE", "EEEE", "G a", "Z|ZZ|ZZZ", "S|SS|SSSS|SSSSSSSSSSSSSSSS"));
        for (char letter : "CxwyYedDMHhKkmsE".toCharArray()) {
            String one = String.valueOf(letter);
            patterns.add(one + "|" + one.repeat(2) + "|" + (letter == 'M' ? "" : one.repeat(3)));
        }
        for (String zone : List.of("UTC", "Europe/Berlin", "America/New_York", "+01:02:03")) {
            for (String pattern : patterns) {
                for (Long millis : INSTANTS) {
                    String text = DateTimeFormat.forPattern(pattern).withZone(DateTimeZone.forID(zone)).withLocale(new Locale("en"))
                            .print(millis);
                    lines.add(String.join("\t", "en", zone, pattern, millis.toString(), text));
                }
            }
        }
        for (String language : List.of("en-US", "de-DE", "EN", "", "english", "de")) {
            String pattern = language.equals("de") ? "YYYY-MM-dd" : "G|MMM|MMMM|EEE|EEEE|a";
            for (Long millis : INSTANTS) {
                String text = DateTimeFormat.forPattern(pattern).withZone(DateTimeZone.UTC).withLocale(new Locale(language)).print(millis);
                lines.add(String.join("\t", language, "UTC", pattern, millis.toString(), text));
            }
        }
        for (String pattern : List.of("", "T", "yyyy-b", "X", "QQ", "'a")) {
            String text;
            try {
                text = DateTimeFormat.forPattern(pattern).withZone(DateTimeZone.UTC).print(0);
            } catch (IllegalArgumentException e) {
                text = "!" + e.getMessage();
            }
            lines.add(String.join("\t", "en", "UTC", pattern, "0", text));
        }
        return lines;
    }

    /** The zone that is asked for, the id that it has, and its offsets in seconds at some times; or an error. */
    static List<String> zones() {
        List<String> lines = new ArrayList<>();
        List<Long> at = new ArrayList<>();
        for (int year = 1970; year < 2040; year += 6) {
            at.add(new org.joda.time.DateTime(year, 1, 15, 12, 0, DateTimeZone.UTC).getMillis());
            at.add(new org.joda.time.DateTime(year + 1, 7, 15, 12, 0, DateTimeZone.UTC).getMillis());
        }
        at.add(new org.joda.time.DateTime(12345, 7, 15, 12, 0, DateTimeZone.UTC).getMillis());
        StringBuilder head = new StringBuilder("\t");
        at.forEach(millis -> head.append('\t').append(millis));
        lines.add(head.toString());
        List<String> ids = new ArrayList<>(DateTimeZone.getAvailableIDs());
        ids.addAll(List.of("+02:00", "-05:30", "+0200", "+02", "-023015", "+01:02:03.4", "UTC+3", "UTC+03", "GMT-03:30", "UT+01:00", "Z", "UT",
                "utc", "europe/berlin", "+2", "+24:00", "+02:60", "PST", "IST", "Nowhere/City", "", "+", "+0000"));
        for (String id : ids) {
            try {
                DateTimeZone zone = DateTimeZone.forID(id);
                StringBuilder line = new StringBuilder(id + "\t" + zone.getID());
                at.forEach(millis -> line.append('\t').append(zone.getOffset(millis) / 1000.0));
                lines.add(line.toString().replace(".0\t", "\t").replaceAll("\\.0$", ""));
            } catch (IllegalArgumentException e) {
                lines.add(id + "\t!" + e.getMessage());
            }
        }
        return lines;
    }

    /** The zones whose ids Joda prints otherwise. */
    static List<String> aliases() {
        List<String> lines = new ArrayList<>();
        for (String id : DateTimeZone.getAvailableIDs()) {
            String printed = DateTimeZone.forID(id).getID();
            if (!printed.equals(id)) {
                lines.add(id + "\t" + printed);
            }
        }
        return lines;
    }

    /** Text, and the milliseconds that it says or "-". */
    static List<String> iso() {
        List<String> texts = new ArrayList<>(List.of("2024", "2024-02", "2024-02-29", "2023-02-29", "2024-060", "2024-366", "2023-366",
                "2024-W01", "2024-W09-4", "2024-W53", "2020-W53-7", "2024-W00", "2024-W1", "2024-W09-8", "2024-02-29T", "2024-02-29T12",
                "2024-02-29T12:30", "2024-02-29T12:30:45", "2024-02-29T12:30:45.1", "2024-02-29T12:30:45.123456789012",
                "2024-02-29T12:30:45,123", "2024-02-29T12:30.5", "2024-02-29T12.25", "2024-02-29T12,25Z", "2024-02-29T12:30:45Z",
                "2024-02-29T12:30:45+02:00", "2024-02-29T12:30:45-0530", "2024-02-29T12:30:45+02", "2024-02-29T12:30:45+02:00:15",
                "2024-02-29T12:30:45+02:00:15.5", "2024-02-29T24:00", "2024-02-29T12:60", "2024-02-29T12:30:60", "2024-02-29T12:30:45z",
                "2024-02-29 12:30:45", "2024-02-29T12:30:45 ", "2024-02-29TZ", "2024-02-29T+01:00", "2024-02-29Z", "2024-2-9", "2024-13",
                "2024-00", "24", "-0001", "-0001-01-01", "0000-01-01", "+2024", "+12345-06-07", "12345-06-07", "123456789", "1234567890", "T12",
                "T12:30:45.5Z", "T12Z", "T", "T24", "T12:30+01:00", "12:30", "12", "", " ", "abc", "2024-02-29T12:30:45.", "2024-02-29T12:",
                "2024-02-29Tabc", "2024-02-", "2024-", "20240229", "2024-02-29T12:30:45+2", "2024-02-29T12:30:45+", "2024-02-29T1:2:3",
                "2024-02-29T12:3", "2024-1-1T1", "2024-01-1", "2024-0010", "2024-10-100", "2024-1", "2024-100-1", "2024-W091", "2024-W09-",
                "2024-02-29T12:30:45.123Z[UTC]", "2024-02-29T12:30:45+24:00", "2024-02-29T12:30:45+02:60", "2024-02-30T00:00:00Z",
                "1582-10-10", "1500-02-29", "9999-12-31T23:59:59.999Z", "292278993-12-31T23:59:59.999Z", "292278994-08-17",
                "-292275054-01-01", "999999999", "\u0662\u0660\u0662\u0664", "2024-02-29T12:30:45\u221201:00", "0", "-", "--", "2024--01",
                "2024-02-29t12:30", "2024-02-29T12:30:45.123+01", "2024-02-29T12:30:45.0000001Z", "2024-02-29T23:59:59.9999999Z"));
        List<String> lines = new ArrayList<>();
        int base = texts.size();
        Random random = new Random(7);
        String letters = "0123456789-:T.,Z+W";
        for (int n = 0; n < 3000; n++) {
            StringBuilder text = new StringBuilder(texts.get(random.nextInt(base)));
            for (int times = random.nextInt(2); times >= 0 && text.length() > 0; times--) {
                int place = random.nextInt(text.length());
                switch (random.nextInt(3)) {
                    case 0 -> text.deleteCharAt(place);
                    case 1 -> text.insert(place, letters.charAt(random.nextInt(letters.length())));
                    default -> text.setCharAt(place, letters.charAt(random.nextInt(letters.length())));
                }
            }
            if (n % 3 == 0) {
                texts.add(text.toString());
            }
        }
        for (String text : texts) {
            String millis;
            try {
                millis = Long.toString(ISODateTimeFormat.dateTimeParser().parseMillis(text));
            } catch (IllegalArgumentException | ArithmeticException e) {
                millis = "-";
            }
            lines.add(text + "\t" + millis);
        }
        return lines;
    }

    /** Zone, milliseconds of a folder, pattern, milliseconds of the record, folder. */
    static List<String> timeBased() {
        List<String> lines = new ArrayList<>();
        long hour = 3_600_000;
        Random random = new Random(7);
        for (String zone : ZONES) {
            List<Long> times = new ArrayList<>(List.of(-1L, 0L, -hour, 1_700_000_000_000L, 1_700_000_000_000_000L));
            DateTimeZone rules = DateTimeZone.forID(zone);
            long transition = 1_500_000_000_000L;
            for (int n = 0; n < 4 && rules.nextTransition(transition) != transition; n++) {
                transition = rules.nextTransition(transition);
                for (long step : new long[] {-2 * hour, -hour, -hour / 2, -1, 0, hour / 2, hour, 2 * hour}) {
                    times.add(transition + step);
                }
            }
            for (int n = 0; n < 10; n++) {
                times.add((random.nextLong() % 4_000_000_000_000L));
            }
            for (long duration : new long[] {60_000, 900_000, hour, 7 * hour, 24 * hour, 7 * 24 * hour}) {
                String pattern = duration < hour ? "YYYY-MM-dd/HH-mm" : duration < 24 * hour ? "'y'=yyyy/'d'=DDD/'h'=HH/" : "xxxx-'W'ww-e/HH";
                Map<String, Object> config = new HashMap<>(Map.of("directory.delim", "/", "partition.duration.ms", duration, "path.format",
                        pattern, "locale", "en", "timezone", zone, "timestamp.extractor", "Record"));
                TimeBasedPartitioner<Object> partitioner = new TimeBasedPartitioner<>();
                partitioner.configure(config);
                for (long time : times) {
                    SinkRecord record = new SinkRecord("t", 0, null, null, null, null, 0, time, TimestampType.CREATE_TIME);
                    // a record has no time before 1970
                    String folder = time < 0 ? null : partitioner.encodePartition(record, 0);
                    if (folder != null) {
                        lines.add(String.join("\t", zone, Long.toString(duration), pattern, Long.toString(time), folder));
                    }
                }
                Map<String, Object> wallclock = new HashMap<>(config);
                wallclock.put("timestamp.extractor", "Wallclock");
                partitioner.configure(wallclock);
                for (long time : times) {
                    if (time < 0) {
                        SinkRecord record = new SinkRecord("t", 0, null, null, null, null, 0);
                        String folder = partitioner.encodePartition(record, time);
                        lines.add(String.join("\t", zone, Long.toString(duration), pattern, Long.toString(time), folder));
                    }
                }
            }
        }
        return lines;
    }

    /** The type of a field and its value as text, the folder that FieldPartitioner makes, and the time that RecordField takes. */
    static List<String> field() {
        List<String> lines = new ArrayList<>();
        List<Object[]> cases = new ArrayList<>();
        cases.add(new Object[] {"int8", Schema.OPTIONAL_INT8_SCHEMA, (byte) -7});
        cases.add(new Object[] {"int16", Schema.OPTIONAL_INT16_SCHEMA, (short) 300});
        cases.add(new Object[] {"int32", Schema.OPTIONAL_INT32_SCHEMA, Integer.MIN_VALUE});
        cases.add(new Object[] {"int64", Schema.OPTIONAL_INT64_SCHEMA, Long.MAX_VALUE});
        cases.add(new Object[] {"int64", Schema.OPTIONAL_INT64_SCHEMA, null});
        cases.add(new Object[] {"boolean", Schema.OPTIONAL_BOOLEAN_SCHEMA, true});
        cases.add(new Object[] {"float64", Schema.OPTIONAL_FLOAT64_SCHEMA, 1.5});
        cases.add(new Object[] {"bytes", Schema.OPTIONAL_BYTES_SCHEMA, new byte[] {65}});
        cases.add(new Object[] {"timestamp", Timestamp.builder().optional().build(), new Date(1_700_000_000_123L)});
        cases.add(new Object[] {"timestamp", Timestamp.builder().optional().build(), null});
        for (String text : Arrays.asList("", "plain", "a b+c=d", "100%", "ü", "null", "1700000000123", "-5", "9223372036854775808",
                "0000000000000000001", "00000000000000000001", "2024-02-29T12:30:45+02:00", "2024", "soon", "+5", null)) {
            cases.add(new Object[] {"string", Schema.OPTIONAL_STRING_SCHEMA, text});
        }
        for (Object[] each : cases) {
            Schema schema = SchemaBuilder.struct().field("f", (Schema) each[1]).build();
            Struct value = new Struct(schema).put("f", each[2]);
            SinkRecord record = new SinkRecord("t", 0, null, null, schema, value, 0);
            FieldPartitioner<Object> byField = new FieldPartitioner<>();
            byField.configure(new HashMap<>(Map.of("directory.delim", "/", "partition.field.name", List.of("f"))));
            String folder;
            try {
                folder = byField.encodePartition(record);
            } catch (RuntimeException e) {
                folder = error(e);
            }
            TimeBasedPartitioner<Object> byTime = new TimeBasedPartitioner<>();
            byTime.configure(new HashMap<>(Map.of("directory.delim", "/", "partition.duration.ms", 1L, "path.format", "yyyy", "locale", "en",
                    "timezone", "UTC", "timestamp.extractor", "RecordField", "timestamp.field", "f")));
            String time;
            try {
                time = Long.toString(byTime.getTimestampExtractor().extract(record));
            } catch (RuntimeException e) {
                time = error(e);
            }
            Object shown = each[2] instanceof Date date ? date.getTime() : each[2] instanceof byte[] ? "A" : each[2];
            lines.add(each[0] + "\t" + (shown == null ? "\\N" : shown) + "\t" + folder + "\t" + time);
        }
        return lines;
    }
}
