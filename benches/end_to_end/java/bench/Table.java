package bench;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.apache.hadoop.conf.Configuration;
import org.apache.iceberg.PartitionSpec;
import org.apache.iceberg.Schema;
import org.apache.iceberg.catalog.TableIdentifier;
import org.apache.iceberg.hadoop.HadoopCatalog;
import org.apache.iceberg.types.Type;
import org.apache.iceberg.types.Types;
import org.apache.iceberg.types.Types.NestedField;

/**
 * Makes the empty table {@code bench.orders}: {@code Table WAREHOUSE NAME:TYPE…}. The sink would make one of the fields that the first
 * records have, and drop others without a word.
 */
public class Table {
  public static void main(String[] args) throws Exception {
    List<NestedField> fields = new ArrayList<>();
    for (int n = 1; n < args.length; n++) {
      String[] field = args[n].split(":");
      Type type = switch (field[1]) {
        case "long" -> Types.LongType.get();
        case "int" -> Types.IntegerType.get();
        case "boolean" -> Types.BooleanType.get();
        default -> Types.StringType.get();
      };
      fields.add(NestedField.optional(n, field[0], type));
    }
    try (HadoopCatalog catalog = new HadoopCatalog(new Configuration(), args[0])) {
      catalog.createTable(TableIdentifier.of("bench", "orders"), new Schema(fields), PartitionSpec.unpartitioned(),
          Map.of("write.parquet.compression-codec", "snappy"));
    }
  }
}
