import com.azure.core.credential.AccessToken;
import com.azure.core.http.HttpClient;
import com.azure.core.http.HttpHeaders;
import com.azure.core.http.HttpMethod;
import com.azure.core.http.HttpRequest;
import com.azure.core.http.HttpResponse;
import com.azure.core.models.MessageContent;
import com.azure.core.util.BinaryData;
import com.azure.core.util.serializer.TypeReference;
import com.azure.data.schemaregistry.SchemaRegistryAsyncClient;
import com.azure.data.schemaregistry.SchemaRegistryClientBuilder;
import com.azure.data.schemaregistry.apacheavro.SchemaRegistryApacheAvroSerializer;
import com.azure.data.schemaregistry.apacheavro.SchemaRegistryApacheAvroSerializerBuilder;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.nio.ByteBuffer;
import java.nio.charset.Charset;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.OffsetDateTime;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.TreeSet;
import org.apache.avro.Schema;
import org.apache.avro.generic.GenericDatumReader;
import org.apache.avro.generic.GenericRecord;
import org.apache.avro.io.DecoderFactory;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;

/**
 * What Microsoft's serializer makes of records: {@code EventHubsHarness CASES RESULTS} reads lines {"schema", "record"} and writes for each
 * the content type and the body, and what it asked the registry for; and lines {"contentType"} for what it says of such a message.
 *
 * <p>mvn -q -B -f tests/support/event_hubs/pom.xml dependency:copy-dependencies -DoutputDirectory=DIR
 *
 * <p>java -cp 'DIR/*' tests/support/event_hubs/EventHubsHarness.java tests/data/avro/event_hubs_cases.jsonl tests/data/avro/event_hubs.jsonl
 */
public class EventHubsHarness {
  static final String ID = "0a1b2c3d4e5f60718293a4b5c6d7e8f9";
  static final TreeSet<String> asked = new TreeSet<>();
  static String schema = "";

  public static void main(String[] args) throws Exception {
    ObjectMapper mapper = new ObjectMapper();
    HttpClient http = request -> Mono.just(new Answer(request));
    SchemaRegistryAsyncClient client = new SchemaRegistryClientBuilder()
        .fullyQualifiedNamespace("ns.servicebus.windows.net")
        .credential(request -> {
          asked.add("token " + String.join(" ", request.getScopes()));
          return Mono.just(new AccessToken("t", OffsetDateTime.now().plusHours(1)));
        })
        .httpClient(http)
        .buildAsyncClient();
    List<String> results = new ArrayList<>();
    for (String line : Files.readAllLines(Path.of(args[0]))) {
      SchemaRegistryApacheAvroSerializer serializer = new SchemaRegistryApacheAvroSerializerBuilder()
          .schemaRegistryClient(client).schemaGroup("g").autoRegisterSchemas(true).buildSerializer();
      JsonNode given = mapper.readTree(line);
      ObjectNode result = mapper.createObjectNode();
      try {
        if (given.has("schema")) {
          schema = given.get("schema").toString();
          Schema parsed = new Schema.Parser().parse(schema);
          GenericRecord record = new GenericDatumReader<GenericRecord>(parsed)
              .read(null, DecoderFactory.get().jsonDecoder(parsed, given.get("record").toString()));
          MessageContent message = serializer.serialize(record, TypeReference.createInstance(MessageContent.class));
          result.put("contentType", message.getContentType());
          result.put("body", HexFormat.of().formatHex(message.getBodyAsBinaryData().toBytes()));
        } else {
          MessageContent message = new MessageContent();
          message.setBodyAsBinaryData(BinaryData.fromBytes(new byte[] {2}));
          message.setContentType(given.get("contentType").asText());
          serializer.deserialize(message, TypeReference.createInstance(GenericRecord.class));
        }
      } catch (Exception e) {
        result.put("error", e.getClass().getName());
        result.put("message", e.getMessage());
      }
      results.add(result.toString());
    }
    SchemaRegistryApacheAvroSerializer reader = new SchemaRegistryApacheAvroSerializerBuilder()
        .schemaRegistryClient(new SchemaRegistryClientBuilder().fullyQualifiedNamespace("ns.servicebus.windows.net")
            .credential(request -> Mono.just(new AccessToken("t", OffsetDateTime.now().plusHours(1)))).httpClient(http)
            .buildAsyncClient())
        .buildSerializer();
    schema = "{\"type\":\"record\",\"name\":\"R\",\"fields\":[{\"name\":\"a\",\"type\":\"int\"}]}";
    MessageContent message = new MessageContent();
    message.setBodyAsBinaryData(BinaryData.fromBytes(new byte[] {2}));
    message.setContentType("avro/binary+" + ID);
    reader.deserialize(message, TypeReference.createInstance(GenericRecord.class));
    ObjectNode all = mapper.createObjectNode();
    asked.forEach(all.putArray("asked")::add);
    results.add(all.toString());
    Files.write(Path.of(args[1]), results);
  }

  /** What the registry answers. */
  static class Answer extends HttpResponse {
    private final boolean get;

    Answer(HttpRequest request) {
      super(request);
      get = request.getHttpMethod() == HttpMethod.GET;
      asked.add(request.getHttpMethod() + " " + request.getUrl().getPath());
    }

    @Override
    public int getStatusCode() {
      return get ? 200 : 204;
    }

    @Override
    public String getHeaderValue(String name) {
      return getHeaders().getValue(name);
    }

    @Override
    public HttpHeaders getHeaders() {
      return new HttpHeaders().set("Schema-Id", ID).set("Schema-Version", "1").set("Schema-Group-Name", "g").set("Schema-Name", "n")
          .set("Content-Type", "application/json; serialization=Avro");
    }

    @Override
    public Flux<ByteBuffer> getBody() {
      return Flux.just(ByteBuffer.wrap(bytes()));
    }

    @Override
    public Mono<byte[]> getBodyAsByteArray() {
      return Mono.just(bytes());
    }

    @Override
    public Mono<String> getBodyAsString() {
      return Mono.just(new String(bytes(), StandardCharsets.UTF_8));
    }

    @Override
    public Mono<String> getBodyAsString(Charset charset) {
      return Mono.just(new String(bytes(), charset));
    }

    private byte[] bytes() {
      return get ? schema.getBytes(StandardCharsets.UTF_8) : new byte[0];
    }
  }
}
