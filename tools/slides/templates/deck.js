// Starts the deck and keeps the speaker's window, which S opens, in step with it.
"use strict";
(() => {
  const deck = new Reveal(document.querySelector(".reveal"), {
    width: 1280, height: 720, margin: 0.02, center: false, hash: true, transition: "none", backgroundTransition: "none",
    controlsTutorial: false, slideNumber: false, scrollActivationWidth: 0, pdfSeparateFragments: false,
  });
  let speaker = null;
  const sections = Array.from(document.querySelectorAll("section.slide"));
  const tell = () => {
    if (!speaker || speaker.closed) return;
    const i = sections.indexOf(deck.getCurrentSlide());
    const next = sections[i + 1];
    speaker.postMessage({
      lang: document.documentElement.lang, number: i + 1, of: sections.length, title: sections[i].dataset.title,
      time: sections[i].dataset.time, begins: sections[i].dataset.begins, notes: sections[i].querySelector("aside.notes").innerText ||
        sections[i].querySelector("aside.notes").textContent, next: next ? next.dataset.title : "",
    }, "*");
  };
  deck.initialize().then(() => document.documentElement.setAttribute("data-ready", "true"));
  deck.on("slidechanged", tell);
  deck.addKeyBinding({ keyCode: 83, key: "S", description: "Notes" }, () => {
    speaker = window.open("speaker.html", "speaker", "width=760,height=620");
  });
  window.addEventListener("message", (e) => {
    if (e.source !== speaker || speaker === null) return;
    if (e.data === "ready") tell();
    if (e.data === "next") deck.next();
    if (e.data === "back") deck.prev();
  });
})();
