// Shows the notes of the slide that the deck is at, and the time since it was opened beside the time
// at which the slide should begin.
"use strict";
(() => {
  const $ = (id) => document.getElementById(id);
  const began = Date.now();
  let begins = 0;
  const seconds = (s) => s.split(":").reduce((sum, part) => sum * 60 + Number(part), 0);
  setInterval(() => {
    const now = Math.floor((Date.now() - began) / 1000);
    $("clock").textContent = Math.floor(now / 60) + ":" + String(now % 60).padStart(2, "0");
    $("clock").classList.toggle("late", now > begins + 60);
  }, 250);
  window.addEventListener("message", (e) => {
    if (e.source !== window.opener) return;
    const s = e.data;
    document.documentElement.lang = s.lang;
    begins = seconds(s.begins);
    $("plan").textContent = s.begins + " + " + s.time + " · " + s.number + " / " + s.of;
    $("title").textContent = s.title;
    $("notes").textContent = s.notes.trim().replace(/\s*\n\s*/g, " ");
    $("next").textContent = s.next ? "→ " + s.next : "";
  });
  document.addEventListener("keydown", (e) => {
    if (!window.opener) return;
    if (e.key === "ArrowRight" || e.key === " " || e.key === "PageDown") window.opener.postMessage("next", "*");
    if (e.key === "ArrowLeft" || e.key === "PageUp") window.opener.postMessage("back", "*");
  });
  if (window.opener) window.opener.postMessage("ready", "*");
})();
