import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.apicurio.registry.utils.converter.avro.AvroData;
import io.apicurio.registry.utils.converter.avro.AvroDataConfig;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import org.apache.avro.NameValidator;
import org.apache.avro.Schema;
import org.apache.avro.generic.GenericDatumReader;
import org.apache.avro.io.DecoderFactory;
import org.apache.kafka.connect.data.SchemaAndValue;
import org.apache.kafka.connect.json.JsonConverter;

/**
 * What Java makes of Avro: {@code AvroHarness CASES RESULTS} reads lines {"schema", "enhanced", "payload"} and writes for each what
 * Avro's library, Apicurio's AvroData and Kafka's JsonConverter make of it, or {"error"}.
 */
public class AvroHarness {
  public static void main(String[] args) throws Exception {
    ObjectMapper mapper = new ObjectMapper();
    JsonConverter json = new JsonConverter();
    json.configure(Map.of("schemas.enable", "true", "converter.type", "value"));
    List<String> results = new ArrayList<>();
    for (String line : Files.readAllLines(Path.of(args[0]))) {
      JsonNode given = mapper.readTree(line);
      try {
        Schema schema = new Schema.Parser(NameValidator.NO_VALIDATION).parse(given.get("schema").toString());
        byte[] payload = HexFormat.of().parseHex(given.get("payload").asText());
        Object value = new GenericDatumReader<>(schema).read(null, DecoderFactory.get().binaryDecoder(payload, null));
        AvroData data = new AvroData(new AvroDataConfig(Map.of("enhanced.avro.schema.support", given.get("enhanced").asText())));
        SchemaAndValue connect = data.toConnectData(schema, value);
        results.add(new String(json.fromConnectData("t", connect.schema(), connect.value()), StandardCharsets.UTF_8));
      } catch (Exception | StackOverflowError e) {
        ObjectNode error = mapper.createObjectNode();
        error.put("error", e.getClass().getName());
        error.put("message", e.getMessage());
        results.add(error.toString());
      }
    }
    Files.write(Path.of(args[1]), results);
  }
}
