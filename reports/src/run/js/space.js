// The space-time diagram: time downwards, a lane for each node, messages as lines between them.
import { lowest } from "./data.js";
import { element, grouped, says, seconds, span, table, who } from "./words.js";
import { apiOf, chosen, laneTools, visible } from "./lanes.js";
import { change, fragment, view } from "./view.js";
import { box, gestures, hatch, line, mark, nearest, surface, text, ticks } from "./draw.js";
import { timeButtons } from "./strip.js";

const HEAD = 46;
const FOOT = 12;
// With more messages in view than this, only their density is drawn.
const MOST_LINES = 700;

const SHORT = { controller: "contr.", administrator: "admin", consumer: "cons.", producer: "prod." };

let space = null;

export function beginSpace(model) {
  space = surface(document.getElementById("space-canvas"), (width) => (width < 560 ? 560 : 680), (context, width, ink) => paintSpace(model, context, width, ink));
  // A narrow screen has room for few lanes.
  if (window.innerWidth < 560) {
    const roles = new Set(["controller", "administrator", "reader"]);
    change({ hidden: new Set(model.lanes.filter((lane) => roles.has(model.nodes[lane].kind))) });
  }
  gestures(space, "y", (x, y) => momentAt(y), (x, y) => {
    const event = nearest(space, x, y, 14);
    if (event >= 0) change({ event });
  });
  document.getElementById("space-tools").append(...laneTools(model), timeButtons(model));
  const item = (swatch, words) => element("span", {}, element("i", { class: `swatch ${swatch}`, "aria-hidden": "true" }), words);
  document.getElementById("space-legend").append(
    item("m-plain", "message"), item("m-late", `late: after ten times the median, ${span(Math.max(10 * model.messages.median, 5e6))}`),
    item("m-lost", "never received"), item("m-twice", "received twice"), item("down", "down"), item("paused", "paused"), item("fenced", "fenced"),
    item("s-fact", "a fact about the partition"), item("faulty", "a fault acts on the node"), item("spanning", "transaction"));
}

export function showSpace(model) {
  for (const [id, value] of [["api", view.api], ["only", view.only]]) {
    const select = document.getElementById(id);
    if (select.value !== value) select.value = value;
  }
  space.paint();
  spaceTable(model);
}

function margin() {
  return space.width < 560 ? 54 : 84;
}

function yAt(time) {
  return HEAD + ((time - view.from) / (view.to - view.from)) * (space.height - HEAD - FOOT);
}

function momentAt(y) {
  return view.from + ((y - HEAD) / (space.height - HEAD - FOOT)) * (view.to - view.from);
}

function inside(model, all) {
  const { time } = model.data;
  const earliest = view.from - model.messages.longest;
  const first = lowest(all.length, (i) => time[all[i].i] >= earliest);
  const end = lowest(all.length, (i) => time[all[i].i] > view.to);
  const lanes = new Set(visible(model));
  return all.slice(first, end).filter((it) => {
    const until = it.to >= 0 ? time[it.to] : time[it.i];
    return until >= view.from && lanes.has(model.data.node[it.i]) && lanes.has(model.data.peer[it.i]);
  });
}

function paintSpace(model, context, width, ink) {
  space.extent = space.height - HEAD - FOOT;
  const lanes = visible(model);
  const wide = (width - margin() - 8) / Math.max(lanes.length, 1);
  const xs = new Map(lanes.map((lane, place) => [lane, margin() + wide * (place + 0.5)]));
  rulers(context, width, ink);
  for (const lane of lanes) laneOf(model, context, lane, xs.get(lane), wide, ink);
  const all = inside(model, chosen(model));
  context.save();
  context.beginPath();
  context.rect(0, HEAD, width, space.height - HEAD);
  context.clip();
  if (all.length > MOST_LINES) density(model, context, all, xs, wide, ink);
  else {
    const taken = [];
    for (const it of all) message(model, context, it, xs, ink, all.length);
    if (all.length <= 60) for (const it of all) nameMessage(model, context, it, xs, ink, taken);
  }
  if (all.length <= MOST_LINES) facts(model, context, xs, ink);
  context.restore();
  if (all.length > MOST_LINES) {
    const count = `${grouped(all.length)} messages in view`;
    const words = width < 560 ? `${count}: zoom in` : `${count}: zoom in to see each (at most ${MOST_LINES})`;
    const long = Math.min(context.measureText(words).width + 20, width - margin() - 10);
    box(context, margin() + 4, space.height - 34, margin() + 4 + long, space.height - 10, ink.paper, ink.axis);
    text(context, words, margin() + 14, space.height - 22, ink.text, long - 16);
  }
  if (view.event >= 0) chosenEvent(model, context, xs, width, ink);
}

