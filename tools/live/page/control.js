// The buttons: steps, scenes, and what can be done to an instance.

import { $, make, put } from "./dom.js";
import { w } from "./words.js";

const scenes = ["buy", "lost", "crash", "twins", "race", "rush", "replay", "poison", "month"];
const controls = ["stop", "kill", "freeze", "cut", "back"];
const instances = new Map();
let told = { text: () => w("hint") }; // the last action, to be shown again in another language

// press begins an action and reports whether it was accepted.
export async function press(action, query = {}) {
  let answer;
  try {
    answer = await fetch(`do/${action}?${new URLSearchParams(query)}`, { method: "POST" });
  } catch {
    say({ text: () => w("away"), bad: true });
    return false;
  }
  if (answer.ok) return true;
  const body = await answer.json().catch(() => ({}));
  say({ text: () => (body.busy ? w("busy", name(body.busy)) : body.error || answer.statusText), bad: true });
  return false;
}

const name = (action) => (action === "step" || action === "story" ? w("tour") : w(action));

function say(what) {
  told = what;
  put($("told"), what.text());
  $("told").classList.toggle("bad", Boolean(what.bad));
}

// draw makes the buttons of the scenes.
export function draw(steps) {
  $("scenes").replaceChildren(...scenes.map((s) => {
    const b = make("button", "scene");
    b.type = "button";
    b.dataset.action = s;
    b.addEventListener("click", () => usable(b) && press(s));
    return b;
  }));
  $("steps").replaceChildren(...steps.map((_, i) => {
    const b = make("button", "", String(i + 1));
    b.type = "button";
    b.dataset.step = i + 1;
    b.addEventListener("click", () => usable(b) && press("step", { number: i + 1 }));
    return make("li", "", b);
  }));
  $("restart").addEventListener("click", () => usable($("restart")) && press("restart"));
}

// A button that cannot be used stays focusable, so that its reason can be read.
const usable = (b) => {
  if (b.getAttribute("aria-disabled") !== "true") return true;
  if (b.dataset.why.trim()) say({ text: () => w(b.dataset.why), bad: true });
  return false;
};

function enable(b, why) {
  const off = why !== "";
  if ((b.getAttribute("aria-disabled") === "true") !== off) b.setAttribute("aria-disabled", String(off));
  b.dataset.why = why;
}

// show draws the state of the buttons.
export function show(state, steps, lang) {
  const stage = state.stage || { unavailable: {}, frozen: [], down: [], cut: [], played: 0, step: 0, busy: "" };
  const busy = !state.stage || stage.busy !== "" || state.restarting;
  for (const b of $("scenes").children) {
    put(b, w(b.dataset.action));
    b.title = w(stage.unavailable[b.dataset.action] || b.dataset.action + "Why");
    const reason = stage.unavailable[b.dataset.action] || "";
    enable(b, reason || (busy ? " " : ""));
    b.classList.toggle("now", stage.busy === b.dataset.action);
  }
  for (const li of $("steps").children) {
    const b = li.firstElementChild, n = Number(b.dataset.step);
    const label = `${n}. ${steps[n - 1][lang].title}`;
    if (b.getAttribute("aria-label") !== label) { b.setAttribute("aria-label", label); b.title = label; }
    b.className = n === stage.step ? "now" : n <= stage.played ? "done" : "";
    enable(b, n <= stage.played ? " " : n > stage.playable ? "no-processes" : stage.unavailable.step || (busy ? " " : ""));
  }
  $("restart").hidden = !state.restartable;
  enable($("restart"), state.restarting || state.phase === "starting" ? " " : "");
  drawInstances(state, stage, busy);
}

function drawInstances(state, stage, busy) {
  const all = (state.seen && state.seen.instances) || [];
  for (const [n, e] of instances) if (!all.some((i) => i.name === n)) { e.root.remove(); instances.delete(n); }
  for (const i of all) {
    if (!instances.has(i.name)) instances.set(i.name, newInstance(i));
    const e = instances.get(i.name);
    const how = stage.down.includes(i.name) ? "down" : stage.frozen.includes(i.name) ? "frozen" : stage.cut.includes(i.name) ? "cutOff" : !i.up ? "noAnswer" : i.ready ? "ready" : "notReady";
    e.root.dataset.how = how;
    put(e.how, w(how) + (i.position >= 0 ? ` @${i.position}` : ""));
    e.publishes.hidden = !i.publishes;
    put(e.publishes, w("publishes"));
    for (const b of e.buttons) {
      const action = b.dataset.action;
      put(b, w(action));
      const label = w(action + "On", i.name);
      b.setAttribute("aria-label", label);
      const reason = stage.unavailable[action] || "";
      b.title = reason ? w(reason) : label;
      const hurt = how === "down" || how === "frozen" || how === "cutOff";
      b.hidden = action === "back" ? !hurt : hurt && !(action === "kill" && how !== "down");
      enable(b, reason || (busy ? " " : ""));
    }
  }
}

function newInstance(i) {
  const e = { how: make("span", "how"), publishes: make("span", "pill pub") };
  e.buttons = controls.map((action) => {
    const b = make("button", "tiny");
    b.type = "button";
    b.dataset.action = action;
    b.addEventListener("click", () => usable(b) && press(action, { on: i.name }));
    return b;
  });
  e.root = make("div", "instance", make("div", "line", make("b", "", i.name), e.publishes, e.how), make("div", "line", ...e.buttons));
  $(i.service + "-instances").append(e.root);
  return e;
}

// report shows the beginning or the outcome of an action.
export function report(b) {
  if (b.name === "step") {
    if (b.phase === "failed") say({ text: () => w("failedWith", b.text), bad: true });
    return;
  }
  const title = () => w(b.name) + (b.on ? ` ${b.on}` : "");
  const why = () => w(b.name + "Why", b.on);
  if (b.phase === "failed") say({ text: () => `${title()}. ${w("failedWith", b.text)}`, bad: true });
  else say({ text: () => `${title()}. ${why()} ${b.phase === "done" ? w("done") : ""}` });
}

// clear forgets the last action.
export const clear = () => say({ text: () => w("hint") });

// translate shows the last action in the present language.
export const translate = () => say(told);
