"""Reads and writes our topics with confluent-kafka and fastavro, as a team that works in Python would.

The order is the first argument, its parameters are JSON on standard input, and the answer is one line of JSON a record:

  read       reads and decodes every record of the topics, up to the given ends
  write      encodes records with the schemas of the registry, and writes them
  partition  writes keys, and answers which partition each went to

  show BROKER REGISTRY TOPIC [TYPE...]   prints the last record of each type, for people
"""

import base64
import datetime
import io
import json
import struct
import sys
import urllib.request

import fastavro
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.schema_registry import SchemaRegistryClient, topic_record_subject_name_strategy
from confluent_kafka.schema_registry.avro import AvroDeserializer, AvroSerializer
from confluent_kafka.serialization import MessageField, SerializationContext

PATIENCE = 30  # seconds


class Confluent:
    """Decodes with confluent-kafka's own deserializer and registry client."""

    def __init__(self, registry):
        self.deserialize = AvroDeserializer(SchemaRegistryClient({"url": registry}))

    def __call__(self, topic, value):
        return self.deserialize(value, SerializationContext(topic, MessageField.VALUE))


class Fastavro:
    """Decodes with fastavro alone, and reads the registry by plain HTTP."""

    def __init__(self, registry):
        self.registry, self.schemas = registry, {}

    def __call__(self, topic, value):
        magic, number = struct.unpack(">bI", value[:5])
        if magic != 0:
            raise ValueError(f"magic byte {magic}")
        if number not in self.schemas:
            with urllib.request.urlopen(f"{self.registry}/schemas/ids/{number}", timeout=PATIENCE) as answer:
                self.schemas[number] = fastavro.parse_schema(json.loads(json.load(answer)["schema"]))
        rest = io.BytesIO(value[5:])
        decoded = fastavro.schemaless_reader(rest, self.schemas[number])
        if left := rest.read():
            raise ValueError(f"{len(left)} bytes too many")
        return decoded


def plain(value):
    """Returns as text what JSON has no form for."""
    if isinstance(value, datetime.datetime):
        return value.isoformat(timespec="microseconds")
    if isinstance(value, bytes):
        return value.hex()
    raise TypeError(f"{type(value)}: {value!r}")


def consume(brokers, ends):
    """Yields every record from the beginning up to the ends, {topic: {partition: offset}}."""
    consumer = Consumer({"bootstrap.servers": brokers, "group.id": "foreign-python", "enable.auto.commit": False, "auto.offset.reset": "error"})
    left = {(t, int(p)): end for t, of in ends.items() for p, end in of.items() if end > 0}
    consumer.assign([TopicPartition(t, p, 0) for t, p in left])
    while left:
        m = consumer.poll(PATIENCE)
        if m is None:
            raise TimeoutError(f"nothing came for {PATIENCE} s, still to read: {left}")
        if m.error():
            raise RuntimeError(m.error())
        place = (m.topic(), m.partition())
        if place in left:
            yield m
            if m.offset() + 1 >= left[place]:
                del left[place]
    consumer.close()


def read(brokers, registry, ends, decoder):
    decode = {"confluent": Confluent, "fastavro": Fastavro}[decoder](registry)
    for m in consume(brokers, ends):
        answer({
            "topic": m.topic(),
            "partition": m.partition(),
            "offset": m.offset(),
            "key": m.key().decode(),
            "headers": {name: value.decode() for name, value in m.headers() or []},
            "time": m.timestamp()[1],
            "raw": base64.b64encode(m.value()).decode(),
            "value": decode(m.topic(), m.value()),
        })


def instants(value):
    """Replaces {"$micros": n} by instants of Python."""
    if isinstance(value, dict):
        if "$micros" in value:
            epoch = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
            return epoch + datetime.timedelta(microseconds=value["$micros"])
        return {k: instants(v) for k, v in value.items()}
    return value


def produce(brokers, records, **settings):
    """Sends (topic, key, value, headers), and answers where each went, in order."""
    producer = Producer({"bootstrap.servers": brokers, "acks": "all", "enable.idempotence": True, "message.timeout.ms": PATIENCE * 1000, **settings})
    places = [None] * len(records)

    def at(i):
        def delivered(error, m):
            if error:
                raise RuntimeError(error)
            places[i] = (m.partition(), m.offset())
        return delivered

    for i, (topic, key, value, headers) in enumerate(records):
        producer.produce(topic, key=key, value=value, headers=headers, on_delivery=at(i))
    if producer.flush(PATIENCE) or None in places:
        raise TimeoutError("not everything was acknowledged")
    for (_, key, _, _), (partition, offset) in zip(records, places):
        answer({"key": key, "partition": partition, "offset": offset})


def write(brokers, registry, topic, records):
    client = SchemaRegistryClient({"url": registry})
    serializers, out = {}, []
    for r in records:
        name = r["type"]
        if name not in serializers:
            schema = client.get_latest_version(f"{topic}-{name}").schema
            serializers[name] = AvroSerializer(client, schema, conf={
                "auto.register.schemas": False,
                "subject.name.strategy": topic_record_subject_name_strategy,
            })
        value = serializers[name](instants(r["value"]), SerializationContext(topic, MessageField.VALUE))
        out.append((topic, r["key"], value, list(r["headers"].items())))
    produce(brokers, out, partitioner="murmur2_random")


def partition(brokers, topic, keys, partitioner):
    produce(brokers, [(topic, k, b"python", []) for k in keys], partitioner=partitioner)


def show(broker, registry, topic, *types):
    decode, last = Confluent(registry), {}
    probe = Consumer({"bootstrap.servers": broker, "group.id": "foreign-python"})
    ends = {topic: {p: probe.get_watermark_offsets(TopicPartition(topic, p), PATIENCE)[1] for p in probe.list_topics(topic, PATIENCE).topics[topic].partitions}}
    probe.close()
    for m in consume(broker, ends):
        kind = dict(m.headers())["ce_type"].decode().rpartition(".")[2]
        if not types or kind in types:
            last[kind] = m
    for kind, m in last.items():
        print(f"{kind} @{m.offset()} {m.key().decode()}")
        print(json.dumps(decode(topic, m.value()), default=plain, ensure_ascii=False, indent=2))


def answer(line):
    print(json.dumps(line, default=plain), flush=True)


if __name__ == "__main__":
    order, rest = sys.argv[1], sys.argv[2:]
    if order == "show":
        show(*rest)
    else:
        {"read": read, "write": write, "partition": partition}[order](**json.load(sys.stdin))
