import com.fasterxml.jackson.core.type.TypeReference;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TimeZone;
import java.util.TreeMap;
import org.apache.kafka.common.config.ConfigException;
import org.apache.kafka.common.record.TimestampType;
import org.apache.kafka.connect.data.Schema;
import org.apache.kafka.connect.data.SchemaAndValue;
import org.apache.kafka.connect.data.Struct;
import org.apache.kafka.connect.header.ConnectHeaders;
import org.apache.kafka.connect.header.Header;
import org.apache.kafka.connect.header.Headers;
import org.apache.kafka.connect.json.JsonConverter;
import org.apache.kafka.connect.sink.SinkRecord;
import org.apache.kafka.connect.storage.SimpleHeaderConverter;
import org.apache.kafka.connect.transforms.Transformation;
import org.apache.kafka.connect.transforms.predicates.Predicate;

/**
 * Runs the records of case files through Java's transforms and writes what becomes of them into the same files, as "expected".
 *
 * <p>{@code java -cp 'jars/*' TransformHarness.java FILE…}. The README beside the files says what is in them. Time zone and locale
 * are UTC and US.
 */
public class TransformHarness {
    static final ObjectMapper JSON = JsonMapper.builder()
            .enable(DeserializationFeature.USE_BIG_DECIMAL_FOR_FLOATS)
            .nodeFactory(JsonNodeFactory.withExactBigDecimals(true))
            .build();
    /** Keeps numbers with a fraction apart from whole ones. */
    static final ObjectMapper PLAIN = new ObjectMapper();
    static final int WIDTH = 140;

    static final JsonConverter KEYS = converter(true);
    static final JsonConverter VALUES = converter(false);
    static final SimpleHeaderConverter HEADERS = new SimpleHeaderConverter();

    static JsonConverter converter(boolean key) {
        JsonConverter converter = new JsonConverter();
        // Defaults stay where they are: what a transform makes of a null is its own affair.
        converter.configure(Map.of("decimal.format", "NUMERIC", "replace.null.with.default", "false"), key);
        return converter;
    }

    public static void main(String[] files) throws Exception {
        TimeZone.setDefault(TimeZone.getTimeZone("UTC"));
        Locale.setDefault(Locale.US);
        HEADERS.configure(Map.of());
        for (String file : files) {
            ObjectNode root = (ObjectNode) JSON.readTree(Path.of(file).toFile());
            for (JsonNode each : root.get("cases")) {
                ((ObjectNode) each).set("expected", expected(root, each));
            }
            StringBuilder text = new StringBuilder();
            print(root, 0, text);
            Files.writeString(Path.of(file), text.append('\n'));
        }
    }

    /** What becomes of a case's records; or why its configuration is refused. */
    static JsonNode expected(JsonNode file, JsonNode each) throws Exception {
        List<Link> chain = new ArrayList<>();
        try {
            JsonNode links = each.get("chain");
            if (links == null) {
                links = JSON.createArrayNode().add(each);
            }
            for (JsonNode link : links) {
                chain.add(new Link(link, file.path("class").asText()));
            }
        } catch (RuntimeException e) {
            ObjectNode refused = JSON.createObjectNode().put("configError", e.getMessage());
            return e instanceof ConfigException ? refused : refused.put("class", e.getClass().getName());
        }
        ArrayNode expected = JSON.createArrayNode();
        int row = 0;
        for (JsonNode given : each.path("records")) {
            expected.add(apply(chain, record(each, given, row++)));
        }
        return expected;
    }

    /** A transform, and for which records it is meant. */
    static class Link {
        final Transformation<SinkRecord> transform;
        Predicate<SinkRecord> predicate;
        boolean negate;

        Link(JsonNode link, String usual) throws ReflectiveOperationException {
            transform = instance(link.path("class").asText(usual));
            transform.configure(config(link));
            JsonNode condition = link.get("predicate");
            if (condition != null) {
                predicate = instance(condition.get("class").asText());
                predicate.configure(config(condition));
                negate = condition.path("negate").asBoolean();
            }
        }

        SinkRecord apply(SinkRecord record) {
            return predicate != null && predicate.test(record) == negate ? record : transform.apply(record);
        }

        @SuppressWarnings("unchecked")
        static <T> T instance(String name) throws ReflectiveOperationException {
            return (T) Class.forName(name).getDeclaredConstructor().newInstance();
        }

        static Map<String, String> config(JsonNode of) {
            return of.has("config") ? JSON.convertValue(of.get("config"), new TypeReference<Map<String, String>>() { }) : Map.of();
        }
    }

    static SinkRecord record(JsonNode each, JsonNode given, int row) throws Exception {
        String topic = each.path("topic").asText("orders");
        SchemaAndValue key = part(KEYS, topic, each, "keySchema", given.get("key"));
        SchemaAndValue value = part(VALUES, topic, each, "valueSchema", given.get("value"));
        JsonNode timestamp = given.path("timestamp");
        boolean timed = !timestamp.isNull();
        Headers headers = new ConnectHeaders();
        for (JsonNode header : given.path("headers")) {
            String name = header.get(0).asText();
            headers.add(name, HEADERS.toConnectHeader(topic, name, bytes(header.get(1))));
        }
        return new SinkRecord(topic, each.path("partition").asInt(0), key.schema(), key.value(), value.schema(), value.value(),
                given.path("offset").asLong(row), timed ? timestamp.asLong(1_700_000_000_000L + row) : null,
                timed ? TimestampType.CREATE_TIME : TimestampType.NO_TIMESTAMP_TYPE, headers);
    }

