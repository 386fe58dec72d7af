// The path of a request, a record or a message: everything connected with it, as a sequence.

import { $, make, drawn } from "./dom.js";
import { w } from "./words.js";
import * as store from "./store.js";
import * as text from "./text.js";

const order = ["client", "contract-1", "contract.log", "contract.facts", "billing-1", "billing-2", "billing.log", "billing.events"];

let shown = null; // the event whose path is open, and how much of it is shown

// open shows the path of the event with a number.
export function open(n) {
  const from = store.get(n);
  if (!from) return;
  draw(from, store.path(from));
  $("path-detail").replaceChildren();
  detail(from);
  if (!$("path").open) $("path").showModal();
}

// update draws the open path again if it has grown.
export function update() {
  if (!shown || !$("path").open) return;
  const events = store.path(shown.from);
  if (size(events) !== shown.size) draw(shown.from, events);
}

const size = (events) => events.length + events.filter((e) => e.body.status || e.body.fault).length;

function draw(from, events) {
  shown = { from, size: size(events) };
  const traces = [...new Set(events.map((e) => e.body.trace).filter(Boolean))];
  $("path-title").textContent = w("pathOf", nameOf(events, from));
  $("path-trace").hidden = !traces.length;
  $("path-trace").replaceChildren(traces.length > 1 ? w("traces") : w("trace"), " ", ...traces.flatMap((t) => [make("code", "", t), " "]));
  $("path-picture").replaceChildren(picture(arrowsOf(events), from));
}

// nameOf returns the operation, invoice or contract that a path is about.
function nameOf(events, from) {
  for (const e of [from, ...events]) {
    const b = e.body, a = b.answer || b.value || {};
    const found = a.operationRef || a.invoiceRef || a.contractRef || (b.body && b.body.contractRef);
    if (found) return found;
  }
  return from.body.type || `${from.body.method} ${text.shortPath(from.body.path)}`;
}

const place = (topic) => topic.replace(/\.v1$/, "");

// arrowsOf returns the arrows of a sequence. A request has one there and one back.
function arrowsOf(events) {
  const out = [];
  for (const e of events) {
    const b = e.body;
    if (e.kind === "harm") {
      out.push({ e, at: e.n, from: b.on, to: b.on, label: `${b.on} ${w(b.what + "Done")}`, kind: "harm" });
    } else if (e.kind === "http") {
      out.push({ e, at: e.n, from: "client", to: b.to, label: `${b.method} ${text.shortPath(b.path)}`, kind: "http" });
      if (b.status || b.fault) out.push({ e, at: endOf(e, events), from: b.to, to: "client", label: `${b.fault ? "" : b.status} ${text.answers(b)}`.trim(), kind: b.fault ? "lost" : "back" });
    } else if (b.log) {
      out.push({ e, at: e.n, from: b.writer, to: place(b.topic), label: `@${b.offset} ${b.type}${b.applied ? "" : ` (${w("void")})`}`, kind: b.applied ? "append" : "void" });
    } else {
      const taken = b.topic.includes(".dlq") ? "" : b.topic.startsWith("contract") ? "contract.log" : "billing.log";
      out.push({ e, at: e.n, from: taken || "client", to: place(b.topic), label: `@${b.offset} ${b.type || w("unreadable")}${b.again ? ` (${w("againId")})` : ""}`, kind: "event" });
    }
  }
  for (const e of events) { // a record that has taken in a message: its instance has read the topic
    const b = e.body;
    const message = b.log && events.find((x) => x.kind === "record" && !x.body.log && x.n < e.n && takes(b, x.body));
    if (message) out.push({ e: message, at: e.n - 0.5, from: place(message.body.topic), to: b.writer, label: message.body.type, kind: "take" });
  }
  return out.sort((a, b) => a.at - b.at);
}

// takes reports whether a log record comes from a message of the other service.
const takes = (record, message) =>
  message.topic.split(".")[0] !== record.topic.split(".")[0] && !message.topic.includes(".dlq") &&
  ((record.expects || []).some((x) => x.stream === "event/" + message.id) || (store.takenFact(record) && store.takenFact(record) === store.takenFact(message)));

// endOf returns where the answer of a request stands: behind the records with its key or trace that
// its instance has written.
function endOf(e, events) {
  const own = events.filter((x) => x.kind === "record" && x.body.log && x.body.writer === e.body.to && x.n > e.n && x.tokens.some((t) => e.tokens.includes(t)));
  return own.length ? own.at(-1).n + 0.4 : e.n + 0.4;
}

const top = 44, rowHeight = 40;