function rulers(context, width, ink) {
  const { all, digits } = ticks(view.from, view.to, space.extent, 56);
  for (const time of all) {
    line(context, margin(), yAt(time), width - 8, yAt(time), ink.rule, 1);
    text(context, `${(time / 1e9).toFixed(digits)} s`, margin() - 6, yAt(time), ink.muted, margin(), "right");
  }
}

function laneOf(model, context, lane, x, wide, ink) {
  const node = model.nodes[lane];
  line(context, x, HEAD, x, space.height - FOOT, ink.axis, 1);
  if (wide < 36) {
    context.save();
    context.translate(x, HEAD - 4);
    context.rotate(-Math.PI / 2);
    text(context, node.id, 0, 0, ink.text, HEAD - 6);
    context.restore();
  } else {
    const fits = context.measureText(node.name).width < wide - 8;
    text(context, fits ? node.name : node.id, x, 16, ink.text, wide - 4, "center");
    if (!fits) text(context, wide < 74 ? SHORT[node.kind] ?? node.kind : node.kind, x, 31, ink.muted, wide - 2, "center");
  }
  const half = Math.min(wide * 0.24, 13);
  const span = ([from, to], draw) => {
    if (to < view.from || from > view.to) return;
    draw(Math.max(yAt(from), HEAD), Math.min(yAt(to), space.height - FOOT));
  };
  for (const it of node.transactions) {
    span([it.from, it.to], (y1, y2) => box(context, x - 4, y1, x + 4, Math.max(y2, y1 + 2), it.outcome === "committed" ? ink.bar : ink.paper, ink.accent));
  }
  for (const it of model.faults.filter((fault) => fault.nodes.includes(node.id))) {
    span([it.from, it.to], (y1, y2) => {
      const side = x - half - 5 - 6 * Math.min(it.row ?? 0, 3);
      line(context, side, y1, side, Math.max(y2, y1 + 2), ink.bad, 4);
      space.hits.push([it.i, side, y1]);
      if (y2 - y1 > 16 && wide > 110) text(context, it.kind ?? it.words, side - 6, y1 + 8, ink.bad, wide / 2, "right");
    });
  }
  for (const it of node.fenced) span(it, (y1, y2) => line(context, x + half + 4, y1, x + half + 4, y2, ink.caution, 3));
  for (const [spans, cross] of [[node.paused, false], [node.down, true]]) {
    for (const it of spans) span(it, (y1, y2) => {
      box(context, x - half, y1, x + half, y2, ink.paper, ink.axis);
      hatch(context, x - half, y1, x + half, y2, ink.axis, cross);
    });
  }
}

// The density of messages, if lines would be too close: the number of messages of each node over
// time.
function density(model, context, all, xs, wide, ink) {
  const rows = Math.ceil(space.extent / 3);
  const counts = new Map();
  for (const it of all) {
    const row = Math.floor(((model.data.time[it.i] - view.from) / (view.to - view.from)) * rows);
    if (row < 0 || row >= rows) continue;
    const lane = model.data.node[it.i];
    if (!counts.has(lane)) counts.set(lane, new Float64Array(rows));
    counts.get(lane)[row] += 1;
  }
  const most = Math.max(...[...counts.values()].map((it) => Math.max(...it)), 1);
  context.fillStyle = ink.third;
  for (const [lane, row] of counts) {
    const x = xs.get(lane);
    row.forEach((count, place) => {
      const long = (count / most) * wide * 0.4;
      if (count) context.fillRect(x + 1, HEAD + place * 3, Math.max(long, 1), 2.4);
    });
  }
}

const FATES = { "": ["text", []], late: ["caution", [7, 3]], lost: ["bad", [2, 3]], twice: ["accent", [9, 2, 2, 2]] };

