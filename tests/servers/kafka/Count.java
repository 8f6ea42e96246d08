import java.util.List;
import java.util.Properties;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

/** Prints how many messages are in a topic: Count SERVERS TOPIC. */
class Count {
    public static void main(String[] arguments) {
        var settings = new Properties();
        settings.put("bootstrap.servers", arguments[0]);
        settings.put("allow.auto.create.topics", "false");
        var bytes = new ByteArrayDeserializer();
        try (var client = new KafkaConsumer<>(settings, bytes, bytes)) {
            List<TopicPartition> partitions = client.partitionsFor(arguments[1]).stream()
                .map(it -> new TopicPartition(it.topic(), it.partition()))
                .toList();
            var first = client.beginningOffsets(partitions);
            var end = client.endOffsets(partitions);
            System.out.println(partitions.stream().mapToLong(it -> end.get(it) - first.get(it)).sum());
        }
    }
}
