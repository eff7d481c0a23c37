// Addresses and keys.
"use strict";
const main = document.getElementById("main"), input = document.querySelector("#search input"), help = document.getElementById("help");
const places = new Map();  // how far each list was scrolled

function show() {
  const [path, parameters] = location.hash.slice(1).split("?"), [, view, id] = (path || "/").split("/");
  places.set(show.hash, window.scrollY);
  show.hash = location.hash;
  if (view !== "search") searching++;  // which ends the search that goes on
  if (view !== "search" && view !== "page") input.value = "";
  const views = {pages: () => viewPages(new URLSearchParams(parameters)), search: () => viewSearch(new URLSearchParams(parameters)), page: () => viewPage(id)};
  main.replaceChildren((views[view] || viewOverview)());
  for (const link of document.querySelectorAll("nav a")) link.toggleAttribute("aria-current", link.getAttribute("href") === `#/${view === "pages" ? "pages" : ""}` && (view || "") !== "page" && view !== "search");
  window.scrollTo(0, places.get(location.hash) || 0);
  document.body.dataset.shown = location.hash;
}

// Goes to an address at once, not when the browser tells of it, so that keys that are held are all heeded.
function go(hash) {
  location.hash = hash;
  if (location.hash !== show.hash) show();
}
const step = i => { const link = document.querySelectorAll(".step")[i].getAttribute("href"); if (link) go(link); };

const KEYS = {
  "/": () => { input.focus(); input.select(); },
  "?": () => help.showModal(),
  o: () => go("#/"),
};
const VIEWER_KEYS = {
  ArrowLeft: () => step(0),
  ArrowRight: () => step(1),
  Escape: () => go(current.hash),
  w: () => chooseDoubtful(1),
  W: () => chooseDoubtful(-1),
  ...Object.fromEntries(SWITCHES.map(([name, , key]) => [key, () => flip(name)])),
  "+": () => { shown.zoom = Math.min(shown.zoom * 1.25, 6); apply(); },
  "-": () => { shown.zoom = Math.max(shown.zoom / 1.25, 0.3); apply(); },
  0: () => { shown.zoom = 1; apply(); },
};
const move = step => {
  const rows = [...document.querySelectorAll("a.page, .short li a")], at = rows.indexOf(document.activeElement);
  rows[Math.min(Math.max(at + step, 0), rows.length - 1)]?.focus();
};
const LIST_KEYS = {ArrowDown: () => move(1), ArrowUp: () => move(-1)};

addEventListener("keydown", event => {
  if (event.ctrlKey || event.metaKey || event.altKey || help.open) return;
  if (event.target.matches("input, select")) {
    if (event.key === "Escape" || (event.key === "ArrowDown" && event.target === input)) { event.target.blur(); if (event.key === "ArrowDown") move(1); }
    return;
  }
  const keys = {...KEYS, ...(document.querySelector(".viewer") ? VIEWER_KEYS : LIST_KEYS)}, run = Object.hasOwn(keys, event.key) && keys[event.key];
  if (run) { event.preventDefault(); run(); }
});
document.getElementById("search").addEventListener("submit", event => {
  event.preventDefault();
  location.hash = `#/search?${new URLSearchParams({q: input.value.trim()})}`;
  input.blur();
});
document.getElementById("help-button").addEventListener("click", () => help.showModal());

if (pagebeam.summary) {
  document.title = `Pagebeam report: ${pagebeam.summary.output}`;
  loadIndex().then(() => { show(); addEventListener("hashchange", () => { if (location.hash !== show.hash) show(); }); document.body.dataset.readyMs = Math.round(performance.now()); })
    .catch(error => { main.textContent = error.message; });
} else {
  main.textContent = "The report isn't complete; run pagebeam report again.";
}
