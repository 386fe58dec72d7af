// The guided tour: it plays the story step by step and leaves time to read.

import { $, put } from "./dom.js";
import { w, spaced } from "./words.js";
import { press } from "./control.js";
import * as stream from "./stream.js";

let state = {}, steps = [], lang = () => "en";
let on = false, waiting = null, shown = 0, ended = false, wantStart = false;

export const running = () => on;

// start sets up the buttons and keys.
export function start(texts, language) {
  steps = texts;
  lang = language;
  $("tour").addEventListener("click", toggle);
  $("next").addEventListener("click", next);
  $("speed").addEventListener("change", pace);
  document.addEventListener("keydown", (e) => {
    if (e.ctrlKey || e.metaKey || e.altKey || document.querySelector("dialog[open]") || e.target.closest("button, select, input, a")) return;
    if (e.key === " ") { e.preventDefault(); toggle(); }
    if (e.key === "n" || e.key === "N") next();
  });
  say();
}

// A letter stands this long, in milliseconds, at the normal pace: 16 letters a second, as in the
// subtitles of a film.
const perLetter = 62;

const speed = () => Number($("speed").value);
const played = () => (state.stage ? state.stage.played : 0);
const over = () => state.stage && (played() >= steps.length || state.stage.failed || state.stage.unavailable.step === "no-processes");

function pace() { stream.pace(on ? 420 / speed() : 0); }

function toggle() {
  if (on) return stop();
  if (over() && !state.restartable) return;
  on = true;
  pace();
  if (over() && state.restartable) { wantStart = true; press("restart"); }
  else advance();
  draw();
}

function stop() {
  on = wantStart = false;
  clearTimeout(waiting);
  waiting = null;
  pace();
  draw();
}

async function next() {
  clearTimeout(waiting);
  waiting = null;
  if (!state.stage || state.stage.busy || over()) return;
  ended = false;
  if (!(await press("step", { number: played() + 1 })) && on) later(1500);
}

function later(ms) {
  clearTimeout(waiting);
  waiting = setTimeout(() => { waiting = null; advance(); }, ms);
}

function advance() {
  if (!on) return;
  if (!state.stage || state.stage.busy || stream.waiting()) return later(300);
  if (over()) return stop();
  next();
}

// show takes the state of the system.
export function show(s) {
  state = s;
  if (wantStart && s.stage && !s.restarting && played() === 0) { wantStart = false; advance(); }
  if (shown === 0 && played() > 0) { shown = played(); say(); } // the page came later
  if (played() === 0 && shown && !(s.stage && s.stage.step)) { shown = 0; say(); }
  draw();
}

// step takes the beginning or the end of a step, when it is its turn to be seen.
export function step(b) {
  if (b.fault) { shown = b.number; say(); return stop(); }
  if (!b.ended) { shown = b.number; ended = false; say(); return; }
  ended = true;
  drained();
}

// drained is called when everything that has happened has been shown.
export function drained() {
  if (!on || !ended || waiting || stream.waiting()) return;
  ended = false;
  const text = steps[shown - 1] ? steps[shown - 1][lang()] : { title: "", why: "" };
  later((1500 + perLetter * (text.title.length + text.why.length)) / speed());
}

// say shows the sentence of the step.
export function say() {
  if (!shown) {
    put($("count"), "");
    put($("title"), w("welcome"));
    put($("why"), w("welcomeWhy"));
    return;
  }
  const text = steps[shown - 1][lang()];
  put($("count"), w("step", shown, steps.length));
  put($("title"), spaced(text.title));
  put($("why"), spaced(text.why));
}

export function draw() {
  put($("tour"), on ? w("pause") : over() && state.restartable ? w("again") : played() ? w("resume") : w("tour"));
  $("tour").setAttribute("aria-pressed", String(on));
  const off = !state.stage || Boolean(state.stage.busy) || Boolean(over());
  $("next").setAttribute("aria-disabled", String(off));
  $("tour").setAttribute("aria-disabled", String(!on && Boolean(over()) && !state.restartable));
}
