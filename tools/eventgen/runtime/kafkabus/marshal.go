package kafkabus

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/IBM/sarama"
	"github.com/ThreeDotsLabs/watermill-kafka/v3/pkg/kafka"
	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/deferpay/deferpay/tools/eventgen/runtime/bus"
)

// Marshaler turns messages into records and back. It never fails on a record: a subscriber whose
// unmarshaler fails stops reading its partition for ever. What is in the payload is decoded in the
// handler.
type Marshaler struct{}

var _ kafka.MarshalerUnmarshaler = Marshaler{}

// Marshal implements kafka.Marshaler.
func (Marshaler) Marshal(topic string, m *message.Message) (*sarama.ProducerMessage, error) {
	record := &sarama.ProducerMessage{Topic: topic}
	if m.Payload != nil {
		record.Value = sarama.ByteEncoder(m.Payload)
	}
	if key, ok := m.Metadata[bus.MetaKey]; ok {
		record.Key = sarama.StringEncoder(key)
	}
	for name, value := range m.Metadata {
		if !bus.Reserved(name) {
			record.Headers = append(record.Headers, sarama.RecordHeader{Key: []byte(name), Value: []byte(value)})
		}
	}
	slices.SortFunc(record.Headers, func(a, b sarama.RecordHeader) int { return strings.Compare(string(a.Key), string(b.Key)) })
	return record, nil
}

// Unmarshal implements kafka.Unmarshaler. A header that comes twice has its last value. The
// message's UUID is the CloudEvents id, or the record's place when it has none.
func (Marshaler) Unmarshal(record *sarama.ConsumerMessage) (*message.Message, error) {
	metadata := make(message.Metadata, len(record.Headers)+5)
	for _, h := range record.Headers {
		if h != nil && !bus.Reserved(string(h.Key)) {
			metadata[string(h.Key)] = string(h.Value)
		}
	}
	if record.Key != nil {
		metadata[bus.MetaKey] = string(record.Key)
	}
	metadata[bus.MetaTopic] = record.Topic
	metadata[bus.MetaPartition] = strconv.FormatInt(int64(record.Partition), 10)
	metadata[bus.MetaOffset] = strconv.FormatInt(record.Offset, 10)
	metadata[bus.MetaTimestamp] = record.Timestamp.UTC().Format(time.RFC3339Nano)
	id := metadata["ce_id"]
	if id == "" {
		id = fmt.Sprintf("%s/%d/%d", record.Topic, record.Partition, record.Offset)
	}
	m := message.NewMessage(id, record.Value)
	m.Metadata = metadata
	return m, nil
}
