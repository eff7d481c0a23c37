// The first page of the report: numbers, charts and short lists.
"use strict";

function viewOverview() {
  const {status, runs, drift, listed, output} = pagebeam.summary, pages = pagebeam.pages;
  const words = pages.reduce((sum, page) => sum + page.words, 0), timed = pages.map(page => page.ms).sort((a, b) => a - b);
  const last = runs.findLast(run => run.pages_per_s);
  const rated = pages.filter(page => page.confidence !== null);
  setList(pages, "#/pages");
  return h("section", {class: "overview"},
    h("h1", {}, output),
    h("div", {class: "cards"},
      card(number(pages.length), pagebeam.summary.table, "#/pages"), card(number(status.documents.found), "documents"),
      ...pagebeam.summary.statuses.map(name => card(number(status.by_status[name]), name.replace("_", " "), `#/pages?status=${name}`, status.by_status[name] ? name : "")),
      card(number(words), "words"),
      card(percent(status.mean_confidence), "mean confidence", "#/pages?order=confidence"),
      card(last ? last.pages_per_s.toFixed(1) : "–", "pages/s of the last run"),
      card(timed.length ? seconds(timed[timed.length >> 1]) : "–", "median time of a page"),
      card(timed.length ? seconds(timed[Math.floor(timed.length * 0.95)]) : "–", "95 % are faster", "#/pages?order=slow")),
    h("div", {class: "charts"},
      rated.length ? figure("Mean confidence of pages", confidenceChart(rated)) : null,
      pages.length ? figure("Time of pages", timeChart(timed)) : null),
    table("By kind of document", ["kind", pagebeam.summary.table, ...pagebeam.summary.statuses.map(name => name.replace("_", " ")), "mean confidence"],
      Object.entries(status.by_kind).map(([kind, of]) => [kind, of.pages, ...Object.values(of.by_status), percent(of.mean_confidence)])),
    table("Failures by reason", ["pages", "failed at", "reason"], status.failures.map((failure, i) =>
      [failure.pages, failure.stage, h("a", {href: `#/pages?reason=${i}`}, failure.reason)])),
    h("div", {class: "two"},
      shortList("Least confident", rated.toSorted(ORDERS.confidence[1]).slice(0, listed), "#/pages?order=confidence", page => percent(page.confidence)),
      shortList("Slowest", pages.toSorted(ORDERS.slow[1]).slice(0, listed), "#/pages?order=slow", page => seconds(page.ms))),
    runs.length ? trends(runs) : null,
    table("Runs", ["run", "started", "read", "failed", "known", "left", "pages/s", "mean confidence", "end"], runs.toReversed().map(run =>
      [run.run_id, run.started.slice(0, 16).replace("T", " "), run.pages_read, run.pages_failed, run.pages_known, run.pages_left, run.pages_per_s ?? "–",
        percent(run.mean_confidence), [run.stopped ? `stopped: ${run.stopped}` : "finished", ...run.gates_exceeded].join("; ")])),
    drift && table(`What moved since run ${drift.since}`, ["change", "size"], drift.changes.map(change => [change.what, percent(change.size)])),
    h("p", {class: "small"}, Object.entries(pagebeam.summary.versions).map(([name, version]) => `${name} ${version}`).join(" · ")));
}

const card = (value, what, href, kind) => h(href ? "a" : "div", {class: `card ${kind || ""}`, href}, h("b", {}, value), h("span", {}, what));
const figure = (caption, chart) => h("figure", {}, h("figcaption", {}, caption), chart);

function table(caption, headers, rows) {
  if (!rows.length) return null;
  const isNumber = headers.map((_, i) => rows.every(row => /^[\d.,]+( %)?$|^–$/.test(typeof row[i] === "object" ? "x" : row[i])));
  const cell = (tag, value, i) => h(tag, {class: isNumber[i] ? "number" : null}, typeof value === "number" ? number(value) : value);
  return h("div", {class: "table"}, h("h2", {}, caption), h("table", {},
    h("thead", {}, h("tr", {}, headers.map((header, i) => cell("th", header, i)))),
    h("tbody", {}, rows.map(row => h("tr", {}, row.map((value, i) => cell("td", value, i)))))));
}

const shortList = (caption, pages, href, value) => h("div", {class: "short"}, h("h2", {}, h("a", {href}, caption)),
  h("ol", {}, pages.map(page => h("li", {}, h("a", {href: `#/page/${page.id}`}, title(page)), h("span", {class: "number"}, value(page))))));

// A chart of bars, each {label, value, title, class}; labels stand below those that have one.
function bars(items, width = 560, height = 150) {
  const most = Math.max(...items.map(item => item.value), 1), step = Math.min(width / items.length, width / 8);
  return h("svg", {viewBox: `0 -16 ${width} ${height + 34}`, role: "img"},
    items.map((item, i) => {
      const size = item.value / most * height;
      return h("g", {}, h("rect", {x: i * step + 1, y: height - size, width: step - 2, height: size, class: item.class || "bar-fill"}),
        h("rect", {x: i * step, y: -16, width: step, height: height + 16, class: "hit"}, h("title", {}, item.title)),
        item.value && step > 30 ? h("text", {x: (i + 0.5) * step, y: height - size - 4, "text-anchor": "middle"}, number(item.value)) : null,
        h("text", {x: (i + 0.5) * step, y: height + 14, "text-anchor": "middle"}, item.label || ""));
    }), h("line", {x1: 0, x2: width, y1: height, y2: height}));
}

function confidenceChart(pages) {
  const bins = Array.from({length: 20}, () => 0);
  for (const page of pages) bins[Math.min(Math.floor(page.confidence * 20), 19)]++;
  return bars(bins.map((value, i) => ({
    value, class: `level${level((i + 0.5) / 20)}`, label: i % 2 ? "" : `${i * 5} %`, title: `${i * 5} to ${i * 5 + 5} %: ${number(value)} pages`,
  })));
}

function timeChart(timed) {
  const edges = [50, 100, 200, 500, 1000, 2000, 5000, 10000, 20000, 50000, Infinity];
  return bars(edges.map((edge, i) => {
    const value = timed.filter(ms => ms < edge && ms >= (edges[i - 1] || 0)).length;
    const label = edge === Infinity ? "more" : `< ${edge < 1000 ? `${edge} ms` : `${edge / 1000} s`}`;
    return {value, label, title: `${label}: ${number(value)} pages`};
  }));
}

function trends(runs) {
  const shown = runs.slice(-60), of = (caption, value, show) => figure(caption, bars(shown.map(run => ({
    value: value(run) || 0, title: `${run.started.slice(0, 16).replace("T", " ")}: ${show(value(run))}`,
    label: shown.length <= 8 ? run.started.slice(5, 10) : "",
  })), 360, 80));
  const plain = value => value === null || value === undefined ? "–" : number(value);
  return h("div", {}, h("h2", {}, shown.length < runs.length ? `The last ${shown.length} of ${runs.length} runs` : "Runs, one bar each"),
    h("div", {class: "charts trends"}, of("Pages read", run => run.pages_read, plain), of("Pages failed", run => run.pages_failed, plain),
      of("Pages/s", run => run.pages_per_s, plain), of("Words per page", run => Math.round(run.words / Math.max(run.pages_read, 1)), plain)));
}
