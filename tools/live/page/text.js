// What a row says about a request, a log record or a message.

import { w, money } from "./words.js";

const isMoney = (v) => v && typeof v === "object" && typeof v.amount === "number" && v.currency;

export const amount = (v) => (isMoney(v) ? `${money(v.amount)} ${v.currency}` : "");

// shortStream returns a short name of a stream.
export function shortStream(name) {
  const [kind, ...rest] = name.split("/");
  switch (kind) {
    case "key": return `${w("key")} ${shortID(rest.at(-1))}`;
    case "event": return `${w("event")} ${shortID(rest.join("/"))}`;
    case "order": case "mandate": case "attempt": return `${kind} ${shortID(rest.at(-1))}`;
    case "contract": case "operation": case "invoice": return rest.join("/");
  }
  return name;
}

export const shortID = (id) => (id.length > 12 ? `${id.slice(0, 6)}…${id.slice(-3)}` : id);

const place = (offset) => (offset < 0 ? w("fresh") : `@${offset}`);

// buildsOn returns what a log record builds on.
export const buildsOn = (r) => (r.expects || []).map((x) => `${shortStream(x.stream)} ${place(x.offset)}`).join(", ");

// whyVoid returns why a log record has no effect.
export function whyVoid(r) {
  const x = (r.expects || []).find((e) => !e.met);
  return x ? w("voidWhy", shortStream(x.stream), x.last < 0 ? "-" : `@${x.last}`) : "";
}

// about returns what matters of the value of a record.
export function about(value) {
  if (!value) return "";
  const c = value.contract;
  if (c && c.status) return `${c.contractRef} v${value.version ?? c.version} ${c.status}`;
  const parts = [];
  for (const name of ["operationRef", "invoiceRef", "amount", "total", "reasons", "period", "reason", "phase", "percent"]) {
    const v = value[name];
    if (v === undefined || v === null) continue;
    if (isMoney(v)) parts.push(amount(v));
    else if (Array.isArray(v)) parts.push(v.join(", "));
    else if (typeof v !== "object") parts.push(String(v));
  }
  return parts.slice(0, 4).join(" · ");
}

// path returns the path of a request without the prefix of the service.
export const shortPath = (path) => path.replace(/^\/(refcontract|billing)\/v1/, "").replace(/\?.*/, "?…");

// asks returns what matters of a request.
export function asks(e) {
  const b = e.body || {};
  const parts = [];
  if (b.amount) parts.push(amount(b.amount));
  else if (b.ceiling) parts.push(amount(b.ceiling));
  for (const name of ["action", "outcome", "period", "rum"]) if (b[name]) parts.push(b[name]);
  const key = e.headers && e.headers["Idempotency-Key"];
  if (key) parts.push(`${w("key")} ${shortID(key)}`);
  return parts.join(" · ");
}

// answers returns what matters of an answer.
export function answers(e) {
  if (e.fault) return e.status ? w("lostAnswer") : e.fault.replace(/^.*: /, "");
  const a = e.answer || {};
  if (Array.isArray(a.sums)) return a.sums.map((s) => `${amount(s.available)} ${w("available")}`).join(", ");
  const parts = [a.code || a.operationRef || a.invoiceRef || a.contractRef || "", typeof a.status === "string" ? a.status : ""].filter(Boolean);
  if (Array.isArray(a.reasons) && a.code) parts.push(a.reasons.join(", "));
  if (e.answered && e.answered["Idempotent-Replayed"]) parts.push(w("replayed"));
  return parts.join(" · ");
}
