"use strict";
// The dashboard: asks the server once a second what its sessions do, and shows one of them.

const root = location.pathname.replace(/\/sessions\/?$/, "");
const at = (id) => document.getElementById(id);
const PAUSE = 1000; // ms between two looks

let token = null;
let shown = null; // number of the session whose picture is shown
let before = null; // what was found last, for steps per second

async function ask(path) {
  const headers = token ? { Authorization: `Bearer ${token}` } : {};
  const reply = await fetch(root + path, { credentials: "omit", headers });
  if (reply.ok) return reply;
  const body = await reply.json().catch(() => ({}));
  throw Object.assign(new Error(body.detail || `The server answered ${reply.status}.`), { status: reply.status });
}

async function look() {
  try {
    const found = await (await ask("/sessions/data")).json();
    show(found);
    await draw();
    at("problem").hidden = at("access").hidden = true;
  } catch (error) {
    at("access").hidden = error.status !== 401;
    at("problem").textContent = error.message;
    at("problem").hidden = false;
    if (error.status === 401 || error.status === 403) return; // only the user can change that
  }
  setTimeout(look, PAUSE);
}

function show(found) {
  at("environment").textContent = found.environment;
  document.title = `Sessions of ${found.environment}`;
  const end = found.draining ? ", which is ending and takes no new ones" : "";
  at("description").textContent = `A server that has run for ${duration(found.seconds)}${end}`;
  at("count").textContent = `${found.sessions} of ${found.max_sessions}, ${found.opened} so far`;
  at("rate").textContent = rate(found, before);
  at("p50").textContent = bound(found.step_seconds.p50);
  at("p99").textContent = bound(found.step_seconds.p99);
  for (const name of ["pending", "steps", "resets"]) at(name).textContent = found[name];
  const failures = Object.entries(found.failures).map(([kind, count]) => `${count} ${kind}`);
  at("failures").textContent = failures.join(", ") || "none";
  list(found);
  before = found;
}

function list(found) {
  const known = new Map((before ? before.list : []).map((one) => [one.number, one]));
  const focused = document.activeElement && document.activeElement.dataset.number;
  at("list").replaceChildren(...found.list.map((one) => row(one, known.get(one.number))));
  if (focused) at("list").querySelector(`[data-number="${focused}"]`)?.focus();
  if (!found.list.some((one) => one.number === shown)) shown = null;
}

function row(one, earlier) {
  const line = document.createElement("tr");
  const button = document.createElement("button");
  button.textContent = `Show ${one.number}`;
  button.dataset.number = one.number;
  button.setAttribute("aria-pressed", String(one.number === shown));
  button.addEventListener("click", () => {
    shown = one.number;
    draw().catch((error) => hide(error.message));
  });
  const values = [
    one.state,
    one.lanes,
    one.steps,
    rate(one, earlier),
    one.step_seconds === null ? "" : duration(one.step_seconds),
    one.failures,
    duration(one.idle),
  ];
  for (const value of [button, ...values]) {
    const cell = document.createElement("td");
    cell.append(value);
    line.append(cell);
  }
  return line;
}

async function draw() {
  if (shown === null) return hide("Choose a session.");
  const number = shown;
  let reply;
  try {
    reply = await ask(`/sessions/${number}/picture`);
  } catch (error) {
    return hide(`Session ${number}: ${error.message}`);
  }
  const kind = reply.headers.get("Content-Type") || "";
  if (kind.startsWith("image/")) {
    const blob = await reply.blob();
    URL.revokeObjectURL(at("picture").src);
    at("picture").src = URL.createObjectURL(blob);
    at("picture").alt = `Session ${number} now`;
  } else if (kind.startsWith("text/")) at("text").textContent = await reply.text();
  else return hide(`Session ${number} has no picture: its client made it without one.`);
  at("which").textContent = `Session ${number}`;
  at("picture").hidden = !kind.startsWith("image/");
  at("text").hidden = !kind.startsWith("text/");
}

function hide(why) {
  at("which").textContent = why;
  at("picture").hidden = at("text").hidden = true;
}

function rate(now, earlier) {
  const seconds = earlier ? now.seconds - earlier.seconds : now.seconds;
  const steps = earlier ? now.steps - earlier.steps : now.steps;
  return seconds > 0 ? String(Math.round((10 * steps) / seconds) / 10) : "";
}

const bound = (seconds) => (seconds === null ? "" : `${duration(seconds)} or less`);

function duration(seconds) {
  if (seconds < 0.001) return `${Math.round(seconds * 1e6)} µs`;
  if (seconds < 1) return `${Math.round(seconds * 1e4) / 10} ms`;
  if (seconds < 120) return `${Math.round(seconds)} s`;
  return `${Math.round(seconds / 60)} min`;
}

at("access").addEventListener("submit", (event) => {
  event.preventDefault();
  token = at("token").value;
  look();
});

look();
