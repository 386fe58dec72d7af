"""The foreign side of foreign_test.go: requests are lines of JSON on stdin, answers lines of JSON on stdout.

A value is answered as generated code prints it in JSON: times, decimals and UUIDs as text, bytes in base64, a fixed as a list of
numbers, a branch of a union as the value alone.
"""

import base64
import datetime
import decimal
import io
import json
import struct
import sys
import uuid

import fastavro
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer, AvroSerializer
from confluent_kafka.serialization import MessageField, SerializationContext

decimal.getcontext().prec = 400


class Names:
    """Named schemas by full name, found by walking a schema the way the specification says names are scoped."""

    def __init__(self, schema):
        self.types = {}
        self.root = self.walk(schema, "")

    def full(self, name, space):
        return name if "." in name or not space else space + "." + name

    def walk(self, s, space):
        if isinstance(s, list):
            return [self.walk(b, space) for b in s]
        if isinstance(s, str):
            return self.types.get(self.full(s, space), self.types.get(s, {"type": s}))
        kind = s["type"]
        if isinstance(kind, (dict, list)):
            return self.walk(kind, space)
        if kind in ("record", "error", "enum", "fixed"):
            name = self.full(s["name"], s.get("namespace", space))
            space = name.rpartition(".")[0]
            out = self.types[name] = dict(s, name=name)
            if "fields" in s:
                out["fields"] = [dict(f, type=self.walk(f["type"], space)) for f in s["fields"]]
            return out
        if kind == "array":
            return dict(s, items=self.walk(s["items"], space))
        if kind == "map":
            return dict(s, values=self.walk(s["values"], space))
        return s if len(s) > 1 else self.walk(kind, space)


def fraction(text):
    return text.rstrip("0").rstrip(".") if "." in text else text


def clock(days, nanos, zone):
    at = datetime.datetime(1970, 1, 1) + datetime.timedelta(days=days, seconds=nanos // 10**9)
    return fraction(at.strftime("%Y-%m-%dT%H:%M:%S") + ".%09d" % (nanos % 10**9)) + zone


def big_decimal(raw):
    at, numbers = 0, []
    for _ in range(2):
        shift = number = 0
        while True:
            byte = raw[at]
            at += 1
            number |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                break
        number = (number >> 1) ^ -(number & 1)
        if not numbers:
            numbers.append(int.from_bytes(raw[at : at + number], "big", signed=True))
            at += number
        else:
            numbers.append(number)
    return format(decimal.Decimal(numbers[0]).scaleb(-numbers[1]), "f")


def number(s, v):
    """An integer that fastavro leaves as it is."""
    kind = s.get("logicalType", "")
    if kind.endswith("timestamp-nanos"):
        days, rest = divmod(v, 86400 * 10**9)
        return clock(days, rest, "" if kind.startswith("local-") else "Z")
    return v


def octets(s, v):
    kind = s.get("logicalType")
    if kind == "big-decimal":
        return big_decimal(v)
    if kind == "duration":
        return dict(zip(("Months", "Days", "Millis"), struct.unpack("<III", v)))
    if kind == "uuid":
        return str(uuid.UUID(bytes=v))
    return list(v) if s["type"] == "fixed" else base64.b64encode(v).decode()


def text(v):
    """What fastavro has a type of its own for."""
    if isinstance(v, datetime.datetime):
        zone = "" if v.tzinfo is None else "Z"
        return fraction(v.strftime("%Y-%m-%dT%H:%M:%S") + ".%06d" % v.microsecond) + zone
    if isinstance(v, datetime.time):
        return fraction(v.strftime("%H:%M:%S") + ".%06d" % v.microsecond)
    if isinstance(v, datetime.date):
        return v.isoformat()
    return format(v, "f") if isinstance(v, decimal.Decimal) else str(v)


PYTHON = {"boolean": bool, "int": int, "long": int, "float": float, "double": float, "bytes": bytes, "string": str, "array": list, "map": dict}


def plain(names, s, v):
    if isinstance(s, list):
        if isinstance(v, tuple):
            return plain(names, names.types[v[0]], v[1])
        if v is None:
            return None
        fits = [b for b in s if PYTHON.get(b["type"]) is type(v)]
        named = [b for b in s if isinstance(v, str) and v in b.get("symbols", ()) or isinstance(v, bytes) and len(v) == b.get("size")]
        s = (named or fits or [{"type": "logical"}])[-1]
    kind = s["type"]
    if kind in ("record", "error"):
        return {f["name"]: plain(names, f["type"], v[f["name"]]) for f in s["fields"]}
    if kind == "array":
        return [plain(names, s["items"], it) for it in v]
    if kind == "map":
        return {k: plain(names, s["values"], it) for k, it in v.items()}
    if isinstance(v, bytes):
        return octets(s, v)
    if isinstance(v, int) and not isinstance(v, bool):
        return number(s, v)
    return v if v is None or isinstance(v, (bool, float, str)) else text(v)


def read(schema, data):
    stream = io.BytesIO(data)
    v = fastavro.schemaless_reader(stream, schema, return_named_type=True)
    if stream.read():
        raise ValueError("bytes are left over")
    return v


def write(schema, v):
    out = io.BytesIO()
    fastavro.schemaless_writer(out, schema, v)
    return out.getvalue()


def cross(r):
    schema, names = fastavro.parse_schema(json.loads(r["schema"])), Names(json.loads(r["schema"]))
    answer = []
    for h in r["data"]:
        v = read(schema, bytes.fromhex(h))
        written = write(schema, v)
        answer.append({"value": plain(names, names.root, v), "written": written.hex(), "again": plain(names, names.root, read(schema, written))})
    return answer


def framed(r):
    """Reads the frames that generated code wrote, and writes the values back, both through the registry."""
    client = SchemaRegistryClient({"url": r["registry"]})
    names = Names(json.loads(r["schema"]))
    at = SerializationContext(r["topic"], MessageField.VALUE)
    reading = AvroDeserializer(client, r["schema"], return_record_name=True)
    writing = AvroSerializer(client, r["schema"], conf={"auto.register.schemas": True})
    answer = []
    schema = fastavro.parse_schema(json.loads(r["schema"]))
    for h in r["data"]:
        v = reading(bytes.fromhex(h), at)
        written = writing(read(schema, bytes.fromhex(h)[5:]), at)  # with the branches of unions named, which the deserializer does not
        answer.append({"value": plain(names, names.root, v), "written": written.hex(), "again": plain(names, names.root, read(schema, written[5:]))})
    return answer


def main():
    for line in sys.stdin:
        r = json.loads(line)
        try:
            answer = {"items": {"cross": cross, "framed": framed}[r["op"]](r)}
        except Exception as err:
            answer = {"error": repr(err)}
        print(json.dumps(answer), flush=True)


main()
