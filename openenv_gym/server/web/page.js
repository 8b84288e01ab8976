"use strict";
// The page of an environment: what it does, anyone can do with the same requests.

const root = location.pathname.replace(/\/web\/?$/, "");
const at = (id) => document.getElementById(id);
const MOST_CHOICES = 128; // values of an action that have a button each
const LONGEST = 200; // characters of a field that are shown

let session = null; // its id: each tab has one of its own
let token = null;
let schema = null; // of an action
let hidden = []; // fields of an observation that a player must not see
let busy = false;
let running = false; // an episode has begun and is not over
let steps = 0;
let sum = 0;

class Refused extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

async function ask(path, options = {}) {
  const headers = { "Content-Type": "application/json" };
  if (session) headers["X-Session-ID"] = session;
  if (token) headers.Authorization = `Bearer ${token}`;
  const reply = await fetch(root + path, { credentials: "omit", ...options, headers });
  if (!reply.ok) throw new Refused(reply.status, await explained(reply));
  return reply;
}

const post = (path, body) => ask(path, { method: "POST", body: JSON.stringify(body) });

async function explained(reply) {
  const told = await reply.json().catch(() => ({}));
  if (!Array.isArray(told.detail)) return told.detail || `The server answered ${reply.status}.`;
  return told.detail.map((one) => `${one.loc.join(".")}: ${one.msg}`).join("; ");
}

// One thing at a time: what comes meanwhile is not done.
async function during(work) {
  if (busy) return;
  busy = true;
  enable();
  try {
    await work();
    at("problem").hidden = true;
  } catch (error) {
    failed(error);
  }
  busy = false;
  enable();
}

function failed(error) {
  if (error.status === 401) at("access").hidden = false;
  if (error.status === 404) session = null; // it is over: the next reset begins another
  if (error.status === 404 || error.status === 409 || error.status >= 500) running = false;
  at("problem").textContent = error.message;
  at("problem").hidden = false;
}

function enable() {
  document.querySelector("main").setAttribute("aria-busy", String(busy));
  at("reset").disabled = busy || !schema;
  at("step").disabled = busy || !running;
  for (const button of at("choices").children) button.disabled = busy || !running;
}

// The environment, and its actions

async function begin() {
  const about = await (await ask("/metadata")).json();
  at("name").textContent = document.title = about.name;
  at("description").textContent = about.description;
  const schemas = await (await ask("/schema")).json();
  schema = schemas.action;
  hidden = Object.entries(schemas.observation.properties || {})
    .filter(([, part]) => part.hidden)
    .map(([name]) => name);
  at("access").hidden = true;
  at("fields").replaceChildren(...parts().map(([name, part]) => field(name, part)));
  offer(null);
}

const parts = () =>
  Object.entries(schema.properties)
    .filter(([name]) => name !== "metadata")
    .map(([name, part]) => [name, resolved(part)]);

function resolved(part) {
  if (!part.$ref) return part;
  const { $ref, ...rest } = part;
  return { ...schema.$defs[$ref.replace("#/$defs/", "")], ...rest };
}

function element(tag, properties) {
  return Object.assign(document.createElement(tag), properties);
}

function field(name, part) {
  const label = element("label", { textContent: name });
  const control = controlOf(part);
  control.name = name;
  control.required = (schema.required || []).includes(name) && control.type !== "checkbox";
  if (part.default !== undefined && part.default !== null) setDefault(control, part.default);
  if (control.type === "checkbox") label.prepend(control);
  else label.append(control);
  const note = [part.description, bounds(part)].filter(Boolean).join(" ");
  if (note) label.append(element("small", { textContent: note }));
  return label;
}

function controlOf(part) {
  if (part.enum) {
    const control = element("select");
    control.append(...part.enum.map((value) => element("option", { textContent: shown(value) })));
    control.read = () => part.enum[control.selectedIndex];
    return control;
  }
  if (part.type === "boolean") {
    const control = element("input", { type: "checkbox" });
    control.read = () => control.checked;
    return control;
  }
  if (part.type === "integer" || part.type === "number") {
    const control = element("input", { type: "number", step: part.type === "integer" ? "1" : "any" });
    if (part.minimum !== undefined) control.min = part.minimum;
    if (part.maximum !== undefined) control.max = part.maximum;
    control.read = () => (control.value === "" ? undefined : Number(control.value));
    return control;
  }
  const control = element("textarea", { rows: 2, spellcheck: false });
  if (part.type === "string") {
    if (part.maxLength !== undefined) control.maxLength = part.maxLength;
    control.read = () => control.value;
  } else {
    control.placeholder = "JSON";
    control.read = () => (control.value.trim() === "" ? undefined : JSON.parse(control.value));
  }
  return control;
}

