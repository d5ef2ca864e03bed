// Runs records through Kafka's own converters: what Landfall's are compared with.
//
//   java -cp '<jars of a Connect worker>/*' ConverterHarness.java <cases >results
//
// Each line of the input is a group, {"class": …, "role": "key|value|header", "config": {…}, "records": [base64, …]}; each line of
// the output the list of what its records became: {"error": class} or {"schema": text, "value": …}, for a header what is written back.

import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.math.BigDecimal;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Base64;
import java.util.Comparator;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;

import org.apache.kafka.connect.data.Field;
import org.apache.kafka.connect.data.Schema;
import org.apache.kafka.connect.data.SchemaAndValue;
import org.apache.kafka.connect.data.Struct;
import org.apache.kafka.connect.storage.Converter;
import org.apache.kafka.connect.storage.HeaderConverter;

public class ConverterHarness {
    private static final ObjectMapper JSON = new ObjectMapper();

    /** What converts one record. */
    private interface Conversion {
        Object of(byte[] bytes) throws Exception;
    }

    public static void main(String[] args) throws Exception {
        var in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        var out = new PrintStream(System.out, false, StandardCharsets.UTF_8);
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            JsonNode group = JSON.readTree(line);
            Conversion conversion = conversion(group);
            List<Object> results = new ArrayList<>();
            for (JsonNode record : group.get("records")) {
                byte[] bytes = record.isNull() ? null : Base64.getDecoder().decode(record.textValue());
                try {
                    results.add(conversion.of(bytes));
                } catch (Exception e) {
                    results.add(Map.of("error", e.getClass().getName()));
                }
            }
            out.println(JSON.writeValueAsString(results));
        }
        out.flush();
    }

    private static Conversion conversion(JsonNode group) throws Exception {
        Map<String, Object> config = new HashMap<>();
        group.get("config").fields().forEachRemaining(entry -> config.put(entry.getKey(), entry.getValue().asText()));
        Object instance = Class.forName(group.get("class").textValue()).getDeclaredConstructor().newInstance();
        String role = group.get("role").textValue();
        config.put("converter.type", role);
        if (role.equals("header")) {
            HeaderConverter converter = (HeaderConverter) instance;
            converter.configure(config);
            return bytes -> {
                SchemaAndValue header = converter.toConnectHeader("t", "h", bytes);
                if (header == null) {
                    return null;
                }
                byte[] back = converter.fromConnectHeader("t", "h", header.schema(), header.value());
                return back == null ? null : new String(back, StandardCharsets.UTF_8);
            };
        }
        Converter converter = (Converter) instance;
        converter.configure(config, role.equals("key"));
        return bytes -> {
            SchemaAndValue converted = converter.toConnectData("t", bytes);
            Map<String, Object> result = new LinkedHashMap<>();
            result.put("schema", converted.schema() == null ? null : text(converted.schema()));
            result.put("value", value(converted.value(), converted.schema() != null));
            return result;
        };
    }

    /** A schema as {@code struct<a:int32?,b:array<string>>}, with {@code @name} behind what has one. */
    private static String text(Schema schema) {
        String type = schema.type().getName();
        switch (schema.type()) {
            case ARRAY -> type += "<" + nested(schema.valueSchema()) + ">";
            case MAP -> type += "<" + text(schema.keySchema()) + "," + nested(schema.valueSchema()) + ">";
            case STRUCT -> type += schema.fields().stream().map(f -> f.name() + ":" + nested(f.schema()))
                .collect(Collectors.joining(",", "<", ">"));
            default -> { }
        }
        return schema.name() == null ? type : type + "@" + schema.name();
    }

    private static String nested(Schema schema) {
        return schema.isOptional() ? text(schema) + "?" : text(schema);
    }

    /** A value as JSON: floats by their bits, decimals as text, dates in milliseconds, maps with a schema as pairs. */
    private static Object value(Object value, boolean typed) {
        if (value instanceof Float number) {
            return "f:" + Integer.toHexString(Float.floatToIntBits(number));
        }
        if (value instanceof Double number) {
            return "d:" + Long.toHexString(Double.doubleToLongBits(number));
        }
        if (value instanceof BigDecimal decimal) {
            return decimal.signum() == 0 ? "0" : decimal.stripTrailingZeros().toPlainString();
        }
        if (value instanceof java.util.Date date) {
            return date.getTime();
        }
        if (value instanceof byte[] bytes) {
            return "b:" + Base64.getEncoder().encodeToString(bytes);
        }
        if (value instanceof ByteBuffer bytes) {
            return value(bytes.array(), typed);
        }
        if (value instanceof List<?> list) {
            return list.stream().map(item -> value(item, typed)).collect(Collectors.toList());
        }
        if (value instanceof Struct struct) {
            Map<String, Object> fields = new LinkedHashMap<>();
            for (Field field : struct.schema().fields()) {
                fields.put(field.name(), value(struct.getWithoutDefault(field.name()), true));
            }
            return fields;
        }
        if (value instanceof Map<?, ?> map) {
            if (typed) {
                List<List<Object>> pairs = new ArrayList<>();
                map.forEach((k, v) -> pairs.add(java.util.Arrays.asList(value(k, true), value(v, true))));
                pairs.sort(Comparator.comparing(pair -> String.valueOf(pair.get(0))));
                return pairs;
            }
            Map<String, Object> entries = new LinkedHashMap<>();
            map.forEach((k, v) -> {
                if (v != null) {
                    entries.put(String.valueOf(k), value(v, false));
                }
            });
            return entries;
        }
        return value;
    }
}
