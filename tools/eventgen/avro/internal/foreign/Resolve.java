import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.BufferedReader;
import java.io.ByteArrayOutputStream;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.HexFormat;
import org.apache.avro.Schema;
import org.apache.avro.generic.GenericDatumReader;
import org.apache.avro.generic.GenericDatumWriter;
import org.apache.avro.io.BinaryDecoder;
import org.apache.avro.io.BinaryEncoder;
import org.apache.avro.io.DecoderFactory;
import org.apache.avro.io.EncoderFactory;

/** The Java side of foreign_test.go: reads values of a writer's schema as a reader's and writes them with the reader's. */
public class Resolve {
    public static void main(String[] args) throws Exception {
        ObjectMapper json = new ObjectMapper();
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            ObjectNode answer = json.createObjectNode();
            try {
                answer.set("items", resolve(json, json.readTree(line)));
            } catch (Exception e) {
                answer.put("error", e.toString());
            }
            System.out.println(json.writeValueAsString(answer));
            System.out.flush();
        }
    }

    static ArrayNode resolve(ObjectMapper json, JsonNode request) {
        // A default that nobody reads may be wrong: evolutions change types and leave defaults behind.
        Schema writer = new Schema.Parser().setValidateDefaults(false).parse(request.get("writer").asText());
        Schema reader = new Schema.Parser().setValidateDefaults(false).parse(request.get("schema").asText());
        GenericDatumReader<Object> reading = new GenericDatumReader<>(writer, reader);
        GenericDatumWriter<Object> writing = new GenericDatumWriter<>(reader);
        ArrayNode items = json.createArrayNode();
        for (JsonNode data : request.get("data")) {
            ObjectNode item = items.addObject();
            try {
                BinaryDecoder decoder = DecoderFactory.get().binaryDecoder(HexFormat.of().parseHex(data.asText()), null);
                Object value = reading.read(null, decoder);
                ByteArrayOutputStream out = new ByteArrayOutputStream();
                BinaryEncoder encoder = EncoderFactory.get().binaryEncoder(out, null);
                writing.write(value, encoder);
                encoder.flush();
                item.put("written", HexFormat.of().formatHex(out.toByteArray()));
            } catch (Exception e) {
                item.put("error", e.toString());
            }
        }
        return items;
    }
}
