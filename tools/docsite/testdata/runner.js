// Shows pages one after the other at a width, and writes what they report.
"use strict";

(async () => {
  const result = {};
  for (const page of pages) {
    const frame = document.createElement("iframe");
    frame.width = width;
    frame.height = 900;
    const report = new Promise((done) => {
      const take = (e) => {
        if (e.source !== frame.contentWindow) return;
        removeEventListener("message", take);
        done(e.data);
      };
      addEventListener("message", take);
      setTimeout(() => done({ wrong: ["no report after 60 s"], axe: false }), 60000);
    });
    frame.src = page;
    document.body.append(frame);
    result[page] = await report;
    frame.remove();
  }
  const pre = document.createElement("pre");
  pre.id = "result";
  pre.textContent = JSON.stringify(result);
  document.body.append(pre);
})();
