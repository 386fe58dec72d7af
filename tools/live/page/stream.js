// The connection to the live view: events are queued and handed on in frames, at a pace.

import { $, put } from "./dom.js";
import { w } from "./words.js";

const queue = [];
let handlers = {};
let source, lastID = "", paced = 0, lastAt = 0, caught = null, asked = false;

// At most this many events are drawn in a frame. If more than mostWaiting wait, only the last ones of
// each list are drawn.
const perFrame = 24, mostWaiting = 120, perList = 30;

// A frame that was asked for does not come while the page is hidden.
document.addEventListener("visibilitychange", () => {
  if (!document.hidden || !asked) return;
  asked = false;
  ask();
});

// open connects. The handlers are: state(s), fresh(), event(e), drained(), connected(bool).
export function open(h) {
  handlers = h;
  connect();
}

function connect() {
  source = new EventSource("events" + (lastID ? "?after=" + encodeURIComponent(lastID) : ""));
  source.onopen = () => handlers.connected(true);
  source.onerror = () => {
    handlers.connected(false);
    if (source.readyState === EventSource.CLOSED) setTimeout(connect, 1000);
  };
  source.addEventListener("begin", (m) => {
    const d = JSON.parse(m.data);
    if (d.fresh) {
      queue.length = 0;
      lastID = "";
      handlers.fresh();
    }
    if (d.back) {
      caught = { count: 0, lost: d.lost };
      setTimeout(() => { handlers.caught(caught); caught = null; }, 500);
    }
  });
  source.addEventListener("state", (m) => handlers.state(JSON.parse(m.data)));
  source.addEventListener("events", (m) => {
    lastID = m.lastEventId;
    const list = JSON.parse(m.data);
    if (caught) caught.count += list.length;
    for (const e of list) e.missed = caught !== null;
    queue.push(...list);
    ask();
  });
}

// pace sets the least time between two events in milliseconds, 0 for none.
export function pace(ms) {
  paced = ms;
  ask();
}

export const waiting = () => queue.length;

function ask() {
  if (asked || !queue.length) return;
  asked = true;
  if (document.hidden) setTimeout(frame, 200); // there are no frames in the background
  else requestAnimationFrame(frame);
}

// hurry marks the events that would have scrolled by before anybody could see them.
function hurry() {
  const left = new Map();
  for (let i = queue.length - 1; i >= 0; i--) {
    const e = queue[i], list = e.kind === "http" ? e.body.to : e.body.topic;
    if (!list) continue;
    const n = (left.get(list) || 0) + 1;
    left.set(list, n);
    e.unseen = n > perList;
  }
}

function frame() {
  asked = false;
  if (queue.length > mostWaiting && !paced) hurry();
  const now = performance.now();
  if (paced) {
    if (now - lastAt >= paced / (queue.length > 40 ? 8 : 1)) {
      lastAt = now;
      const e = queue.shift();
      if (e) handlers.event(e, true);
    }
  } else {
    for (let n = 0; n < perFrame && queue.length; n++) {
      const e = queue.shift();
      handlers.event(e, !e.unseen);
      if (e.unseen) n--; // it costs next to nothing
    }
  }
  if (queue.length) ask();
  else handlers.drained();
}
