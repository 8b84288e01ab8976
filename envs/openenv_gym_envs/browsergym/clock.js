// Gives a document a clock that stands still until the environment moves it on, so that what a
// page does depends on its actions alone, not on how fast this machine is or how long an agent
// thinks. Runs before any script of the document.
(() => {
  const KEY = Symbol.for("openenv-gym.clock");
  if (window[KEY]) return;

  const EPOCH = Date.UTC(2024, 0, 1);
  const FRAME = 16; // ms
  const MOST_CALLS = 100000; // in one move: a page that sets timers without end must not hang us

  const system = { Date, now: performance.now.bind(performance) };
  for (const name of [
    "setTimeout", "clearTimeout", "setInterval", "clearInterval",
    "requestAnimationFrame", "cancelAnimationFrame",
  ]) {
    system[name] = window[name].bind(window);
  }

  let now = 0; // ms since EPOCH
  // While observations are taken, BrowserGym's own scripts wait on timers: these are real.
  let released = false;
  let last = 1e9; // ids, beyond those of the system's own timers
  const timers = new Map();

  const add = (call, due, every) => {
    last += 1;
    timers.set(last, { id: last, call, due, every });
    return last;
  };
  const callOf = (code, args) =>
    typeof code === "function"
      ? () => code.apply(window, args)
      : () => (0, eval)(String(code));
  const span = (delay) => Math.max(1, Number(delay) || 0);

  window.setTimeout = (code, delay, ...args) =>
    released
      ? system.setTimeout(code, delay, ...args)
      : add(callOf(code, args), now + span(delay), 0);
  window.setInterval = (code, delay, ...args) =>
    released
      ? system.setInterval(code, delay, ...args)
      : add(callOf(code, args), now + span(delay), span(delay));
  window.requestAnimationFrame = (call) =>
    released
      ? system.requestAnimationFrame(call)
      : add(() => call(now), (Math.floor(now / FRAME) + 1) * FRAME, 0);
  for (const name of ["clearTimeout", "clearInterval", "cancelAnimationFrame"]) {
    window[name] = (id) => {
      if (!timers.delete(id)) system[name](id);
    };
  }

  const time = () => (released ? system.Date.now() : EPOCH + now);
  window.Date = new Proxy(system.Date, {
    construct: (target, args, made) =>
      Reflect.construct(target, args.length ? args : [time()], made),
    apply: () => new system.Date(time()).toString(),
    get: (target, name) => (name === "now" ? time : Reflect.get(target, name)),
  });
  system.Date.prototype.constructor = window.Date;
  performance.now = () => (released ? system.now() : now);

  // Until a task seeds its own generator (mulberry32).
  let state = 0;
  Math.random = () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };

  // A caret blinks by a clock that is not ours. Not an element, so no observation shows it.
  const sheet = new CSSStyleSheet();
  sheet.replaceSync("* { caret-color: transparent !important; }");
  document.adoptedStyleSheets = [...document.adoptedStyleSheets, sheet];

  const drawn = () => new Promise(system.requestAnimationFrame);
  const next = (end) => {
    let first = null;
    for (const timer of timers.values()) {
      if (timer.due <= end && (first === null || timer.due < first.due)) first = timer;
    }
    return first;
  };

  window[KEY] = {
    // Stands still again, for the next action.
    hold() {
      released = false;
    },
    // Moves on, and calls what falls due; then observations may be taken.
    async move(ms) {
      released = false;
      // What was scrolled, focused or resized is told to the page with the next frame.
      await drawn();
      await drawn();
      const end = now + ms;
      for (let calls = 0; calls < MOST_CALLS; calls += 1) {
        const timer = next(end);
        if (timer === null) break;
        now = Math.max(now, timer.due);
        if (timer.every) timer.due = now + timer.every;
        else timers.delete(timer.id);
        try {
          timer.call();
        } catch (error) {
          reportError(error);
        }
        await null; // promises that it settled
      }
      now = end;
      for (const animation of document.getAnimations()) {
        try {
          animation.finish();
        } catch {
          animation.cancel(); // it has no end
        }
      }
      released = true;
    },
  };
})();