    static SchemaAndValue part(JsonConverter converter, String topic, JsonNode each, String schemaKey, JsonNode given) throws Exception {
        if (given == null || given.isNull()) {
            return SchemaAndValue.NULL;
        }
        JsonNode envelope = given;
        if (each.has(schemaKey) || each.path("schemaless").asBoolean()) {
            ObjectNode wrapped = JSON.createObjectNode();
            wrapped.set("schema", each.has(schemaKey) ? each.get(schemaKey) : JSON.nullNode());
            wrapped.set("payload", given);
            envelope = wrapped;
        }
        return converter.toConnectData(topic, JSON.writeValueAsBytes(envelope));
    }

    /** The bytes of a header: its text; null has none. */
    static byte[] bytes(JsonNode text) {
        return text == null || text.isNull() ? null : text.asText().getBytes(StandardCharsets.UTF_8);
    }

    /** What differs from the input; null if the record is dropped; the error if it is refused. */
    static JsonNode apply(List<Link> chain, SinkRecord input) throws Exception {
        ObjectNode before = shown(input);
        SinkRecord output = input;
        try {
            for (Link link : chain) {
                output = link.apply(output);
                if (output == null) {
                    return JSON.nullNode();
                }
            }
        } catch (RuntimeException e) {
            return JSON.createObjectNode().put("error", e.getClass().getName()).put("message", e.getMessage());
        }
        ObjectNode after = shown(output);
        before.properties().forEach(field -> {
            if (field.getValue().equals(after.get(field.getKey()))) {
                after.remove(field.getKey());
            }
        });
        return after;
    }

    static ObjectNode shown(SinkRecord record) throws Exception {
        ObjectNode shown = JSON.createObjectNode();
        shown.put("topic", record.topic());
        shown.put("partition", record.kafkaPartition());
        shown.put("timestamp", record.timestamp());
        shown.set("key", shown(KEYS, record.keySchema(), record.key()));
        shown.set("value", shown(VALUES, record.valueSchema(), record.value()));
        ArrayNode headers = shown.putArray("headers");
        for (Header header : record.headers()) {
            byte[] text = HEADERS.fromConnectHeader(record.topic(), header.key(), header.schema(), header.value());
            headers.addArray().add(header.key()).add(text == null ? null : new String(text, StandardCharsets.UTF_8));
        }
        return shown;
    }

    static JsonNode shown(JsonConverter converter, Schema schema, Object value) throws Exception {
        if (schema == null && value == null) {
            return JSON.nullNode();
        }
        if (schema == null) {
            ObjectNode envelope = JSON.createObjectNode();
            envelope.putNull("schema");
            envelope.set("payload", plain(value));
            return envelope;
        }
        try {
            return PLAIN.readTree(converter.fromConnectData("t", schema, value));
        } catch (RuntimeException e) {
            // A record that no converter writes: its schema and value do not go together.
            return JSON.createObjectNode().put("unwritable", e.getMessage());
        }
    }

    /** A value without a schema. What JSON has no form for is an object with one field that begins with a dollar sign. */
    static JsonNode plain(Object value) throws Exception {
        if (value == null) {
            return JSON.nullNode();
        } else if (value instanceof Map<?, ?> map) {
            ObjectNode object = JSON.createObjectNode();
            Map<String, Object> sorted = new TreeMap<>();
            map.forEach((name, field) -> sorted.put(String.valueOf(name), field));
            for (Map.Entry<String, Object> field : sorted.entrySet()) {
                object.set(field.getKey(), plain(field.getValue()));
            }
            return object;
        } else if (value instanceof List<?> list) {
            ArrayNode array = JSON.createArrayNode();
            for (Object item : list) {
                array.add(plain(item));
            }
            return array;
        } else if (value instanceof BigDecimal || value instanceof BigInteger) {
            return JSON.createObjectNode().put("$decimal", value.toString());
        } else if (value instanceof java.util.Date date) {
            return JSON.createObjectNode().put("$date", date.getTime());
        } else if (value instanceof byte[] bytes) {
            return JSON.createObjectNode().put("$bytes", bytes);
        } else if (value instanceof ByteBuffer buffer) {
            return JSON.createObjectNode().put("$bytes", buffer.array());
        } else if (value instanceof Struct struct) {
            return shown(VALUES, struct.schema(), struct);
        }
        return value instanceof Float || value instanceof Double
                ? JSON.getNodeFactory().numberNode(((Number) value).doubleValue())
                : JSON.valueToTree(value);
    }

    /** Prints what fits on one line on one line. */
    static void print(JsonNode node, int indent, StringBuilder out) throws Exception {
        String line = JSON.writeValueAsString(node);
        if (!node.isContainerNode() || indent > 0 && indent + line.length() <= WIDTH) {
            out.append(line);
            return;
        }
        boolean object = node.isObject();
        String separator = "\n" + " ".repeat(indent + 1);
        out.append(object ? '{' : '[');
        String comma = "";
        for (Map.Entry<String, JsonNode> field : object ? node.properties() : List.<Map.Entry<String, JsonNode>>of()) {
            out.append(comma).append(separator).append(JSON.writeValueAsString(field.getKey())).append(": ");
            print(field.getValue(), indent + 1, out);
            comma = ",";
        }
        for (JsonNode item : object ? List.<JsonNode>of() : node) {
            out.append(comma).append(separator);
            print(item, indent + 1, out);
            comma = ",";
        }
        out.append('\n').append(" ".repeat(indent)).append(object ? '}' : ']');
    }
}
