// The search of the site. The index is in search-index.js, so that it works without a server.
"use strict";

(() => {
  const bar = document.querySelector(".bar");
  const input = document.getElementById("search");
  const list = document.getElementById("found");
  const most = 20;
  let chosen = -1;

  // normal returns a text without case and accents.
  const normal = (text) => text.toLowerCase().normalize("NFD").replace(/[\u0300-\u036f]/g, "");
  const entries = searchEntries.map((e) => ({ ...e, title: normal(e.t), text: normal(e.k + " " + e.x) }));

  // score returns how well an entry fits, or 0 if a word is missing.
  function score(entry, words) {
    let sum = 0;
    for (const w of words) {
      if (entry.title === w) sum += 100;
      else if (entry.title.startsWith(w)) sum += 40;
      else if (entry.title.includes(w)) sum += 20;
      else if (entry.text.includes(w)) sum += 5;
      else return 0;
    }
    return sum;
  }

  function search(query) {
    const words = normal(query).split(/\s+/).filter(Boolean);
    if (words.length === 0) return [];
    return entries
      .map((e) => [score(e, words), e])
      .filter(([s]) => s > 0)
      .sort(([a], [b]) => b - a)
      .slice(0, most)
      .map(([, e]) => e);
  }

  function show() {
    const found = search(input.value);
    list.replaceChildren();
    chosen = -1;
    for (const e of found) {
      const item = document.createElement("li");
      item.setAttribute("role", "option");
      item.id = "found-" + list.children.length;
      const link = document.createElement("a");
      link.href = bar.dataset.root + e.u;
      link.tabIndex = -1;
      const kind = document.createElement("small");
      kind.textContent = e.k + (e.x ? " · " + e.x.slice(0, 140) : "");
      link.append(e.t, kind);
      item.append(link);
      list.append(item);
    }
    if (found.length === 0 && input.value.trim()) {
      const item = document.createElement("li");
      item.setAttribute("role", "option");
      item.setAttribute("aria-disabled", "true");
      item.textContent = "Nothing found.";
      list.append(item);
    }
    open(list.children.length > 0);
  }

  function open(yes) {
    list.hidden = !yes;
    input.setAttribute("aria-expanded", String(yes));
  }

  // choose selects the result that is so many below the present one.
  function choose(step) {
    const items = list.querySelectorAll("li:not([aria-disabled])");
    if (items.length === 0) return;
    items[chosen]?.removeAttribute("aria-selected");
    chosen = (chosen + step + items.length) % items.length;
    items[chosen].setAttribute("aria-selected", "true");
    items[chosen].scrollIntoView({ block: "nearest" });
    input.setAttribute("aria-activedescendant", items[chosen].id);
  }

  input.addEventListener("input", show);
  input.addEventListener("focus", () => { if (input.value) show(); });
  input.addEventListener("keydown", (e) => {
    if (e.key === "ArrowDown" || e.key === "ArrowUp") {
      choose(e.key === "ArrowDown" ? 1 : chosen < 0 ? 0 : -1);
      e.preventDefault();
    } else if (e.key === "Enter") {
      const items = list.querySelectorAll("li:not([aria-disabled]) a");
      if (items.length > 0) items[Math.max(chosen, 0)].click();
    } else if (e.key === "Escape") {
      open(false);
    }
  });
  list.addEventListener("click", () => open(false));
  document.addEventListener("click", (e) => { if (!e.target.closest(".search")) open(false); });
  document.addEventListener("keydown", (e) => {
    if (e.key === "/" && !/^(INPUT|TEXTAREA|SELECT)$/.test(document.activeElement.tagName)) {
      input.focus();
      e.preventDefault();
    }
  });
})();
