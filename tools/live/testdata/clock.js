// A clock of the page that only the test moves, and what the test wants to know about the page. It
// runs before the scripts of the page.
"use strict";
(() => {
  let now = 0, last = 0;
  const timers = new Map();
  window.setTimeout = (run, ms = 0) => { timers.set(++last, { at: now + ms, run }); return last; };
  window.clearTimeout = (id) => { timers.delete(id); };
  window.requestAnimationFrame = (run) => window.setTimeout(() => run(now), 16);
  performance.now = () => now;

  const seen = window.test = { presses: 0, answered: 0, received: 0, state: {}, newest: 0, lastRow: 0, closest: Infinity };
  const send = window.fetch.bind(window);
  window.fetch = (to, how) => {
    if (!String(to).startsWith("do/")) return send(to, how);
    seen.presses++;
    return send(to, how).then((answer) => { seen.answered++; return answer; });
  };
  window.EventSource = class extends window.EventSource {
    constructor(to) {
      super(to);
      this.addEventListener("events", (m) => { seen.received += JSON.parse(m.data).length; });
      this.addEventListener("state", (m) => { seen.state = JSON.parse(m.data); });
    }
  };

  // look notes the last time at which a row was added, and how close two of them came.
  function look() {
    const row = document.querySelector("#billing-log .offset");
    const newest = row ? Number(row.textContent.slice(1)) : 0;
    if (newest > seen.newest) {
      seen.closest = Math.min(seen.closest, newest > seen.newest + 1 && seen.newest ? 0 : now - seen.lastRow);
      seen.lastRow = now;
    }
    seen.newest = newest;
  }

  // untilPress moves the clock until the page presses a button, but no further than the given time.
  // It returns the time, and what the page shows.
  seen.untilPress = (most) => {
    const end = now + most, before = seen.presses;
    while (seen.presses === before) {
      let id = 0;
      for (const [n, t] of timers) if (!id || t.at < timers.get(id).at) id = n;
      if (!id || timers.get(id).at > end) break;
      const { at, run } = timers.get(id);
      timers.delete(id);
      now = Math.max(now, at);
      run();
      look();
    }
    const pressed = seen.presses > before;
    if (!pressed) now = end;
    const shown = Object.fromEntries(["count", "title", "why", "tour"].map((name) => [name, document.getElementById(name).textContent.replaceAll("\u00a0", " ")]));
    return { pressed, now, lastRow: seen.lastRow, closest: seen.closest, ...shown };
  };
})();
