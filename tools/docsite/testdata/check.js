// Reports what is wrong with a page to the page that shows it.
"use strict";

const wrong = [];
addEventListener("error", (e) => wrong.push("error: " + (e.message || (e.target && e.target.outerHTML))), true);
document.addEventListener("securitypolicyviolation", (e) => wrong.push("policy: " + e.blockedURI + " by " + e.violatedDirective));

addEventListener("load", async () => {
  const own = new URL(document.querySelector("script[data-check]").src);
  for (const r of performance.getEntriesByType("resource")) {
    const u = new URL(r.name);
    if (u.protocol !== own.protocol || u.host !== own.host) wrong.push("foreign request: " + r.name);
  }
  const overflow = document.documentElement.scrollWidth - innerWidth;
  if (overflow > 1) {
    const wide = [...document.body.querySelectorAll("*")].filter((e) => e.getBoundingClientRect().right > innerWidth + 1 && !e.closest(".scroll, pre, table"));
    wrong.push("wider than the window by " + overflow + ": " + (wide[0] ? wide[0].outerHTML.slice(0, 120) : ""));
  }
  let found = -1;
  const input = document.getElementById("search");
  if (input) {
    input.value = "purchase-refused";
    input.dispatchEvent(new Event("input"));
    found = document.querySelectorAll("#found a").length;
    if (found === 0) wrong.push("the search finds nothing");
    document.getElementById("found").hidden = true;
    input.value = "";
  }
  if (window.axe) {
    const result = await axe.run(document, { resultTypes: ["violations"] });
    for (const v of result.violations) {
      if (v.impact === "serious" || v.impact === "critical") {
        wrong.push("axe: " + v.id + ": " + v.nodes.length + " of " + v.nodes[0].html.slice(0, 160) + " " + (v.nodes[0].any[0] || v.nodes[0].all[0] || v.nodes[0].none[0] || {}).message);
      }
    }
  }
  parent.postMessage({ wrong, axe: Boolean(window.axe) }, "*");
});
