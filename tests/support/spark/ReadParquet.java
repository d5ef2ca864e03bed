import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Collectors;
import org.apache.avro.generic.GenericRecord;
import org.apache.parquet.avro.AvroParquetReader;
import org.apache.parquet.hadoop.ParquetFileReader;
import org.apache.parquet.io.LocalInputFile;

/**
 * ReadParquet FOLDER: reads all Parquet files below FOLDER with parquet-java, every value, and prints as JSON how many files and rows
 * there are, and how many of the rows have a value in each column.
 */
public class ReadParquet {
    public static void main(String[] arguments) throws Exception {
        List<Path> files;
        try (var all = Files.walk(Path.of(arguments[0]))) {
            files = all.filter(file -> file.toString().endsWith(".parquet")).collect(Collectors.toList());
        }
        long rows = 0;
        Map<String, Long> values = new TreeMap<>();
        for (Path file : files) {
            long before = rows;
            try (var reader = AvroParquetReader.<GenericRecord>builder(new LocalInputFile(file)).build()) {
                for (GenericRecord row = reader.read(); row != null; row = reader.read()) {
                    rows++;
                    for (var field : row.getSchema().getFields()) {
                        if (row.get(field.pos()) != null) {
                            values.merge(field.name(), 1L, Long::sum);
                        }
                    }
                }
            }
            try (var reader = ParquetFileReader.open(new LocalInputFile(file))) {
                if (reader.getRecordCount() != rows - before) {
                    throw new IllegalStateException(file + " has not the rows that its footer says");
                }
            }
        }
        String columns = values.entrySet().stream()
            .map(column -> "\"" + column.getKey() + "\":" + column.getValue())
            .collect(Collectors.joining(","));
        System.out.println("{\"files\":" + files.size() + ",\"rows\":" + rows + ",\"values\":{" + columns + "}}");
    }
}
