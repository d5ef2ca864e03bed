package bench;

import io.apicurio.registry.utils.converter.avro.AvroData;
import java.io.IOException;
import java.util.Map;
import org.apache.avro.generic.GenericDatumReader;
import org.apache.avro.generic.GenericRecord;
import org.apache.avro.io.BinaryDecoder;
import org.apache.avro.io.DecoderFactory;
import org.apache.kafka.connect.data.Schema;
import org.apache.kafka.connect.data.SchemaAndValue;
import org.apache.kafka.connect.errors.DataException;
import org.apache.kafka.connect.storage.Converter;

/**
 * Confluent's wire format with the one schema of the setting {@code schema}: Avro's generic reader, and the copy of Confluent's
 * AvroData that Apicurio has, as Confluent's own converter is not to be had. It asks no registry.
 */
public class OneSchemaConverter implements Converter {
  private static final int HEAD = 5;
  private final AvroData data = new AvroData(1000);
  private org.apache.avro.Schema schema;
  private GenericDatumReader<GenericRecord> reader;
  private BinaryDecoder decoder;

  @Override
  public void configure(Map<String, ?> settings, boolean isKey) {
    schema = new org.apache.avro.Schema.Parser().parse(settings.get("schema").toString());
    reader = new GenericDatumReader<>(schema);
  }

  @Override
  public SchemaAndValue toConnectData(String topic, byte[] value) {
    try {
      decoder = DecoderFactory.get().binaryDecoder(value, HEAD, value.length - HEAD, decoder);
      return data.toConnectData(schema, reader.read(null, decoder));
    } catch (IOException e) {
      throw new DataException(e);
    }
  }

  @Override
  public byte[] fromConnectData(String topic, Schema schema, Object value) {
    throw new UnsupportedOperationException("only reads");
  }
}
