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
let about = {}; // what is known beside the schemas: legal actions, names, options of a reset
let steps = 0;
let sum = 0;
let history = []; // of the episode: what was asked, the reply, and the picture
let shownStep = 0; // which of these is shown

class Refused extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

async function ask(path, options = {}) {
  const headers = { "Content-Type": "application/json", "X-Not-Finite-As-Text": "1" };
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
  at("back").disabled = shownStep === 0;
  at("forward").disabled = shownStep >= steps;
  at("shown").disabled = !history.length;
}

// The environment, and its actions

async function begin() {
  const environment = await (await ask("/metadata")).json();
  at("name").textContent = document.title = environment.name;
  at("description").textContent = environment.description;
  about = await (await ask("/web/about")).json();
  const options = Object.keys(about.reset_options);
  at("optional").hidden = !options.length;
  at("options").placeholder = `{"${options[0]}": ...}`;
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
    .filter(([name]) => name !== "metadata" && !(about.unused || []).includes(name))
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
// An environment's own web_actions are offered in their place. The form is for all other actions.
function offer(observation, own = []) {
  const names = parts().filter(([name]) => (schema.required || []).includes(name));
  const values = names.length === 1 ? few(names[0][1], observation) : null;
  at("action").hidden = values !== null && parts().length === 1;
  const buttons = (values || []).map((value) => {
    const name = (about.action_names || [])[value];
    return choice(name || shown(value), keyOf(name, value), { [names[0][0]]: value });
  });
  if (own.length) buttons.splice(0, Infinity, ...own.map(([label, action]) => choice(label, "", action)));
  at("choices").replaceChildren(...buttons);
  const keys = buttons.filter((button) => button.dataset.key);
  at("keys").hidden = !keys.length;
  at("keys").textContent = `Keys: ${keys.map((one) => keyText(one)).join(", ")}`;
  enable();
}

function choice(label, key, action) {
  const button = element("button", { type: "button", textContent: label });
  button.dataset.key = key;
  button.addEventListener("click", () => during(() => step(action)));
  return button;
}

const ARROWS = { UP: "ArrowUp", DOWN: "ArrowDown", LEFT: "ArrowLeft", RIGHT: "ArrowRight", FIRE: " " };

function keyOf(name, value) {
  if (name) return ARROWS[name] || "";
  return /^\d$/.test(String(value)) ? String(value) : "";
}

function keyText(button) {
  const key = button.dataset.key === " " ? "Space" : button.dataset.key;
  return key === button.textContent ? key : `${key} ${button.textContent}`;
}

function few(part, observation) {
  const legal = observation && about.legal_actions && observation[about.legal_actions];
  if (Array.isArray(legal) && legal.length <= MOST_CHOICES) return legal;
  if (part.enum) return part.enum.length <= MOST_CHOICES ? part.enum : null;
  const count = part.type === "integer" ? part.maximum - part.minimum + 1 : NaN;
  const mask = observation && observation.metadata && observation.metadata.action_mask;
  if (Array.isArray(mask) && mask.length === count) {
    const found = mask.flatMap((one, i) => (one ? [part.minimum + i] : []));
    return found.length <= MOST_CHOICES ? found : null;
  }
  return count <= MOST_CHOICES ? Array.from({ length: count }, (_, i) => part.minimum + i) : null;
}

// The episode

async function reset() {
  const seed = at("seed").value;
  const body = { ...optionsWritten(), ...(seed === "" ? {} : { seed: Number(seed) }) };
  const reply = await post("/reset", body);
  session = reply.headers.get("X-Session-ID");
  steps = sum = 0;
  running = true;
  for (const entry of history) if (entry.picture) URL.revokeObjectURL(entry.picture);
  history = [];
  at("log").replaceChildren();
  await add(await reply.json(), body, `reset${seed === "" ? "" : `, seed ${seed}`}`);
}

function optionsWritten() {
  const text = at("options").value.trim();
  if (!text) return {};
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new Error(`The options are not valid JSON: ${error.message}`);
  }
}

