// The view: the chosen event, partition, record and span of time. The fragment of the address
// contains all of them, so that a link leads to the same view.

export const view = { event: -1, partition: "", record: "", from: 0, to: 0, hidden: new Set(), api: "", only: "", relative: false };

const listeners = [];
let queued = false;
let bounds = [0, 1];

export function begin(start, end) {
  bounds = [start, Math.max(end, start + 1e6)];
  [view.from, view.to] = bounds;
}

export function whole() {
  return bounds;
}

// Calls the listener after changes, at most once a frame.
export function follow(listener) {
  listeners.push(listener);
}

export function change(changes) {
  Object.assign(view, changes);
  const length = Math.min(Math.max(view.to - view.from, 2e3), bounds[1] - bounds[0]);
  const from = Math.min(Math.max(view.from, bounds[0]), bounds[1] - length);
  [view.from, view.to] = [from, from + length];
  if (!queued) {
    queued = true;
    requestAnimationFrame(() => {
      queued = false;
      write();
      for (const listener of listeners) listener();
    });
  }
}

// Zooms around a time; a factor below 1 zooms in.
export function zoom(factor, around = (view.from + view.to) / 2) {
  change({ from: around - (around - view.from) * factor, to: around + (view.to - around) * factor });
}

export function pan(share) {
  const by = (view.to - view.from) * share;
  change({ from: view.from + by, to: view.to + by });
}

// Moves the span of time, if it does not contain this time.
export function reveal(time) {
  if (time >= view.from && time <= view.to) return;
  const half = (view.to - view.from) / 2;
  change({ from: time - half, to: time + half });
}

export function around(time, length) {
  change({ from: time - length / 2, to: time + length / 2 });
}

function isWhole() {
  return view.from <= bounds[0] && view.to >= bounds[1];
}

// The fragment for this view, with some parts replaced.
export function fragment(ids, replaced = {}) {
  const it = { ...view, ...replaced };
  const parts = [];
  if (it.partition) parts.push(`p=${encodeURIComponent(it.partition)}`);
  if (it.event >= 0) parts.push(`e=${ids[it.event]}`);
  if (it.record) parts.push(`r=${it.record.replace("#", ".")}`);
  if (!isWhole()) parts.push(`t=${(it.from / 1e9).toFixed(6)}..${(it.to / 1e9).toFixed(6)}`);
  if (it.api) parts.push(`api=${encodeURIComponent(it.api)}`);
  return `#${parts.join("&")}`;
}

let idsOfEvents = [];
export function knowIds(ids) {
  idsOfEvents = ids;
}

function write() {
  const wanted = fragment(idsOfEvents);
  const section = /^#[a-z-]+$/.test(location.hash);
  if (wanted !== location.hash && !(section && wanted === "#")) history.replaceState(null, "", wanted);
}

// The parts of a view that a fragment names.
export function asked(hash, placeOfId) {
  const wanted = {};
  for (const part of hash.replace(/^#/, "").split("&")) {
    const equals = part.indexOf("=");
    if (equals < 0) continue;
    const [key, value] = [part.slice(0, equals), decoded(part.slice(equals + 1))];
    if (key === "p") wanted.partition = value;
    if (key === "e") wanted.event = placeOfId(Number(value));
    if (key === "r") wanted.record = value.replace(".", "#");
    if (key === "api") wanted.api = value;
    if (key === "t") {
      const [from, to] = value.split("..").map(Number);
      if (from < to) [wanted.from, wanted.to] = [from * 1e9, to * 1e9];
    }
  }
  return wanted;
}

function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
