// One page: its picture with the words drawn over it, and its text beside it.
"use strict";
const shown = {page: null, words: null, chosen: -1, zoom: 1, hasBoxes: true, hasBlocks: false, hasPicture: true};
// What a button and a key switch on and off.
const SWITCHES = [["hasBoxes", "words", "b"], ["hasBlocks", "blocks", "l"], ["hasPicture", "picture", "t"]];
const flip = name => { shown[name] = !shown[name]; apply(); };

function viewPage(id) {
  const place = pagebeam.pages.findIndex(page => page.id === Number(id));
  if (place < 0) return h("p", {}, "There is no such page.");
  const page = pagebeam.pages[place], size = pagebeam.summary.per_script.words;
  if (!current.pages.includes(page)) setList(pagebeam.pages, "#/pages");
  const at = current.pages.indexOf(page), link = (i, text) => i >= 0 && i < current.pages.length
    ? h("a", {href: `#/page/${current.pages[i].id}`, class: "step"}, text) : h("span", {class: "step"}, text);
  const section = h("section", {class: "viewer"},
    h("div", {class: "bar"}, link(at - 1, "←"), h("span", {}, `${number(at + 1)} of ${number(current.pages.length)}`), link(at + 1, "→"),
      h("h1", {}, title(page)), h("a", {href: current.hash}, "list"),
      h("span", {class: "switches"}, SWITCHES.map(([name, text, key]) => h("button", {"data-switch": name, type: "button", title: `${text} (${key})`, onclick: () => flip(name)}, text)))),
    h("div", {class: "sides"}, h("div", {class: "sheet"}), h("div", {class: "side"}, h("p", {}, "Loading …"))));
  Object.assign(shown, {page, words: null, chosen: -1});
  load("words", Math.floor(page.id / size)).then(pages => {
    if (shown.page === page) drawPage(section, page, pages[page.id % size]);
    pagebeam.loaded.words = [];  // the browser keeps the script
  }).catch(error => { section.querySelector(".side").textContent = error.message; });
  return section;
}

function drawPage(section, page, words) {
  shown.words = words;
  const found = terms(new URLSearchParams(current.hash.split("?")[1] || "").get("q") || "").flatMap(term => term.split(" "));
  const leftOut = new Set(words.x || []);
  const isFound = text => found.some(term => fold(text).includes(term));
  const info = i => `${words.t[i]}\n${words.c[i]} %${leftOut.has(i) ? ", not in the page's text" : ""}`;
  const texts = words.t || [], svg = words.width ? sheet(page, words, texts) : null;
  const classes = texts.map((text, i) => `word level${level(words.c[i] / 100)}${leftOut.has(i) ? " out" : ""}${isFound(text) ? " found" : ""}`);
  if (svg) {
    const layer = svg.querySelector("g");
    texts.forEach((text, i) => {
      const quad = words.q.slice(8 * i, 8 * i + 8);
      layer.append(h("g", {class: classes[i], "data-word": i}, h("polygon", {points: quad.join(" ")}, h("title", {}, info(i))), wordText(text, quad)));
    });
  }
  if (svg && words.b) svg.querySelector("g").append(blockLayer(words));
  const begins = new Set();  // the first lines of blocks
  (words.b || []).reduce((first, [, , , count]) => { begins.add(first); return first + count; }, words.l?.[0] || 0);
  const lines = [];
  texts.forEach((text, i) => {
    const line = h("span", {class: classes[i], "data-word": i, title: info(i)}, text);
    if (i && words.l[i] === words.l[i - 1]) lines.at(-1).append(" ", line);
    else lines.push(h("div", {class: i && begins.has(words.l[i]) ? "line begins" : "line"}, line));
  });
  const counts = LEVELS.map((name, i) => [name, texts.filter((_, word) => level(words.c[word] / 100) === i).length, i]);
  const noPicture = page.picture ? null : words.no_picture || "the report was written without it; pagebeam report --pictures all draws all pages";
  const address = page.uri.startsWith("/") ? `file://${page.uri.split("/").map(encodeURIComponent).join("/")}#page=${page.index + 1}` : null;
  section.querySelector(".sheet").replaceChildren(svg || h("p", {}, "This page could not be decoded."));
  section.querySelector(".side").replaceChildren(
    words.failure ? h("p", {class: "status failed"}, `failed at ${words.failure.stage}: ${words.failure.message}`) : "",
    h("p", {class: "legend"}, counts.filter(([, count]) => count).map(([name, count, i]) =>
      h("span", {}, h("i", {class: `dot level${i}`}), `${name}: ${number(count)}`))),
    words.b ? h("p", {class: "legend kinds"}, [...new Set(words.b.map(([kind]) => kind))].map(kind =>
      h("span", {}, h("i", {class: `dot kind-${kind}`}), `${kind.replace("_", " ")}: ${number(words.b.filter(block => block[0] === kind).length)}`))) : "",
    h("p", {class: "small"}, address ? h("a", {href: address}, page.uri) : page.uri, h("br"),
      [page.status.replace("_", " "), page.confidence === null ? "" : percent(page.confidence), `${number(page.words)} words`, seconds(page.ms),
        words.width ? `${words.width} × ${words.height} px` : "", words.turned ? `turned by ${words.turned}°` : ""].filter(Boolean).join(" · "), h("br"),
      Object.values(words.read_by).join(" · "), noPicture && svg ? h("span", {}, h("br"), `No picture: ${noPicture}.`) : null),
    h("div", {class: "text"}, texts.length ? lines : page.status === "failed" ? "" : h("p", {id: "headline"})));
  if (!texts.length && page.status === "ok") showText(page);
  section.addEventListener("click", event => { const word = event.target.closest("[data-word]"); if (word) choose(Number(word.dataset.word)); });
  section.addEventListener("pointerover", event => mark("over", Number(event.target.closest("[data-word]")?.dataset.word ?? -1)));
  apply();
  const first = section.querySelector(".side .found");
  if (first) choose(Number(first.dataset.word));
}

