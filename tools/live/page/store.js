// The events that the page has received, the last few thousand of them, and how they are connected.

const room = 4000;
const events = [];
const byToken = new Map(); // token to events

// tokens returns what connects an event to others: its trace, its idempotency key, the record that
// a message was derived from, and the message that a record has taken in.
function tokens(e) {
  const b = e.body, out = [];
  if (b.trace) out.push("trace " + b.trace);
  if (e.kind === "http") {
    const key = b.headers && b.headers["Idempotency-Key"];
    if (key) out.push("key " + key);
  } else if (e.kind === "record") {
    if (b.attempt) out.push("attempt " + b.attempt);
    if (b.from) out.push("attempt " + b.from);
    if (b.id) out.push("message " + b.id);
    if (takenFact(b)) out.push(takenFact(b));
    for (const x of b.expects || []) {
      if (x.stream.startsWith("key/")) out.push("key " + x.stream.split("/").at(-1));
      if (x.stream.startsWith("event/")) out.push("message " + x.stream.slice(6));
    }
  }
  return out;
}

// takenFact names the version of a contract that a fact carries or that billing has taken in, or "".
export function takenFact(b) {
  const c = b.value && b.value.contract;
  const is = c && c.contractRef && (b.topic === "contract.facts.v1" || (b.log && b.topic === "billing.log.v1"));
  return is ? `fact ${c.contractRef} ${b.value.version ?? c.version}` : "";
}

const harms = []; // what was done to instances

// add keeps an event. The second event of an exchange, with the answer, replaces the first one.
export function add(e) {
  if (e.kind === "harm") {
    harms.push(e);
    if (harms.length > room) harms.shift();
  }
  if (e.kind !== "http" && e.kind !== "record") return;
  e.tokens = tokens(e);
  if (e.kind === "http" && (e.body.status || e.body.fault)) {
    const first = find((x) => x.kind === "http" && x.body.id === e.body.id);
    if (first) {
      first.body = e.body;
      return;
    }
  }
  events.push(e);
  for (const t of e.tokens) {
    if (!byToken.has(t)) byToken.set(t, []);
    byToken.get(t).push(e);
  }
  if (events.length > room) forget(events.shift());
}

function forget(e) {
  for (const t of e.tokens) {
    const left = byToken.get(t).filter((x) => x !== e);
    if (left.length) byToken.set(t, left);
    else byToken.delete(t);
  }
}

function find(is) {
  for (let i = events.length - 1; i >= 0 && i > events.length - 200; i--) if (is(events[i])) return events[i];
  return undefined;
}

export function clear() {
  events.length = harms.length = 0;
  byToken.clear();
}

export const get = (n) => events.find((e) => e.n === n);
export const size = () => events.length;

// path returns the events connected with one, in their order, with what was done meanwhile to the
// instances that received the requests.
export function path(from) {
  const seen = new Set([from]), todo = [from];
  while (todo.length && seen.size < 120) {
    for (const t of todo.shift().tokens) {
      for (const e of byToken.get(t) || []) {
        if (!seen.has(e)) { seen.add(e); todo.push(e); }
      }
    }
  }
  const asked = [...seen].filter((e) => e.kind === "http");
  const during = (h) => asked.some((e) => e.n < h.n && e.body.to === h.body.on) && asked.some((e) => e.n > h.n);
  return [...seen, ...harms.filter(during)].sort((a, b) => a.n - b.n);
}
