// The report's data and lists. Text of pages only ever becomes text nodes: it can't become markup.
"use strict";
const pagebeam = {summary: null, pages: [], loaded: {index: [], texts: [], words: []}};

// Called by the scripts in data/: what the pages of script number `number` are.
pagebeam.add = (kind, number, items) => { pagebeam.loaded[kind][number] = items; };

// Loads a script of data unless it is there; resolves to its items.
const loading = new Map();
function load(kind, number) {
  if (pagebeam.loaded[kind][number]) return Promise.resolve(pagebeam.loaded[kind][number]);
  const src = `data/${kind}-${String(number).padStart(5, "0")}.js`;
  if (!loading.has(src)) {
    loading.set(src, new Promise((resolve, reject) => {
      const script = document.createElement("script");
      script.src = src;
      script.onload = () => { script.remove(); loading.delete(src); resolve(pagebeam.loaded[kind][number]); };
      script.onerror = () => { loading.delete(src); reject(new Error(`${src} is missing; write the report again`)); };
      document.head.append(script);
    }));
  }
  return loading.get(src);
}

const scripts = kind => Math.ceil(pagebeam.summary.pages / pagebeam.summary.per_script[kind]);

async function loadIndex() {
  const parts = await Promise.all(Array.from({length: scripts("index")}, (_, i) => load("index", i)));
  let uri = "";
  for (const [place, index, count, status, confidence, words, ms, reason, picture] of parts.flat()) {
    uri = place || uri;
    pagebeam.pages.push({
      id: pagebeam.pages.length, uri, index, count, status: pagebeam.summary.statuses[status], words, ms, reason, picture,
      confidence: confidence === null ? null : confidence / 1000,
    });
  }
  pagebeam.loaded.index = [];
  pagebeam.folder = commonFolder(pagebeam.pages.map(page => page.uri));
  pagebeam.pages.sort((a, b) => a.uri < b.uri ? -1 : a.uri > b.uri ? 1 : a.index - b.index);
  pagebeam.pages.forEach((page, place) => { page.place = place; });
}

function commonFolder(uris) {
  let first = uris[0] || "";
  for (const uri of uris) while (!uri.startsWith(first)) first = first.slice(0, -1);
  return first.slice(0, first.lastIndexOf("/") + 1);
}

// The elements that all views are made of: h("a", {href}, "text", child, …).
function h(name, attributes = {}, ...children) {
  const isDrawing = ["svg", "g", "rect", "polygon", "polyline", "circle", "image", "text", "line", "title"].includes(name);
  const element = isDrawing ? document.createElementNS("http://www.w3.org/2000/svg", name) : document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (value !== null && value !== false && value !== undefined) element.setAttribute(key, value === true ? "" : value);
  }
  element.append(...children.flat().filter(child => child !== null && child !== undefined && child !== false));
  return element;
}

const number = value => value.toLocaleString("en");
const percent = share => share === null || share === undefined ? "–" : `${(100 * share).toFixed(1)} %`;
const seconds = ms => ms < 1000 ? `${ms} ms` : `${(ms / 1000).toFixed(1)} s`;
// 0 to 4: under 50 %, 70 %, 85 %, 95 %, and above. Colors of them are in report.css.
const BOUNDS = [0.5, 0.7, 0.85, 0.95], LEVELS = ["under 50 %", "50 to 70 %", "70 to 85 %", "85 to 95 %", "95 % and more"];
const level = confidence => BOUNDS.filter(bound => confidence >= bound).length;
const title = page => page.uri.slice(pagebeam.folder.length) + (page.count > 1 ? `, page ${page.index + 1}` : "");

// ---- search ----

// Small letters without accents, one for each of the text's, so that places are the same in both.
const fold = text => text.normalize("NFD").length === text.length && !/[^\x00-\x7f]/.test(text)
  ? text.toLowerCase().replace(/\n/g, " ")
  : Array.from(text, letter => {
    const folded = letter.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase();
    return letter === "\n" ? " " : folded.length === letter.length ? folded : letter;
  }).join("");

