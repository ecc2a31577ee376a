// Brings the page up to date in place. Everything can be read without it.
"use strict";

const seconds = Number(document.currentScript.dataset.seconds);
let paused = false;

// What a reader has opened, scrolled or reached stays so.
function keep(before, after) {
  const name = (one) => (one.querySelector("summary")?.textContent ?? "").replace(/[\d,.]+/g, "");
  const opened = new Set([...before.querySelectorAll("details[open]")].map(name));
  for (const one of after.querySelectorAll("details")) one.open = opened.has(name(one));
  const scrolled = new Map([...before.querySelectorAll(".wide")].map((one) => [one.ariaLabel, one.scrollLeft]));
  const focused = document.activeElement;
  const place = before.contains(focused) ? { tag: focused.tagName, href: focused.getAttribute("href"), label: focused.ariaLabel } : null;
  return () => {
    for (const one of after.querySelectorAll(".wide")) one.scrollLeft = scrolled.get(one.ariaLabel) ?? 0;
    if (!place) return;
    const same = (one) => one.getAttribute("href") === place.href && one.ariaLabel === place.label;
    [...after.querySelectorAll(place.tag)].find(same)?.focus({ preventScroll: true });
  };
}

async function refresh() {
  if (paused || document.hidden || !getSelection().isCollapsed) return;
  const status = document.getElementById("live");
  try {
    const response = await fetch(location.href, { headers: { accept: "text/html" } });
    const fresh = new DOMParser().parseFromString(await response.text(), "text/html");
    const before = document.querySelector("main"), after = fresh.querySelector("main");
    if (before.innerHTML !== after.innerHTML) {
      const restore = keep(before, after);
      before.replaceWith(after);
      restore();
    }
    document.querySelector("footer time").replaceWith(fresh.querySelector("footer time"));
    status.firstChild.textContent = "Live. ";
  } catch {
    status.firstChild.textContent = "The board does not answer. ";
  }
}

function begin() {
  const status = document.getElementById("live");
  const button = document.createElement("button");
  button.className = "small";
  button.type = "button";
  button.textContent = "Pause";
  button.addEventListener("click", () => {
    paused = !paused;
    button.textContent = paused ? "Go on" : "Pause";
    status.firstChild.textContent = paused ? "Paused. " : "Live. ";
  });
  status.append(document.createTextNode("Live. "), button);
  setInterval(refresh, seconds * 1000);
}

begin();
