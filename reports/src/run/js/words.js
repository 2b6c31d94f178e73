// Events, nodes and times in words, and the HTML elements of the page.

// A time, rounded down as in the verdict.
export function seconds(ns, digits = 6) {
  return `${(Math.trunc(ns / 10 ** (9 - digits)) / 10 ** digits).toFixed(digits)} s`;
}

// A duration in a suitable unit.
export function span(ns) {
  const size = Math.abs(ns);
  if (size < 1e3) return `${Math.round(ns)} ns`;
  if (size < 1e6) return `${short(ns / 1e3)} µs`;
  if (size < 1e9) return `${short(ns / 1e6)} ms`;
  return `${short(ns / 1e9)} s`;
}

function short(number) {
  return String(Number(number.toPrecision(3)));
}

export function grouped(number) {
  return String(number).replace(/\B(?=(\d{3})+(?!\d))/g, ",");
}

export function set(ids) {
  return ids && ids.length ? `{${ids.join(", ")}}` : "{}";
}

// An element. Its content is text or elements, never HTML, because names in a trace are not
// trusted.
export function element(name, attributes = {}, ...content) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else if (value === true) made.setAttribute(key, "");
    else if (value !== false && value !== null && value !== undefined) made.setAttribute(key, value);
  }
  made.append(...content.flat(9).filter((part) => part !== null && part !== undefined && part !== ""));
  return made;
}

export function table(heads, rows, caption) {
  const head = element("tr", {}, heads.map((text) => element("th", { scope: "col" }, text)));
  const body = rows.map((cells) => element("tr", {}, cells.map((cell) => element("td", {}, cell))));
  return element("table", {}, caption ? element("caption", {}, caption) : null,
    element("thead", {}, head), element("tbody", {}, body));
}

const CLOSED = { refused: "was refused", closed: "was closed", reset: "was reset" };

// An event in words. The trace contains the words of facts and faults.
export function says(model, i) {
  const { data } = model;
  const kind = data.kinds[data.kind[i]];
  const fields = data.fields.get(i) || {};
  const peer = data.peer[i] < 0 ? "" : model.nodes[data.peer[i]].name;
  const message = data.message[i] < 0 ? "" : data.messages[data.message[i]];
  switch (kind) {
    case "fact": return fields.fact || "reported a fact";
    case "sent": return `sent ${message} to ${peer}`;
    case "received": return `received ${message} from ${peer}`;
    case "woke": return "a timer came due";
    case "disk_done": return "its disk operations completed";
    case "opened": return `has a connection with ${peer}`;
    case "connecting": return `connects to ${peer}`;
    case "closed": return `the connection with ${peer} ${CLOSED[fields.reason] || "ended"}`;
    case "closing": return "closes a connection";
    case "cut": return "a packet was lost on a link that is cut";
    case "unexpected": return "reset a connection that it does not know";
    case "stopping": return "was asked to stop";
    case "started": return `started, life ${fields.incarnation}`;
    case "boot_failed": return `could not start: ${fields.reason}`;
    case "halted": return fields.reason ? `ended itself: ${fields.reason}` : "stopped";
    case "crashed": return `crashed, ${fields.undone} disk operations undone`;
    case "power_lost": return `lost power, and ${fields.bytes} unsynced bytes with it`;
    case "disk_lost": return `lost a disk, and ${fields.bytes} bytes with it`;
    case "sector_corrupted": return `the sector at ${fields.at} of ${fields.file} went bad`;
    case "paused": return "was paused";
    case "resumed": return "was resumed";
    case "applied": return `fault: ${fields.in_words}`;
    case "undone": return `fault undone: ${fields.in_words}`;
    default: return kind;
  }
}

export function who(model, i) {
  const node = model.data.node[i];
  return node < 0 ? "" : model.nodes[node].name;
}