const terms = query => [...query.matchAll(/["“”]([^"“”]+)["“”]|(\S+)/g)].map(match => fold(match[1] || match[2]))
  .filter(term => term.replace(/["“”]/g, ""));

// Yields the pages that have all terms, as they are found, with the place of the first term in the text.
const folded = [];
async function* findPages(query) {
  const wanted = terms(query), size = pagebeam.summary.per_script.texts;
  const byId = new Map(pagebeam.pages.map(page => [page.id, page]));
  for (let i = 0; wanted.length && i < scripts("texts"); i++) {
    const texts = await load("texts", i);
    folded[i] ||= texts.map(fold);
    for (let j = 0; j < texts.length; j++) {
      if (wanted.every(term => folded[i][j].includes(term)))
        yield {page: byId.get(i * size + j), text: texts[j], at: folded[i][j].indexOf(wanted[0]), length: wanted[0].length};
    }
    await new Promise(resolve => setTimeout(resolve));  // so that what is found is shown, and keys are heard
  }
}

const snippet = ({text, at, length}) => h("span", {class: "snippet"},
  (at > 60 ? "… " : "") + text.slice(Math.max(at - 60, 0), at), h("mark", {}, text.slice(at, at + length)),
  text.slice(at + length, at + length + 100) + " …");

// ---- lists of pages ----

const ORDERS = {
  document: ["by document", (a, b) => a.place - b.place],
  confidence: ["least confident first", (a, b) => (a.confidence ?? 2) - (b.confidence ?? 2)],
  slow: ["slowest first", (a, b) => b.ms - a.ms],
  words: ["most words first", (a, b) => b.words - a.words],
};

function pageRow(page, extra) {
  const picture = page.picture && h("img", {src: `pictures/${page.picture}.webp`, alt: "", loading: "lazy"});
  return h("a", {class: "page", href: `#/page/${page.id}`},
    h("span", {class: "thumb"}, picture || null),
    h("span", {class: "what"}, h("b", {}, title(page)), extra || null),
    h("span", {class: `status ${page.status}`}, page.status.replace("_", " ")),
    h("span", {class: "number"}, page.confidence === null ? "–" :
      h("i", {class: `dot level${level(page.confidence)}`}), page.confidence === null ? "" : percent(page.confidence)),
    h("span", {class: "number"}, `${number(page.words)} words`), h("span", {class: "number"}, seconds(page.ms)));
}

// Shows the rows of a list as they are scrolled to, so that ten thousand pages are shown at once.
function growingList(rows) {
  const list = h("div", {class: "pages"}), end = h("div", {class: "end"});
  let shown = 0;
  const observer = new IntersectionObserver(entries => { if (entries.some(entry => entry.isIntersecting)) more(); }, {rootMargin: "1000px"});
  const more = () => {
    for (const stop = Math.min(shown + 100, rows.length); shown < stop; shown++) list.append(rows[shown]());
    observer.unobserve(end);
    if (shown < rows.length) observer.observe(end);  // anew: it may still be in sight
  };
  more();
  return {element: h("div", {}, list, end), update: more};
}

function viewPages(parameters) {
  const order = ORDERS[parameters.get("order")] ? parameters.get("order") : "document";
  const status = parameters.get("status") || "", reason = parameters.get("reason");
  const pages = pagebeam.pages
    .filter(page => (!status || page.status === status) && (reason === null || page.reason === Number(reason)))
    .sort(ORDERS[order][1]);
  const go = (name, value) => {
    const next = new URLSearchParams(parameters);
    value ? next.set(name, value) : next.delete(name);
    location.hash = `#/pages?${next}`;
  };
  const select = (name, current, options) => h("select", {"aria-label": name, onchange: event => go(name, event.target.value)},
    options.map(([value, text]) => h("option", {value, selected: value === current}, text)));
  setList(pages, location.hash);
  const failure = reason === null ? null : pagebeam.summary.status.failures[reason];
  return h("section", {},
    h("div", {class: "bar"}, h("h1", {}, `${number(pages.length)} pages`),
      select("status", status, [["", "any status"], ...pagebeam.summary.statuses.map(name => [name, name.replace("_", " ")])]),
      select("order", order, Object.entries(ORDERS).map(([name, [text]]) => [name, text])),
      failure && h("button", {onclick: () => go("reason", "")}, `failed at ${failure.stage}: ${failure.reason} ✕`)),
    pages.length ? growingList(pages.map(page => () => pageRow(page))).element : h("p", {}, "There are none."));
}

let searching = 0;
function viewSearch(parameters) {
  const query = parameters.get("q") || "", own = ++searching, rows = [];
  const hits = [], count = h("h1", {}, "Searching …"), list = growingList(rows), body = h("div", {}, list.element);
  setList([], location.hash);
  (async () => {
    const start = performance.now();
    for await (const hit of findPages(query)) {
      if (own !== searching) return;
      hits.push(hit);
      rows.push(() => pageRow(hit.page, snippet(hit)));
      if (rows.length <= 100) list.update();
    }
    if (own !== searching) return;
    hits.sort((a, b) => a.page.place - b.page.place);
    setList(hits.map(hit => hit.page), location.hash);
    body.replaceChildren(growingList(hits.map(hit => () => pageRow(hit.page, snippet(hit)))).element);
    count.textContent = `${number(hits.length)} ${hits.length === 1 ? "page" : "pages"} with ${query}`;
    document.body.dataset.searchedMs = Math.round(performance.now() - start);
  })().catch(error => { count.textContent = error.message; });
  input.value = query;
  return h("section", {}, h("div", {class: "bar"}, count), body);
}

// The pages through which the arrow keys lead in the viewer, and the address of their list.
const current = {pages: [], hash: "#/pages"};
function setList(pages, hash) { Object.assign(current, {pages, hash}); }
