// The page over the admin API: what every endpoint, route and worker does, and three buttons.
// Whatever comes from the gateway enters the document as text only (textContent).

const EVERY = 1_000; // ms between two looks
const byId = (id) => document.getElementById(id);
const shown = new Map(); // rows by key, so that focus stays where it is while figures change

async function ask(method, path) {
  const response = await fetch(path, { method, headers: { Accept: "application/json" } });
  const body = await response.json().catch(() => ({}));
  if (!response.ok) throw new Error(body.detail ?? `The gateway answered ${response.status}.`);
  return body;
}

function complain(text) {
  byId("problem").textContent = text;
  byId("problem").hidden = !text;
}

const milliseconds = (seconds) => (seconds ? `${(seconds * 1_000).toFixed(1)} ms` : "–");
const count = (number) => number.toLocaleString("en");

function element(name, text, className) {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  if (className) made.className = className;
  return made;
}

function header(table, names, caption) {
  if (table.tHead) return;
  if (caption) table.append(element("caption", caption));
  const row = table.createTHead().insertRow();
  for (const name of names) {
    const cell = element("th", name.replace("#", ""), name.startsWith("#") ? "number" : "");
    cell.scope = "col";
    row.append(cell);
  }
  table.append(document.createElement("tbody"));
}

function rows(table, prefix, items, keyOf, fill) {
  const body = table.tBodies[0];
  const wanted = new Set(items.map((item) => `${prefix}/${keyOf(item)}`));
  for (const [key, row] of shown) {
    if (key.startsWith(`${prefix}/`) && !wanted.has(key)) {
      row.remove();
      shown.delete(key);
    }
  }
  for (const item of items) {
    const key = `${prefix}/${keyOf(item)}`;
    let row = shown.get(key);
    if (!row) {
      row = body.insertRow();
      shown.set(key, row);
    }
    fill(row, item);
  }
}

function cells(row, values) {
  values.forEach(([text, className], place) => {
    const cell = row.cells[place] ?? row.insertCell();
    if (cell.textContent !== text) cell.textContent = text;
    cell.className = className ?? "";
  });
}

function buttons(row, place, upstream, endpoint) {
  if (row.cells[place]) return;
  const box = element("div", undefined, "actions");
  for (const action of ["drain", "eject", "restore"]) {
    const button = element("button", action);
    button.type = "button";
    button.setAttribute("aria-label", `${action} ${endpoint.address} of ${upstream}`);
    button.addEventListener("click", () => act(action, upstream, endpoint.address));
    box.append(button);
  }
  row.insertCell().append(box);
}

async function act(action, upstream, address) {
  const path = `/api/upstreams/${encodeURIComponent(upstream)}/endpoints/${encodeURIComponent(address)}/${action}`;
  try {
    const done = await ask("POST", path);
    byId("said").textContent = `${action}: ${address} in ${done.workers} workers`;
    complain("");
  } catch (error) {
    complain(error.message);
  }
  look();
}

const ENDPOINT = ["endpoint", "state", "breaker", "#weight", "#in flight", "#latency", "#calls", "#failures", "last reason", "actions"];

function showUpstream(upstream) {
  const id = `upstream/${upstream.name}`;
  let card = shown.get(id);
  if (!card) {
    card = element("div", undefined, "card scroll");
    card.append(element("table"));
    byId("upstreams").append(card);
    shown.set(id, card);
  }
  const table = card.firstElementChild;
  header(table, ENDPOINT, " ");
  const told = `${upstream.name} – ${upstream.policy}, ${count(upstream.calls)} requests, ${count(upstream.repeated)} repeated, ${count(upstream.failed)} failed${upstream.problem ? ` – ${upstream.problem}` : ""}`;
  if (table.caption.textContent !== told) table.caption.textContent = told;
  rows(table, `endpoint/${upstream.name}`, upstream.endpoints, (each) => each.address, (row, each) => {
    cells(row, [
      [each.address + (each.priority ? " (backup)" : "")],
      [each.state, each.state === "up" ? "good" : "bad"],
      [each.breaker ?? "–"],
      [count(each.weight), "number"],
      [count(each.in_flight), "number"],
      [milliseconds(each.latency), "number"],
      [count(each.calls), "number"],
      [count(each.failures), "number"],
      [each.reason || "–", "reason"],
    ]);
    buttons(row, 9, upstream.name, each);
  });
}

function show(status) {
  byId("about").textContent = `${status.settings}, reading ${status.generation}${status.draining ? ", draining" : ""}`;
  complain(status.problem ? `The settings were refused, the old ones serve: ${status.problem}` : "");
  const names = new Set(status.upstreams.map((each) => `upstream/${each.name}`));
  for (const [key, card] of shown) {
    if (key.startsWith("upstream/") && !names.has(key)) {
      card.remove();
      shown.delete(key);
    }
  }
  status.upstreams.forEach(showUpstream);
  header(byId("routes"), ["route", "#requests", "#failed", "#under way", "#mean"]);
  rows(byId("routes"), "route", status.routes, (each) => each.name, (row, each) =>
    cells(row, [
      [each.name],
      [count(each.requests), "number"],
      [count(each.failed), "number"],
      [count(each.under_way), "number"],
      [milliseconds(each.mean), "number"],
    ]));
  header(byId("workers"), ["worker", "process", "state", "#restarts", "#connections"]);
  rows(byId("workers"), "worker", status.workers, (each) => each.number, (row, each) =>
    cells(row, [
      [String(each.number)],
      [each.pid === null ? "–" : String(each.pid)],
      [each.state, each.state === "serving" ? "good" : "bad"],
      [count(each.restarts), "number"],
      [count(each.connections), "number"],
    ]));
}

async function look() {
  try {
    show(await ask("GET", "/api/gateway"));
  } catch (error) {
    complain(error.message);
  }
}

byId("reload").addEventListener("click", async () => {
  try {
    const done = await ask("POST", "/api/reload");
    byId("said").textContent = `reloaded in ${done.workers} workers`;
  } catch (error) {
    complain(error.message);
  }
  look();
});

look();
setInterval(() => document.hidden || look(), EVERY);
