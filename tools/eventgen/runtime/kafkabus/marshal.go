package kafkabus

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/IBM/sarama"
	"github.com/ThreeDotsLabs/watermill-kafka/v3/pkg/kafka"
	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/deferpay/deferpay/tools/eventgen/runtime/metadata"
)

// Marshaler converts messages to records and back. It accepts every record, because a subscriber
// whose unmarshaler returns an error never reads its partition again. The payload is decoded in the
// handler.
type Marshaler struct{}

var _ kafka.MarshalerUnmarshaler = Marshaler{}

// Marshal implements kafka.Marshaler.
func (Marshaler) Marshal(topic string, m *message.Message) (*sarama.ProducerMessage, error) {
	record := &sarama.ProducerMessage{Topic: topic}
	if m.Payload != nil {
		record.Value = sarama.ByteEncoder(m.Payload)
	}
	if key, ok := m.Metadata[metadata.Key]; ok {
		record.Key = sarama.StringEncoder(key)
	}
	record.Headers = headers(m.Metadata)
	return record, nil
}

// headers returns the headers of a record, sorted by name. Their bytes share one piece of memory.
func headers(m message.Metadata) []sarama.RecordHeader {
	n, size := 0, 0
	for name, value := range m {
		if !metadata.Reserved(name) {
			n, size = n+1, size+len(name)+len(value)
		}
	}
	if n == 0 {
		return nil
	}
	all, out := make([]byte, 0, size), make([]sarama.RecordHeader, 0, n)
	add := func(text string) []byte {
		at := len(all)
		all = append(all, text...)
		return all[at:len(all):len(all)]
	}
	for name, value := range m {
		if !metadata.Reserved(name) {
			out = append(out, sarama.RecordHeader{Key: add(name), Value: add(value)})
		}
	}
	slices.SortFunc(out, func(a, b sarama.RecordHeader) int { return bytes.Compare(a.Key, b.Key) })
	return out
}

// Unmarshal implements kafka.Unmarshaler. A header that occurs twice has its last value. The UUID
// of the message is the CloudEvents id, or else its topic, partition and offset. The message has
// its own memory: the value of a record is a part of all that was fetched with it, which would stay
// for as long as the message is laid aside.
func (Marshaler) Unmarshal(record *sarama.ConsumerMessage) (*message.Message, error) {
	out := make(message.Metadata, len(record.Headers)+5)
	for _, h := range record.Headers {
		if h != nil && !metadata.Reserved(string(h.Key)) {
			out[string(h.Key)] = string(h.Value)
		}
	}
	if record.Key != nil {
		out[metadata.Key] = string(record.Key)
	}
	out[metadata.Topic] = record.Topic
	out[metadata.Partition] = strconv.FormatInt(int64(record.Partition), 10)
	out[metadata.Offset] = strconv.FormatInt(record.Offset, 10)
	out[metadata.Timestamp] = record.Timestamp.UTC().Format(time.RFC3339Nano)
	id := out["ce_id"]
	if id == "" {
		id = fmt.Sprintf("%s/%d/%d", record.Topic, record.Partition, record.Offset)
	}
	m := message.NewMessage(id, bytes.Clone(record.Value))
	m.Metadata = out
	return m, nil
}
