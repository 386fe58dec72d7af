// Package metadata reads, writes and checks the metadata of Watermill messages: the headers that a
// contract declares, and beside them, under reserved names, the Kafka key and where the message was
// read.
//
// Generated code imports it, and so do package bus and the adapters to a transport.
package metadata

// Reserved names: what Kafka keeps beside the headers of a record. They are never headers
// themselves. A subscriber sets all of them after it has copied the record's headers, so that a
// foreign header cannot pass for one of them.
const (
	Key       = "kafka_key"       // the record's key; absent if it has none
	Topic     = "kafka_topic"     // where the record was read
	Partition = "kafka_partition" // decimal
	Offset    = "kafka_offset"    // decimal
	Timestamp = "kafka_timestamp" // RFC 3339 with nanoseconds
)

// Reserved reports whether a name is one of the reserved names.
func Reserved(name string) bool {
	switch name {
	case Key, Topic, Partition, Offset, Timestamp:
		return true
	}
	return false
}
