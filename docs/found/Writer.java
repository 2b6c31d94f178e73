import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.util.Map;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.StringSerializer;

/** Kafka's producer with default settings: sends each line "topic value" of standard input to partition 0. */
class Writer {
    public static void main(String[] args) throws Exception {
        var settings = Map.<String, Object>of("bootstrap.servers", args[0]);
        var text = new StringSerializer();
        try (var producer = new KafkaProducer<>(settings, text, text)) {
            var lines = new BufferedReader(new InputStreamReader(System.in));
            for (String line; (line = lines.readLine()) != null; ) {
                String[] words = line.split(" ");
                producer.send(new ProducerRecord<>(words[0], 0, null, words[1]), (at, error) ->
                    System.out.println(words[1] + " " + (error == null ? "acknowledged" : error)));
            }
        }
    }
}