async function step(action) {
  const reply = await (await post("/step", { action })).json();
  steps += 1;
  running = !reply.done;
  await add(reply, action, brief(Object.values(action).length === 1 ? nameOf(action) : action));
}

function nameOf(action) {
  const value = Object.values(action)[0];
  return (about.action_names || [])[value] || value;
}

// Takes an outcome into the history, and shows it.
async function add(reply, asked, what) {
  // JSON has no NaN and no infinity: they come as texts. A reset has no reward.
  const reward = reply.reward === null ? 0 : Number(reply.reward);
  sum += reward;
  const truncated = (reply.metadata || {})["TimeLimit.truncated"];
  const phase = running ? "running" : truncated ? "truncated" : "over";
  history.push({ asked, reply, reward, sum, phase });
  const result = steps ? `: reward ${number(reward)}` : "";
  at("log").append(element("li", { textContent: what + result + (running ? "" : `, ${phase}`) }));
  at("log").lastChild.scrollIntoView({ block: "nearest" });
  await draw(history[steps]);
  offer(reply.observation, history[steps].actions);
  at("python").textContent = python();
  curve();
  show(steps);
}

// Shows a step of the episode.
function show(number_) {
  const entry = history[number_];
  if (!entry) return;
  shownStep = number_;
  at("shown").max = steps;
  at("shown").value = number_;
  at("count").textContent = number_;
  at("reward").textContent = number(entry.reward);
  at("sum").textContent = number(entry.sum);
  at("phase").textContent = entry.phase;
  const { metadata, ...fields } = entry.reply.observation;
  at("observation").textContent = Object.entries({ ...fields, ...metadata })
    .filter(([name]) => !hidden.includes(name))
    .map(([name, value]) => `${name}: ${brief(value)}`)
    .join("\n");
  at("raw").textContent = JSON.stringify(visible(entry.reply), null, 1);
  at("picture").hidden = !entry.picture;
  at("text").hidden = entry.text === undefined;
  if (entry.picture) {
    at("picture").alt = `The environment after step ${number_}`;
    at("picture").src = entry.picture;
  }
  if (entry.text !== undefined) at("text").textContent = entry.text;
  showDrawing(entry.html);
  at("undrawn").hidden = !entry.undrawn;
  at("undrawn").textContent = `Nothing is drawn: ${entry.undrawn}`;
  [...at("log").children].forEach((line, i) =>
    i === number_ ? line.setAttribute("aria-current", "step") : line.removeAttribute("aria-current"),
  );
  enable();
}

function visible(reply) {
  const seen = ([name]) => !hidden.includes(name);
  const observation = Object.fromEntries(Object.entries(reply.observation).filter(seen));
  if (observation.metadata)
    observation.metadata = Object.fromEntries(Object.entries(observation.metadata).filter(seen));
  return { ...reply, observation };
}

async function draw(entry) {
  if (about.drawn) await drawOwn(entry);
  const reply = await ask("/web/frame");
  const kind = reply.headers.get("Content-Type") || "";
  if (kind.startsWith("image/")) entry.picture = URL.createObjectURL(await reply.blob());
  else if (kind.startsWith("text/")) entry.text = await reply.text();
}

// What the environment's render_web and web_actions return; a failure of theirs ends no episode.
async function drawOwn(entry) {
  try {
    const { html, actions } = await (await ask("/web/drawing")).json();
    Object.assign(entry, { html, actions });
  } catch (error) {
    if (error.status !== 500) throw error;
    entry.undrawn = error.message;
  }
}

// Drawings are written for OpenEnv's page: with these names of Gradio's colours.
const COLOURS = {
  "color-accent": "accent",
  "body-text-color": "fore",
  "body-text-color-subdued": "soft",
  "border-color-primary": "line",
  "block-background-fill": "back",
  "background-fill-primary": "back",
  "background-fill-secondary": "card",
};