function setDefault(control, value) {
  if (control.type === "checkbox") control.checked = value;
  else control.value = typeof value === "object" ? JSON.stringify(value) : value;
}

function bounds(part) {
  if (part.minimum === undefined || part.maximum === undefined) return "";
  return `${part.minimum} to ${part.maximum}`;
}

// A button for each value, where an action is one of few; only the legal ones, where that is told.
// The form is for all other actions.
function offer(observation) {
  const names = parts().filter(([name]) => (schema.required || []).includes(name));
  const values = names.length === 1 ? few(names[0][1], observation) : null;
  at("action").hidden = values !== null && parts().length === 1;
  const buttons = (values || []).map((value) => {
    const button = element("button", { type: "button", textContent: shown(value) });
    button.addEventListener("click", () => during(() => step({ [names[0][0]]: value })));
    return button;
  });
  at("choices").replaceChildren(...buttons);
  enable();
}

function few(part, observation) {
  const legal = observation && (observation.legal_actions || observation.legal_moves);
  if (Array.isArray(legal) && legal.length <= MOST_CHOICES) return legal;
  if (part.enum) return part.enum.length <= MOST_CHOICES ? part.enum : null;
  const count = part.type === "integer" ? part.maximum - part.minimum + 1 : NaN;
  return count <= MOST_CHOICES ? Array.from({ length: count }, (_, i) => part.minimum + i) : null;
}

// The episode

async function reset() {
  const seed = at("seed").value;
  const reply = await post("/reset", seed === "" ? {} : { seed: Number(seed) });
  session = reply.headers.get("X-Session-ID");
  steps = sum = 0;
  running = true;
  at("log").replaceChildren();
  await show(await reply.json(), `reset${seed === "" ? "" : `, seed ${seed}`}`);
}

async function step(action) {
  const told = await (await post("/step", { action })).json();
  steps += 1;
  sum += told.reward || 0;
  running = !told.done;
  await show(told, brief(Object.values(action).length === 1 ? Object.values(action)[0] : action));
}

async function show(told, what) {
  const truncated = (told.metadata || {})["TimeLimit.truncated"];
  const phase = running ? "running" : truncated ? "truncated" : "over";
  at("count").textContent = steps;
  at("reward").textContent = number(told.reward || 0);
  at("sum").textContent = number(sum);
  at("phase").textContent = phase;
  const result = steps ? `: reward ${number(told.reward || 0)}` : "";
  at("log").append(element("li", { textContent: what + result + (running ? "" : `, ${phase}`) }));
  at("log").lastChild.scrollIntoView({ block: "nearest" });
  const { metadata, ...fields } = told.observation;
  at("observation").textContent = Object.entries({ ...fields, ...metadata })
    .filter(([name]) => !hidden.includes(name))
    .map(([name, value]) => `${name}: ${brief(value)}`)
    .join("\n");
  offer(told.observation);
  await draw();
}

async function draw() {
  const reply = await ask("/web/frame");
  const kind = reply.headers.get("Content-Type") || "";
  const picture = at("picture");
  URL.revokeObjectURL(picture.src);
  picture.hidden = !kind.startsWith("image/");
  at("text").hidden = !kind.startsWith("text/");
  if (!picture.hidden) {
    picture.alt = `The environment after step ${steps}`;
    picture.src = URL.createObjectURL(await reply.blob());
  } else if (!at("text").hidden) {
    at("text").textContent = await reply.text();
  }
}

const number = (value) => String(Math.round(value * 1e6) / 1e6);
const shown = (value) => (typeof value === "string" ? value : JSON.stringify(value));

function brief(value) {
  const text = shown(value);
  if (text.length <= LONGEST || typeof value === "string") return text;
  const size = Array.isArray(value) ? `  (${value.length} items)` : "";
  return `${text.slice(0, LONGEST)} ...${size}`;
}

// What the user does

at("begin").addEventListener("submit", (event) => {
  event.preventDefault();
  during(reset);
});

at("action").addEventListener("submit", (event) => {
  event.preventDefault();
  during(() => step(written()));
});

at("access").addEventListener("submit", (event) => {
  event.preventDefault();
  token = at("token").value;
  during(begin);
});

function written() {
  const action = {};
  for (const control of at("fields").querySelectorAll("[name]")) {
    let value;
    try {
      value = control.read();
    } catch (error) {
      throw new Error(`${control.name} is no JSON: ${error.message}`);
    }
    if (value !== undefined) action[control.name] = value;
  }
  return action;
}

// The session is not left to its timeout.
addEventListener("pagehide", () => {
  if (!session) return;
  const params = { session_id: session };
  const request = { jsonrpc: "2.0", id: 1, method: "openenv/session/close", params };
  ask("/mcp", { method: "POST", body: JSON.stringify(request), keepalive: true }).catch(() => {});
  session = null;
  running = false;
  enable();
});

enable();
during(begin);
