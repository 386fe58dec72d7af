// The live view: it receives what happens and shows it.

import { $, put } from "./dom.js";
import { w, lang, setLanguage } from "./words.js";
import * as stream from "./stream.js";
import * as store from "./store.js";
import * as lanes from "./lanes.js";
import * as gauges from "./gauges.js";
import * as control from "./control.js";
import * as tour from "./tour.js";
import * as path from "./path.js";

let state = {}, connected = true;
const steps = await (await fetch("story")).json();

function draw() {
  const phase = !connected ? "away" : state.phase || "starting";
  put($("phase"), w(phase) + (state.text && connected ? `: ${state.text}` : ""));
  $("phase").dataset.phase = phase;
  const ahead = state.stage ? state.stage.ahead : 0;
  put($("clock"), ahead ? w("clockIs", new Intl.DateTimeFormat(lang(), { dateStyle: "long", timeZone: "Europe/Paris" }).format(new Date(Date.now() + ahead * 1000))) : "");
  gauges.show(state);
  control.show(state, steps, lang());
  tour.show(state);
}

let toastEnds;
function toast(text) {
  $("toast").hidden = false;
  put($("toast"), text);
  clearTimeout(toastEnds);
  toastEnds = setTimeout(() => { $("toast").hidden = true; }, 6000);
}

function setTheme(to) {
  document.documentElement.dataset.theme = to;
  localStorage.setItem("theme", to);
  put($("theme"), w(to === "dark" ? "themeLight" : "themeDark"));
}

function translate(to) {
  setLanguage(to);
  put($("language"), w("language"));
  $("language").lang = to === "fr" ? "en" : "fr";
  document.title = `deferpay, ${w("live")}`;
  setTheme(document.documentElement.dataset.theme);
  control.translate();
  tour.say();
  draw();
}

setTheme(localStorage.getItem("theme") || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light"));
$("theme").addEventListener("click", () => setTheme(document.documentElement.dataset.theme === "dark" ? "light" : "dark"));
$("language").addEventListener("click", () => translate(lang() === "fr" ? "en" : "fr"));
control.draw(steps);
tour.start(steps, lang);
translate(lang());

document.addEventListener("click", (e) => {
  const entry = e.target.closest(".entry");
  if (entry) path.open(Number(entry.dataset.n));
});
$("path-close").addEventListener("click", () => $("path").close());
$("path").addEventListener("click", (e) => { if (e.target === $("path")) $("path").close(); });

stream.open({
  connected(is) { connected = is; draw(); },
  fresh() { store.clear(); lanes.clear(); gauges.clear(); control.clear(); $("path").close(); },
  caught({ count, lost }) { toast(lost ? w("backLost", lost) : w("backAgain", count)); },
  state(s) { state = s; draw(); },
  event(e, visible) {
    store.add(e);
    if (e.kind === "step") tour.step(e.body);
    else if (e.kind === "action") control.report(e.body);
    else if (visible) lanes.show(e);
  },
  drained() { tour.drained(); path.update(); },
});
document.documentElement.dataset.ready = "true";
