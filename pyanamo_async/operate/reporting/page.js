"use strict";
// Draws the plots, and the table of tasks with search and sort. All text becomes text nodes, never markup.
const read = (id) => document.getElementById(id).textContent;

const dark = matchMedia("(prefers-color-scheme: dark)");
function draw() {
  const style = getComputedStyle(document.documentElement);
  const colour = (name) => JSON.stringify(style.getPropertyValue(name).trim());
  const plots = read("plots").replaceAll('"#111111"', colour("--text")).replaceAll('"#222222"', colour("--lines"));
  for (const [id, item] of Object.entries(JSON.parse(plots))) {
    document.getElementById(id).replaceChildren();
    Bokeh.embed.embed_item(item, id);
  }
}

const PAGE = 100;
const table = JSON.parse(read("attempts"));
const columns = table.columns.map((column) => ({
  ...column,
  at: column.names ? (row) => column.names[column.values[row]] : (row) => column.values[row],
}));
const isText = (column) => column.kind === "text" || column.kind === "code";
const texts = columns.filter(isText);
let haystack = null; // made by the first search
let rows = Array.from({ length: table.length }, (_, row) => row);
let page = 0;
let order = { column: null, down: false };

function show(value, kind) {
  if (value === null) return "";
  if (kind === "time") return new Date(value).toISOString().slice(0, 19).replace("T", " ");
  if (kind === "seconds") return value.toFixed(value < 10 ? 3 : 1);
  if (kind === "bytes") return (value / 1048576).toFixed(1) + " MB";
  return String(value);
}

function fill() {
  const shown = rows.slice(page * PAGE, page * PAGE + PAGE);
  document.querySelector("#tasks tbody").replaceChildren(
    ...shown.map((row) => {
      const line = document.createElement("tr");
      for (const column of columns) {
        const cell = line.insertCell();
        cell.textContent = show(column.at(row), column.kind);
        cell.className = isText(column) ? column.kind : "number";
        cell.classList.toggle("wide", column.kind === "text" && cell.textContent.length > 40);
      }
      return line;
    }),
  );
  const from = rows.length ? page * PAGE + 1 : 0;
  document.getElementById("shown").textContent = `${from} to ${page * PAGE + shown.length} of ${rows.length}`;
  document.getElementById("before").disabled = page === 0;
  document.getElementById("after").disabled = (page + 1) * PAGE >= rows.length;
}

function arrange() {
  const words = document.getElementById("search").value.toLowerCase().split(/\s+/).filter(Boolean);
  rows = Array.from({ length: table.length }, (_, row) => row);
  if (words.length) {
    haystack ??= rows.map((row) => texts.map((column) => column.at(row)).join("\n").toLowerCase());
    rows = rows.filter((row) => words.every((word) => haystack[row].includes(word)));
  }
  if (order.column) {
    const { at } = order.column;
    const sign = order.down ? -1 : 1;
    const compare = new Intl.Collator(undefined, { numeric: true }).compare;
    rows.sort((one, other) => {
      const [a, b] = [at(one), at(other)];
      if (a === null || b === null) return (a === null) - (b === null); // without a value: last
      return sign * (typeof a === "number" ? a - b : compare(a, b));
    });
  }
  page = 0;
  fill();
}

function setOrder(column, cell, down) {
  order = { column, down };
  for (const other of head.cells) other.removeAttribute("aria-sort");
  cell.setAttribute("aria-sort", down ? "descending" : "ascending");
}

const head = document.querySelector("#tasks thead tr");
for (const column of columns) {
  const cell = document.createElement("th");
  const button = document.createElement("button");
  cell.scope = "col";
  cell.className = isText(column) ? "" : "number";
  button.textContent = column.name;
  button.addEventListener("click", () => {
    setOrder(column, cell, order.column === column ? !order.down : !isText(column));
    arrange();
  });
  cell.append(button);
  head.append(cell);
}
document.getElementById("search").addEventListener("input", arrange);
document.getElementById("before").addEventListener("click", () => { page -= 1; fill(); });
document.getElementById("after").addEventListener("click", () => { page += 1; fill(); });
dark.addEventListener("change", draw);

// A page that was served asks whether there is a newer one, and keeps what its reader looks for.
const { version } = document.body.dataset;
if (version !== undefined) {
  const kept = JSON.parse(sessionStorage.getItem("kept") ?? "{}");
  document.getElementById("search").value = kept.search ?? "";
  const at = columns.findIndex((column) => column.name === kept.column);
  if (at >= 0) setOrder(columns[at], head.cells[at], kept.down);
  const ask = async () => {
    try {
      const reply = await fetch("version");
      if (reply.ok && (await reply.text()) !== version) {
        const search = document.getElementById("search").value;
        sessionStorage.setItem("kept", JSON.stringify({ search, column: order.column?.name, down: order.down }));
        location.reload();
        return;
      }
    } catch {
      // the server has ended; the page stays
    }
    setTimeout(ask, 2000);
  };
  setTimeout(ask, 2000);
}
arrange();
draw();