function message(model, context, it, xs, ink, count) {
  const { time, node, peer } = model.data;
  const [x1, y1] = [xs.get(node[it.i]), yAt(time[it.i])];
  const goal = xs.get(peer[it.i]);
  const [name, dash] = FATES[it.fate];
  const colour = it.fate ? ink[name] : ink.muted;
  const about = view.event >= 0 && (it.i === view.event || it.to === view.event);
  // The line of a message that never arrives ends between the lanes.
  const [x2, y2] = it.to >= 0 ? [goal, yAt(time[it.to])] : [x1 + (goal - x1) * 0.4, y1 + 10];
  line(context, x1, y1, x2, y2, about ? ink.accent : colour, about ? 3 : it.fate ? 1.8 : count > 250 ? 0.6 : 1, dash);
  if (it.to < 0) mark(context, "cross", x2, y2, 4.5, ink.bad, ink.paper);
  else if (count <= 400) arrow(context, x1, y1, x2, y2, about ? ink.accent : colour);
  space.hits.push([it.i, x1, y1]);
  if (it.to >= 0) space.hits.push([it.to, x2, y2]);
}

function apiWords(model, i) {
  return model.data.messages[model.data.message[i]].replace("Request", "").replace("Response", " ↩");
}

function arrow(context, x1, y1, x2, y2, colour) {
  const turn = Math.atan2(y2 - y1, x2 - x1);
  context.fillStyle = colour;
  context.beginPath();
  context.moveTo(x2, y2);
  context.lineTo(x2 - 8 * Math.cos(turn - 0.35), y2 - 8 * Math.sin(turn - 0.35));
  context.lineTo(x2 - 8 * Math.cos(turn + 0.35), y2 - 8 * Math.sin(turn + 0.35));
  context.fill();
}

// The message's name beside its line, unless it would overlap another name.
function nameMessage(model, context, it, xs, ink, taken) {
  if (it.to < 0) return;
  const { time, node, peer } = model.data;
  const [x1, y1, x2, y2] = [xs.get(node[it.i]), yAt(time[it.i]), xs.get(peer[it.i]), yAt(time[it.to])];
  if (Math.abs(x2 - x1) < 60) return;
  const words = apiWords(model, it.i);
  const wide = context.measureText(words).width;
  for (const share of [0.35, 0.5, 0.65, 0.22]) {
    const [x, y] = [x1 + (x2 - x1) * share, y1 + (y2 - y1) * share];
    if (taken.some(([ox, oy, ow]) => Math.abs(ox - x) < (ow + wide) / 2 + 8 && Math.abs(oy - y) < 15)) continue;
    taken.push([x, y, wide]);
    context.fillStyle = ink.paper;
    context.globalAlpha = 0.85;
    context.fillRect(x - wide / 2 - 3, y - 7, wide + 6, 14);
    context.globalAlpha = 1;
    return text(context, words, x, y, ink.text, 200, "center");
  }
}

// Facts about the chosen partition, and events of nodes.
function facts(model, context, xs, ink) {
  const events = model.partitions.get(view.partition)?.events ?? [];
  const { time, node } = model.data;
  const first = lowest(events.length, (i) => time[events[i]] >= view.from);
  for (let place = first; place < events.length && time[events[place]] <= view.to && place - first < 800; place += 1) {
    const i = events[place];
    if (!xs.has(node[i])) continue;
    mark(context, "dot", xs.get(node[i]), yAt(time[i]), 4.5, ink.third, ink.paper);
    space.hits.push([i, xs.get(node[i]), yAt(time[i])]);
  }
}

function chosenEvent(model, context, xs, width, ink) {
  const [time, x] = [model.data.time[view.event], xs.get(model.data.node[view.event])];
  if (time < view.from || time > view.to) return;
  line(context, margin(), yAt(time), width - 8, yAt(time), ink.text, 1.2);
  if (x !== undefined) mark(context, "diamond", x, yAt(time), 7, ink.text, ink.paper);
}

function spaceTable(model) {
  const target = document.getElementById("space-table");
  if (!target.closest("details").open) return;
  const all = inside(model, chosen(model));
  const { time } = model.data;
  target.replaceChildren(table(["Sent", "From", "To", "Message", "Took"], all.slice(0, 300).map((it) => [
    element("a", { href: fragment(model.data.id, { event: it.i }) }, seconds(time[it.i])),
    who(model, it.i), model.nodes[model.data.peer[it.i]].name, apiOf(model, it.i) + says(model, it.i).replace(/^sent \w*?(Request|Response).*$/, " $1").toLowerCase(),
    it.to >= 0 ? `${span(time[it.to] - time[it.i])}${it.fate ? `, ${it.fate}` : ""}` : "never received"]),
  `${grouped(all.length)} messages from ${seconds(view.from, 3)} to ${seconds(view.to, 3)}${all.length > 300 ? ", the first 300 of them" : ""}`));
}