// Rows without words, such as captions, have a text.
async function showText(page) {
  const size = pagebeam.summary.per_script.texts, texts = await load("texts", Math.floor(page.id / size));
  const element = document.getElementById("headline");
  if (element) element.textContent = texts[page.id % size];
}

// The drawing: the picture, turned upright, in the pixels of the page, in which words have their places.
function sheet(page, words) {
  const {width, height, turned} = words, isOnSide = turned % 180 !== 0;
  const turn = {0: "", 90: `rotate(-90) translate(${-width} 0)`, 180: `rotate(180) translate(${-width} ${-height})`, 270: `rotate(90) translate(0 ${-height})`}[turned];
  const layer = h("g", {transform: turn}, h("rect", {width, height, class: "paper"}));
  if (page.picture) layer.append(h("image", {href: `pictures/${page.picture}.webp`, width, height, preserveAspectRatio: "none"}));
  return h("svg", {class: page.picture ? "drawing" : "drawing no-picture", viewBox: `0 0 ${isOnSide ? height : width} ${isOnSide ? width : height}`}, layer);
}

// The outlines of blocks with their places in the reading order, of their lines, and of the cells of tables.
function blockLayer(words) {
  const layer = h("g", {class: "blocks"}), most = Math.max(words.width, words.height) / 95, heights = [];
  for (let i = 0; i < words.n.length; i += 8) {
    const quad = words.n.slice(i, i + 8);
    heights.push(Math.hypot(quad[6] - quad[0], quad[7] - quad[1]));
    layer.append(h("polygon", {class: "outline", points: quad.join(" ")}));
  }
  const size = Math.min(Math.max(heights.sort((a, b) => a - b)[heights.length >> 1] * 0.75, most / 3), most);  // of tags: no larger than the text
  words.b.forEach(([kind, level, column, , quad, cells], i) => {
    const [x0, y0, x1, y1] = quad, angle = Math.atan2(y1 - y0, x1 - x0) * 180 / Math.PI;
    const name = [i + 1, kind.replace("_", " "), level].filter(Boolean).join(" ");
    const block = h("g", {class: `block kind-${kind}`}, h("polygon", {points: quad.join(" ")}));
    for (const [row, place, rows, columns, of] of cells || []) {
      const xs = of.flatMap(word => [0, 2, 4, 6].map(k => words.q[8 * word + k])), ys = of.flatMap(word => [1, 3, 5, 7].map(k => words.q[8 * word + k]));
      const left = Math.min(...xs), top = Math.min(...ys);
      block.append(h("rect", {class: "cell", x: left, y: top, width: Math.max(...xs) - left, height: Math.max(...ys) - top, "data-cell": `${row} ${place} ${rows} ${columns}`}));
    }
    const long = (0.6 * name.length + 0.6) * size, isBeside = !column && Math.abs(angle) < 45 && x0 > long;  // on the margin, or above
    block.append(h("g", {transform: `translate(${x0} ${y0}) rotate(${angle}) translate(${isBeside ? `${-long} ${1.25 * size}` : "0 0"})`},
      h("rect", {class: "tag", x: 0, y: -1.25 * size, width: long, height: 1.25 * size}),
      h("text", {x: 0.3 * size, y: -0.3 * size, "font-size": size, textLength: 0.6 * name.length * size, lengthAdjust: "spacingAndGlyphs"}, name)));
    layer.append(block);
  });
  return layer;
}

// A word written into its quad, for pages without a picture.
function wordText(text, [x0, y0, x1, y1, , , x3, y3]) {
  const width = Math.hypot(x1 - x0, y1 - y0), height = Math.hypot(x3 - x0, y3 - y0), angle = Math.atan2(y1 - y0, x1 - x0) * 180 / Math.PI;
  return h("text", {transform: `translate(${x0} ${y0}) rotate(${angle})`, y: height * 0.78, "font-size": height * 0.82, textLength: Math.max(width, 1), lengthAdjust: "spacingAndGlyphs"}, text);
}

function mark(name, i) {
  for (const element of document.querySelectorAll(`.viewer .${name}`)) element.classList.remove(name);
  if (i >= 0) for (const element of document.querySelectorAll(`.viewer [data-word="${i}"]`)) element.classList.add(name);
}

function choose(i) {
  shown.chosen = i;
  mark("chosen", i);
  for (const element of document.querySelectorAll(`.viewer [data-word="${i}"]`)) element.scrollIntoView({block: "nearest", inline: "nearest"});
}

function chooseDoubtful(step) {
  const {words} = shown, count = words?.t?.length || 0;
  for (let n = 1, i = shown.chosen < 0 && step < 0 ? count : shown.chosen; n <= count; n++) {
    i = (i + step + count) % count;
    if (words.c[i] < 85) return choose(i);
  }
}

function apply() {
  for (const button of document.querySelectorAll("[data-switch]")) {
    button.setAttribute("aria-pressed", shown[button.dataset.switch]);
    button.disabled = button.dataset.switch === "hasBlocks" && !shown.words?.b;  // rows of earlier versions have none
  }
  const svg = document.querySelector(".drawing");
  if (!svg) return;
  svg.style.width = `${100 * shown.zoom}%`;
  svg.classList.toggle("no-boxes", !shown.hasBoxes);
  svg.classList.toggle("no-blocks", !shown.hasBlocks);
  document.querySelector(".kinds")?.toggleAttribute("hidden", !shown.hasBlocks);
  svg.classList.toggle("as-text", !shown.hasPicture);
}