// The frame runs no script, whatever is in the text.
function showDrawing(html) {
  at("drawing").hidden = !html;
  if (!html) return;
  const ours = getComputedStyle(document.documentElement);
  const colours = Object.entries(COLOURS).map(([name, own]) => `--${name}:${ours.getPropertyValue(`--${own}`)};`);
  const style = `html{${colours.join("")}color:var(--body-text-color);background:var(--block-background-fill)}`;
  at("drawing").srcdoc = `<!DOCTYPE html><html lang="en"><title>Drawing</title><style>${style}</style><body>${html}`;
}

at("drawing").addEventListener("load", () => {
  const whole = at("drawing").contentDocument?.documentElement;
  if (whole) at("drawing").style.height = `${Math.min(800, whole.scrollHeight + 2)}px`;
});

function curve() {
  const sums = history.map((entry) => entry.sum);
  const known = sums.filter(Number.isFinite);
  const [low, high] = [Math.min(0, ...known), Math.max(0, ...known)];
  const y = (value) => 55 - (50 * (value - low)) / (high - low || 1);
  const points = sums.flatMap((value, i) =>
    Number.isFinite(value) ? [`${(300 * i) / Math.max(1, sums.length - 1)},${y(value)}`] : [],
  );
  const drawn = (tag, properties) => {
    const one = document.createElementNS(at("curve").namespaceURI, tag);
    for (const [name, value] of Object.entries(properties)) one.setAttribute(name, value);
    return one;
  };
  at("curve").replaceChildren(
    drawn("line", { x1: 0, x2: 300, y1: y(0), y2: y(0) }),
    drawn("polyline", { points: points.join(" ") }),
  );
  at("curve").setAttribute("aria-label", `Sum of rewards, now ${number(sum)}`);
  at("curve").removeAttribute("hidden");
}

function python() {
  const [begun, ...rest] = history;
  const keywords = Object.entries(begun.asked).map(([name, value]) => `${name}=${literal(value)}`);
  return [
    "from openenv_gym.client import GenericClient",
    "",
    `with GenericClient(base_url=${literal(location.origin + root)}) as client:`,
    `    client.reset(${keywords.join(", ")})`,
    ...rest.map((entry) => `    client.step(${literal(entry.asked)})`),
  ].join("\n");
}

function literal(value) {
  if (value === null) return "None";
  if (typeof value === "boolean") return value ? "True" : "False";
  if (Array.isArray(value)) return `[${value.map(literal).join(", ")}]`;
  if (typeof value !== "object") return JSON.stringify(value);
  const pairs = Object.entries(value).map(([name, one]) => `${JSON.stringify(name)}: ${literal(one)}`);
  return `{${pairs.join(", ")}}`;
}

const number = (value) =>
  String(Number.isFinite(value) ? Math.round(value * 1e6) / 1e6 : value);
const shown = (value) => (typeof value === "string" ? value : JSON.stringify(value));

function brief(value) {
  const text = typeof value === "string" ? value : shown(value).replace(/"(NaN|-?Infinity)"/g, "$1");
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

at("back").addEventListener("click", () => show(shownStep - 1));
at("forward").addEventListener("click", () => show(shownStep + 1));
at("shown").addEventListener("input", () => show(Number(at("shown").value)));
at("copy").addEventListener("click", async () => {
  const text = at("python").textContent;
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    getSelection().selectAllChildren(at("python")); // not on a page that came by plain http
  }
});

// Keys of a game press its buttons, unless the user is writing, or on a control of their own.
addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.altKey || event.metaKey) return;
  if (event.target.closest("input, textarea, select, summary, pre, ol")) return;
  if (event.key === " " && event.target.closest("button")) return;
  const button = [...at("choices").children].find((one) => one.dataset.key === event.key);
  if (!button) return;
  event.preventDefault();
  button.click();
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
