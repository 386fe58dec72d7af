// The five lanes: requests, log records and messages, each as a row. Lists are bounded.

import { $, make, put, still } from "./dom.js";
import { w } from "./words.js";
import * as text from "./text.js";

const most = 30; // rows in a list
const pending = new Map(); // id of an exchange to its row

const lists = {
  "contract.log.v1": "contract-log", "contract.facts.v1": "contract-facts", "billing.log.v1": "billing-log",
  "billing.events.v1": "billing-events", "contract.dlq.v1": "dead-letters", "billing.dlq.v1": "dead-letters",
};

const rowOf = new Map(); // attempt, or trace of a message, to its row, to fly from

export function clear() {
  for (const l of document.querySelectorAll(".rows")) l.replaceChildren();
  pending.clear();
  rowOf.clear();
  $("dead").hidden = true;
}

// show adds a row for an event, or completes it.
export function show(e) {
  if (e.kind === "http") exchange(e);
  else if (e.kind === "record") record(e);
}

function row(e, cls, label) {
  const b = make("button", "entry");
  b.type = "button";
  b.dataset.n = e.n;
  b.setAttribute("aria-haspopup", "dialog");
  const li = make("li", `item ${cls}${e.missed ? " missed" : ""}`, b);
  return [li, b];
}

function insert(id, li) {
  const list = $(id);
  list.prepend(li);
  while (list.childElementCount > most) list.lastElementChild.remove();
}

function exchange(e) {
  const b = e.body;
  let entry = pending.get(b.id);
  if (!entry) {
    const [li, button] = row(e, "http");
    entry = { li, button };
    pending.set(b.id, entry);
    if (pending.size > 200) pending.delete(pending.keys().next().value);
    insert(b.to.startsWith("contract") ? "contract-http" : "billing-http", li);
  }
  fillExchange(entry, b);
  if (b.status || b.fault) pending.delete(b.id);
}

function fillExchange({ li, button }, b) {
  const kind = b.fault ? "bad" : !b.status ? "open" : b.status < 300 ? "good" : b.status < 500 ? "refused" : "bad";
  li.classList.remove("open", "good", "bad", "refused");
  li.classList.add(kind);
  const status = b.fault ? "✕" : b.status ? String(b.status) : "…";
  button.replaceChildren(
    make("span", "line", make("b", "", `${b.method} ${text.shortPath(b.path)}`), make("span", "status", status)),
    make("span", "line small", make("span", "", [b.to.replace(/^.*-/, "#"), text.asks(b)].filter(Boolean).join(" · ")), b.millis ? make("span", "dim", `${b.millis.toFixed(0)} ms`) : ""),
  );
  const answer = text.answers(b) || (b.status ? "" : w("pending"));
  if (answer) button.append(make("span", "line small", make("span", "", answer)));
}

function record(e) {
  const b = e.body;
  const list = lists[b.topic];
  if (!list) return;
  const dead = list === "dead-letters";
  if (dead) $("dead").hidden = false;
  const [li, button] = row(e, b.log ? (b.applied ? "record" : "record void") : b.fault && !dead ? "message bad" : b.again ? "message again" : "message");
  const name = b.type || (dead ? b.topic.replace(/\.v1$/, "") : b.fault ? w("unreadable") : w("tombstone"));
  const side = b.log ? (b.applied ? b.writer : w("void")) : b.again ? w("againId") : "";
  button.append(make("span", "line", make("span", "offset", `@${b.offset}`), make("b", "", name), make("span", "status", side)));
  const more = text.about(b.value) || b.key;
  if (more) button.append(make("span", "line small", make("span", "", more)));
  if (b.log) {
    const on = text.buildsOn(b);
    if (on) button.append(make("span", "line small dim", make("span", "", `${w("on")} ${on}`)));
    if (!b.applied) button.append(make("span", "line small why", make("span", "", text.whyVoid(b))));
  }
  insert(list, li);
  fly(b, li);
}

let flights = 0;

// fly draws a dot on the way from where a record comes from to its row.
function fly(b, li) {
  const from = b.log ? rowOf.get("taken " + b.trace) : rowOf.get(b.from);
  if (b.attempt) remember(b.attempt, li);
  if (b.id && b.trace) remember("taken " + b.trace, li);
  if (!from || !from.isConnected || flights > 6 || still() || document.hidden || innerWidth < 900) return;
  const a = from.getBoundingClientRect(), z = li.getBoundingClientRect();
  const right = z.left > a.left;
  const dot = make("i", "dot");
  document.body.append(dot);
  flights++;
  const at = (r, end) => `translate(${end ? r.right - 4 : r.left - 4}px, ${r.top + 12}px)`;
  dot.animate([{ transform: at(a, right), opacity: 0 }, { opacity: 1, offset: 0.15 }, { opacity: 1, offset: 0.85 }, { transform: at(z, !right), opacity: 0 }],
    { duration: 650, easing: "cubic-bezier(.3,.1,.3,1)" }).onfinish = () => { dot.remove(); flights--; };
}

function remember(id, li) {
  rowOf.set(id, li);
  if (rowOf.size > 400) rowOf.delete(rowOf.keys().next().value);
}
