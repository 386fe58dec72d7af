import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import org.apache.avro.Schema;
import org.apache.avro.SchemaCompatibility;

/** The Java side of apache_test.go: what SchemaCompatibility finds in a reader's and a writer's schema. */
public class Compat {
    public static void main(String[] args) throws Exception {
        ObjectMapper json = new ObjectMapper();
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            ObjectNode answer = json.createObjectNode();
            try {
                JsonNode request = json.readTree(line);
                Schema reader = new Schema.Parser().parse(request.get("reader").asText());
                Schema writer = new Schema.Parser().parse(request.get("writer").asText());
                check(answer, reader, writer);
            } catch (Exception e) {
                answer.put("error", e.toString());
            }
            System.out.println(json.writeValueAsString(answer));
        }
    }

    static void check(ObjectNode answer, Schema reader, Schema writer) {
        ArrayNode found = answer.putArray("found");
        var result = SchemaCompatibility.checkReaderWriterCompatibility(reader, writer).getResult();
        for (var i : result.getIncompatibilities()) {
            found.addObject().put("id", i.getType().name()).put("location", i.getLocation());
        }
    }
}
