// Small helpers for making elements.

export const $ = (id) => document.getElementById(id);

// make returns an element with a class, and with children that are elements or texts.
export function make(tag, cls, ...children) {
  const e = document.createElement(tag);
  if (cls) e.className = cls;
  e.append(...children.filter((c) => c !== undefined && c !== null && c !== ""));
  return e;
}

// drawn returns an SVG element.
export function drawn(tag, attributes, ...children) {
  const e = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) e.setAttribute(name, value);
  e.append(...children);
  return e;
}

// put sets a text, and touches the page only if it is another one.
export function put(e, text) {
  if (e.textContent !== text) e.textContent = text;
}

export const still = () => matchMedia("(prefers-reduced-motion: reduce)").matches;
