package bus

import (
	"strconv"
	"strings"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/deferpay/deferpay/tools/eventgen/runtime/metadata"
)

// provenance is where a message was read.
type provenance struct {
	topic     string
	partition int32
	offset    int64
	time      time.Time
	key       string
	keyed     bool
	anyKey    bool // the key may differ from the payload
	attempt   int
}

func readProvenance(m *message.Message) provenance {
	p := provenance{topic: m.Metadata[metadata.Topic], partition: -1, offset: -1}
	if p.topic == "" {
		p.topic = message.SubscribeTopicFromCtx(m.Context())
	}
	if n, err := strconv.ParseInt(m.Metadata[metadata.Partition], 10, 32); err == nil {
		p.partition = int32(n)
	}
	if n, err := strconv.ParseInt(m.Metadata[metadata.Offset], 10, 64); err == nil {
		p.offset = n
	}
	if t, err := time.Parse(time.RFC3339Nano, m.Metadata[metadata.Timestamp]); err == nil {
		p.time = t
	}
	p.key, p.keyed = m.Metadata[metadata.Key]
	return p
}

// deadLetter returns the message as it was read, with its provenance in headers.
func deadLetter(m *message.Message, p provenance, cause error) *message.Message {
	out := message.NewMessageWithContext(m.Context(), watermill.NewUUID(), m.Payload)
	for name, v := range m.Metadata {
		if !metadata.Reserved(name) {
			out.Metadata[name] = v
		}
	}
	if p.keyed {
		out.Metadata[metadata.Key] = p.key
	}
	out.Metadata[DeadLetterTopic] = p.topic
	out.Metadata[DeadLetterPartition] = strconv.FormatInt(int64(max(p.partition, 0)), 10)
	out.Metadata[DeadLetterOffset] = strconv.FormatInt(max(p.offset, 0), 10)
	out.Metadata[DeadLetterError] = beginning(cause.Error(), 1000)
	out.Metadata[DeadLetterAttempts] = strconv.Itoa(p.attempt)
	out.Metadata[DeadLetterTime] = time.Now().UTC().Format(time.RFC3339Nano)
	return out
}

// deadLetterWithoutValue is for a message that does not fit into its dead letter. The value may
// still be where the message was read.
func deadLetterWithoutValue(m *message.Message, p provenance, cause error) *message.Message {
	out := deadLetter(m, p, cause)
	out.Payload = nil
	out.Metadata[DeadLetterSize] = strconv.Itoa(len(m.Payload))
	return out
}

// deadLetterAlone is for a message whose key and headers do not fit either.
func deadLetterAlone(m *message.Message, p provenance, cause error) *message.Message {
	out := message.NewMessageWithContext(m.Context(), watermill.NewUUID(), nil)
	all := deadLetterWithoutValue(m, p, cause).Metadata
	for _, name := range []string{DeadLetterTopic, DeadLetterPartition, DeadLetterOffset, DeadLetterError, DeadLetterAttempts, DeadLetterTime, DeadLetterSize} {
		out.Metadata[name] = all[name]
	}
	out.Metadata[DeadLetterKeySize] = strconv.Itoa(len(p.key))
	return out
}

// keyLogged is how much of a key is logged.
const keyLogged = 100

// beginning returns a text, or its first bytes if it has more than most.
func beginning(s string, most int) string {
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "..."
}
