// Reads and writes our topics with kafkajs and Confluent's registry client, as a team that works in JavaScript would.
// The order is the first argument, its parameters are JSON on standard input, and the answer is one line of JSON a record;
// foreign.py describes the orders. FOREIGN_MODULES is the folder that has node_modules.
import { createRequire } from "node:module";
import { text } from "node:stream/consumers";

const require = createRequire(`${process.env.FOREIGN_MODULES}/`);
const { Kafka, logLevel } = require("kafkajs");
const { SchemaRegistryClient, AvroDeserializer, AvroSerializer, SerdeType } = require("@confluentinc/schemaregistry");

const patience = 30_000; // ms
// Bytes go out as hexadecimal text.
const plain = (_, value) => (value?.type === "Buffer" && Array.isArray(value.data) ? Buffer.from(value.data).toString("hex") : value);
const answer = (line) => process.stdout.write(JSON.stringify(line, plain) + "\n");
const connect = (brokers) => new Kafka({ clientId: "foreign-node", brokers: brokers.split(","), logLevel: logLevel.ERROR });
const registryClient = (url) => new SchemaRegistryClient({ baseURLs: [url] });

async function read({ brokers, registry, ends }) {
  const decoder = new AvroDeserializer(registryClient(registry), SerdeType.VALUE, {});
  const consumer = connect(brokers).consumer({ groupId: `foreign-node-${process.pid}` });
  const left = new Map();
  for (const [topic, of] of Object.entries(ends)) {
    for (const [partition, end] of Object.entries(of)) if (end > 0) left.set(`${topic}/${partition}`, end);
  }
  await consumer.connect();
  await consumer.subscribe({ topics: Object.keys(ends), fromBeginning: true });
  await new Promise((done, failed) => {
    const late = setTimeout(() => failed(new Error(`not read in ${patience} ms: ${[...left.keys()]}`)), patience);
    const one = async ({ topic, partition, message: m }) => {
      const place = `${topic}/${partition}`;
      if (!left.has(place)) return;
      answer({
        topic,
        partition,
        offset: Number(m.offset),
        key: m.key.toString(),
        headers: Object.fromEntries(Object.entries(m.headers).map(([name, value]) => [name, value.toString()])),
        time: Number(m.timestamp),
        raw: m.value.toString("base64"),
        value: await decoder.deserialize(topic, m.value),
      });
      if (Number(m.offset) + 1 >= left.get(place)) left.delete(place);
      if (left.size === 0) {
        clearTimeout(late);
        done();
      }
    };
    // Without the catch, kafkajs tries a record that cannot be decoded again and again.
    consumer.run({ autoCommit: false, eachMessage: (m) => one(m).catch(failed) }).catch(failed);
  });
  await consumer.disconnect();
}

// instants replaces {"$micros": n} by the number that the Avro library of Node has for it.
function instants(value) {
  if (value === null || typeof value !== "object") return value;
  if ("$micros" in value) return value.$micros;
  return Object.fromEntries(Object.entries(value).map(([name, of]) => [name, instants(of)]));
}

async function produce(brokers, topic, messages) {
  const producer = connect(brokers).producer({ idempotent: true }); // the partitioner is kafkajs's default
  await producer.connect();
  for (const m of messages) {
    const [{ partition, baseOffset }] = await producer.send({ topic, acks: -1, messages: [m] });
    answer({ key: m.key, partition, offset: Number(baseOffset) });
  }
  await producer.disconnect();
}

async function write({ brokers, registry, topic, records }) {
  const client = registryClient(registry);
  const messages = [];
  for (const { type, key, headers, value } of records) {
    const encoder = new AvroSerializer(client, SerdeType.VALUE, {
      autoRegisterSchemas: false,
      useLatestVersion: true,
      subjectNameStrategy: (to) => `${to}-${type}`,
    });
    messages.push({ key, headers, value: await encoder.serialize(topic, instants(value)) });
  }
  await produce(brokers, topic, messages);
}

const partition = ({ brokers, topic, keys }) => produce(brokers, topic, keys.map((key) => ({ key, value: "node" })));

await { read, write, partition }[process.argv[2]](JSON.parse(await text(process.stdin)));
process.exit(0); // the registry client's timers would keep the process alive
