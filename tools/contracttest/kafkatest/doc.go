// Package kafkatest tests services on Kafka against AsyncAPI documents, anybody's.
//
//   - Observe reads topics and judges every record: topic, key, headers, framing, the schema id
//     under the right subject, payload, order and versions.
//   - Inject sends a message of the documents, as its producer would.
//   - Exchange sends a message and waits for what the service publishes because of it.
//   - Request sends a request and judges the reply.
//   - Hostile sends what no consumer can handle, and checks that the declared policy is what
//     happens: x-dead-letter, x-unknown-message, and a group that goes on.
//
// A schema registry is optional. Payloads are Avro or JSON Schema; the framing is that of
// Confluent's registry, Avro's single-object encoding, or none. Whatever of a document cannot be
// judged is in Contract.NotJudged.
//
// Command contracttest and the tests of any service import it.
package kafkatest