function picture(arrows, from) {
  const used = [...new Set(arrows.flatMap((a) => [a.from, a.to]))];
  const lines = [...order.filter((o) => used.includes(o)), ...used.filter((u) => !order.includes(u))];
  const gap = Math.max(150, Math.min(230, 960 / Math.max(1, lines.length - 1)));
  const x = (name) => 80 + gap * lines.indexOf(name);
  const height = top + rowHeight * arrows.length + 24;
  const svg = drawn("svg", { viewBox: `0 0 ${160 + gap * (lines.length - 1)} ${height}`, width: 160 + gap * (lines.length - 1), height, role: "group", "aria-label": $("path-title").textContent });
  for (const name of lines) {
    const cls = `head ${name.startsWith("contract") ? "contract" : name.startsWith("billing") ? "billing" : "client"}${name.includes(".") ? " store" : ""}`;
    const label = drawn("text", { x: x(name), y: 20, "text-anchor": "middle", class: cls });
    label.textContent = name === "client" ? w("client") : name;
    svg.append(label, drawn("line", { x1: x(name), x2: x(name), y1: 30, y2: height - 8, class: "life" }));
  }
  arrows.forEach((a, i) => svg.append(arrow(a, x(a.from), x(a.to), top + rowHeight * i + 22, a.e === from)));
  return svg;
}

function arrow(a, x1, x2, y, chosen) {
  const g = drawn("g", { class: `step ${a.kind}${chosen ? " chosen" : ""}`, tabindex: 0, role: "button", "aria-label": `${a.from} → ${a.to}: ${a.label}` });
  if (a.kind === "harm") {
    const label = drawn("text", { x: x1, y: y + 1, "text-anchor": "middle" });
    label.textContent = a.label;
    g.append(drawn("rect", { x: x1 - 70, y: y - 15, width: 140, height: 24, rx: 5, class: "hit" }), label);
    return chosenBy(g, a.e);
  }
  const right = x2 > x1, tip = x2 + (right ? -1 : 1), lost = a.kind === "lost";
  const end = lost ? x1 + (x2 - x1) * 0.45 : tip;
  const label = drawn("text", { x: (x1 + x2) / 2, y: y - 7, "text-anchor": "middle" });
  const space = Math.max(18, Math.floor(Math.abs(x2 - x1) / 6.6));
  label.textContent = a.label.length > space ? a.label.slice(0, space - 1) + "…" : a.label;
  g.append(drawn("rect", { x: Math.min(x1, x2), y: y - 24, width: Math.abs(x2 - x1), height: 34, class: "hit" }), drawn("line", { x1, x2: end, y1: y, y2: y }), label);
  if (lost) g.append(drawn("path", { d: `M${end - 6} ${y - 6} l12 12 m0 -12 l-12 12`, class: "cross" }));
  else g.append(drawn("path", { d: right ? `M${tip - 8} ${y - 4.5} L${tip} ${y} L${tip - 8} ${y + 4.5} z` : `M${tip + 8} ${y - 4.5} L${tip} ${y} L${tip + 8} ${y + 4.5} z`, class: "tip" }));
  return chosenBy(g, a.e);
}

// chosenBy lets a step show its event when it is chosen.
function chosenBy(g, e) {
  const choose = () => {
    for (const s of $("path-picture").querySelectorAll(".chosen")) s.classList.remove("chosen");
    g.classList.add("chosen");
    detail(e);
  };
  g.addEventListener("click", choose);
  g.addEventListener("keydown", (k) => { if (k.key === "Enter" || k.key === " ") { k.preventDefault(); choose(); } });
  return g;
}

// detail shows all of an event.
function detail(e) {
  const b = e.body;
  const blocks = [];
  const block = (title, value) => {
    if (value === undefined || value === null) return;
    const pre = make("pre", "", typeof value === "string" ? value : JSON.stringify(value, null, 2));
    pre.tabIndex = 0;
    blocks.push(make("section", "", make("h3", "", title), pre));
  };
  if (e.kind === "harm") {
    block(`${b.on} ${w(b.what + "Done")}`, w(b.what + "Why", b.on));
  } else if (e.kind === "http") {
    block(`${b.method} ${b.path}`, headers(b.headers) + (b.body ? JSON.stringify(b.body, null, 2) : ""));
    block(b.fault || `${b.status}, ${b.millis} ms`, headers(b.answered) + (b.answer ? JSON.stringify(b.answer, null, 2) : ""));
  } else {
    block(`${b.topic} @${b.offset}`, { key: b.key, type: b.type, ...(b.log ? { writer: b.writer, attempt: b.attempt, applied: b.applied } : { ce_id: b.id }), traceId: b.trace, fault: b.fault });
    if (b.log) block(w("on"), (b.expects || []).map((x) => `${x.stream} ${x.offset < 0 ? w("fresh") : "@" + x.offset}${x.met ? "" : "  ✕ @" + x.last}`).join("\n") || "-");
    block("value", b.value);
  }
  $("path-detail").replaceChildren(...blocks);
}

const headers = (h) => Object.entries(h || {}).map(([k, v]) => `${k}: ${v}\n`).join("");
