// The instances, the lags and the read models.

import { $, make, put } from "./dom.js";
import { w, money } from "./words.js";

const cards = new Map();

// show draws the state of the system.
export function show(state) {
  const seen = state.seen || {};
  for (const c of document.querySelectorAll(".meter, #facts-lag, #events-lag")) c.title = "";
  lag("facts-lag", "contract.facts.v1", seen.lags || []);
  lag("events-lag", "billing.events.v1", seen.lags || []);
  for (const service of ["contract", "billing"]) {
    const all = (seen.instances || []).filter((i) => i.service === service);
    const by = all.find((i) => i.publishes);
    const unsent = Math.max(0, ...all.map((i) => i.unsent));
    put($(service + "-publication"), !by ? w("nobody") : `${unsent ? w("unpublished", unsent) : w("published")}, ${w("by", by.name)}`);
    $(service + "-publication").classList.toggle("warn", !by || unsent > 50);
  }
  contracts(seen.contracts || []);
}

function lag(id, topic, lags) {
  const of = lags.filter((l) => l.topic === topic);
  const n = of.reduce((sum, l) => sum + Math.max(0, l.records), 0);
  put($(id), of.length ? (n ? w("lag", n) : w("noLag")) : "");
  $(id).classList.toggle("warn", n > 0);
}

function contracts(list) {
  const box = $("contracts");
  if (!list.length) {
    cards.clear();
    box.replaceChildren(make("p", "dim", w("noContracts")));
    return;
  }
  if (!cards.size) box.replaceChildren();
  for (const [ref, card] of cards) {
    if (!list.some((c) => c.ref === ref)) { card.root.remove(); cards.delete(ref); }
  }
  for (const c of list) {
    if (!cards.has(c.ref)) cards.set(c.ref, newCard(box));
    fill(cards.get(c.ref), c);
  }
}

function newCard(box) {
  const card = { head: make("h3"), status: make("span", "pill"), sum: make("p", "sum"), invoiced: make("i", "part one"), settled: make("i", "part two"), views: make("ul", "views"), note: make("p", "note") };
  card.bar = make("div", "bar", card.invoiced, card.settled);
  card.bar.setAttribute("role", "meter");
  card.bar.setAttribute("aria-valuemin", "0");
  card.root = make("article", "card", make("div", "cardhead", card.head, card.status), card.sum, card.bar, card.note, card.views);
  box.prepend(card.root);
  return card;
}

function fill(card, c) {
  const newest = Math.max(0, ...c.views.map((v) => v.version));
  const billing = c.views.filter((v) => v.instance.startsWith("billing"));
  const v = billing.find((x) => x.version === newest) || billing[0] || c.views[0];
  card.head.replaceChildren(c.ref, make("small", "", c.customer));
  if (!v) return;
  put(card.status, v.status);
  card.status.dataset.status = v.status;
  const out = v.notInvoiced + v.notSettled;
  put(card.sum, `${money(out)} ${w("of")} ${money(v.ceiling)} ${v.currency || "EUR"}`);
  const part = (n) => `${v.ceiling ? Math.min(100, (100 * n) / v.ceiling) : 0}%`;
  card.invoiced.style.width = part(v.notInvoiced);
  card.settled.style.width = part(v.notSettled);
  card.bar.setAttribute("aria-valuemax", String(v.ceiling / 100));
  card.bar.setAttribute("aria-valuenow", String(out / 100));
  card.bar.setAttribute("aria-label", `${c.ref}: ${card.sum.textContent}`);
  put(card.note, `${money(v.notInvoiced)} ${w("notInvoiced")}, ${money(v.notSettled)} ${w("notSettled")}${v.mandate ? `, ${w("mandate")} ${v.mandate}` : ""}`);
  card.views.replaceChildren(...c.views.map((x) => {
    const late = x.version < newest;
    return make("li", late ? "late" : "", `${x.instance} `, make("b", "", `v${x.version}`), late ? ` ${w("behind")}` : "");
  }));
}

export function clear() {
  cards.clear();
  $("contracts").replaceChildren(make("p", "dim", w("noContracts")));
}
