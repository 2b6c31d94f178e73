// The strip of a partition: leader, in-sync replicas and faults as bands, offsets as lines, over
// time.
import { lowest } from "./data.js";
import { element, grouped, says, seconds, set, span, table, who } from "./words.js";
import { at, clusterOf, stateAt, within } from "./model.js";
import { beginFrame, clampX, gutter, inView, nodeIn, strip, timeAt, xOf } from "./frame.js";
import { PLOT, highWatermark, offsets } from "./offsets.js";
import { around, change, fragment, pan, view, whole, zoom } from "./view.js";
import { box, gestures, hatch, line, lineOf, mark, nearest, surface, text, ticks } from "./draw.js";

const LANE = 24;
const FAULT = 18;
const MOST_FAULTS = 4;

export function beginStrip(model) {
  const canvas = document.getElementById("strip-canvas");
  beginFrame(surface(canvas, () => heightOf(model), (context, width, ink) => paintStrip(model, context, width, ink)));
  gestures(strip, "x", (x) => timeAt(x), (x, y) => pick(model, x, y));
  canvas.addEventListener("pointermove", (event) => {
    if (event.buttons === 0) readout(model, timeAt(event.clientX - canvas.getBoundingClientRect().left));
  });
  canvas.addEventListener("pointerleave", () => readout(model, null));
  stripTools(model);
}

export function showStrip(model) {
  const select = document.getElementById("partition");
  if (select.value !== view.partition) select.value = view.partition;
  strip.paint();
  stripLegend(model);
  readout(model, null);
  stripTable(model);
}

function stripTools(model) {
  const names = [...model.partitions.keys()].filter((name) => model.partitions.get(name).states.length);
  names.sort((a, b) => Number(a.includes("__")) - Number(b.includes("__")) || a.localeCompare(b, "en", { numeric: true }));
  const choose = element("select", { id: "partition", onchange: (event) => change({ partition: event.target.value }) },
    names.map((name) => element("option", { value: name }, name)));
  const scale = element("select", { id: "scale", onchange: (event) => { change({ relative: event.target.value === "relative" }); } },
    element("option", { value: "absolute" }, "as they are"),
    element("option", { value: "relative" }, "from the high watermark"));
  document.getElementById("strip-tools").append(
    element("label", {}, "Partition ", choose),
    element("label", {}, "Offsets ", scale),
    timeButtons(model));
}

// The buttons that move the span of time, for every picture.
export function timeButtons(model) {
  const button = (words, label, act) => element("button", { type: "button", "aria-label": label, title: label, onclick: act }, words);
  const centre = () => (view.event >= 0 ? model.data.time[view.event] : undefined);
  return element("span", { class: "buttons" },
    button("←", "Earlier", () => pan(-0.3)),
    button("→", "Later", () => pan(0.3)),
    button("−", "Longer span", () => zoom(2, centre())),
    button("+", "Shorter span", () => zoom(0.5, centre())),
    button("Whole run", "The whole run", () => change({ from: whole()[0], to: whole()[1] })),
    button("Close up", "Five milliseconds around the chosen event", () => around(centre() ?? (view.from + view.to) / 2, 5e6)));
}

function shown(model) {
  return model.partitions.get(view.partition);
}

function faultRows(model) {
  const rows = [];
  for (const it of model.faults.filter((fault) => fault.to >= view.from && fault.from <= view.to)) {
    let row = rows.findIndex((last) => last <= it.from);
    if (row < 0) row = rows.length;
    rows[row] = it.to;
    it.row = row;
  }
  return Math.min(Math.max(rows.length, 1), MOST_FAULTS);
}

function heightOf(model) {
  const lanes = shown(model)?.lines.length ?? 0;
  return 6 + faultRows(model) * FAULT + 8 + LANE + 6 + lanes * LANE + 10 + 16 + 8 + PLOT + 30;
}

function paintStrip(model, context, width, ink) {
  const partition = shown(model);
  strip.extent = width - gutter() - 10;
  if (!partition) return;
  let y = 6;
  label(context, "faults", y + FAULT / 2, ink);
  const rows = faultRows(model);
  for (const it of model.faults) faultBar(context, it, y, ink);
  y += rows * FAULT + 8;
  label(context, "leader", y + LANE / 2, ink);
  leaders(context, partition, y, ink);
  y += LANE + 6;
  partition.lines.forEach((replica, place) => {
    label(context, `broker ${replica.node}`, y + LANE / 2, ink);
    lane(model, context, partition, replica, y, ink, place);
    y += LANE;
  });
  y += 10;
  label(context, "writes", y + 8, ink);
  writes(context, partition, y, ink);
  y += 24;
  offsets(model, context, partition, y, ink);
  y += PLOT;
  axis(context, y, ink);
  cursor(model, context, y, ink);
}

function label(context, words, y, ink) {
  text(context, words, gutter() - 8, y, ink.muted, gutter() - 8, "right");
}

function faultBar(context, it, top, ink) {
  if (it.row >= MOST_FAULTS || it.to < view.from || it.from > view.to) return;
  const [x1, x2, y] = [clampX(xOf(it.from)), Math.max(clampX(xOf(it.to)), clampX(xOf(it.from)) + 3), top + it.row * FAULT];
  box(context, x1, y + 1, x2, y + FAULT - 2, ink.paper, ink.bad);
  hatch(context, x1, y + 1, x2, y + FAULT - 2, ink.bar);
  box(context, x1, y + 1, x2, y + FAULT - 2, null, ink.bad);
  const room = x2 - x1 - 8;
  if (room > 60) {
    context.fillStyle = ink.paper;
    context.fillRect(x1 + 4, y + 3, Math.min(context.measureText(it.words).width + 6, room), FAULT - 7);
    text(context, it.words, x1 + 7, y + FAULT / 2, ink.text, room - 6);
  } else text(context, it.words, x2 + 5, y + FAULT / 2, ink.text, strip.width - x2 - 12);
  strip.hits.push([it.i, x1, y + FAULT / 2]);
}

// Spans of committed states of the partition: [state, from, to]. Successive states for which `same`
// holds form one span.
function stretches(partition, same = () => false) {
  const all = [];
  partition.states.forEach((state, place) => {
    const to = partition.states[place + 1]?.time ?? Infinity;
    if (all.length && same(all.at(-1)[0], state)) all.at(-1)[2] = to;
    else all.push([state, state.time, to]);
  });
  return all.filter(([, from, to]) => to >= view.from && from <= view.to);
}

function leaders(context, partition, y, ink) {
  for (const [state, from, to] of stretches(partition, (a, b) => a.leader === b.leader && a.epoch === b.epoch)) {
    const [x1, x2] = [clampX(xOf(from)), clampX(xOf(to))];
    const none = state.leader === null;
    box(context, x1, y + 2, x2, y + LANE - 2, none ? ink.paper : ink.bar, none ? ink.bad : ink.axis);
    if (none) hatch(context, x1, y + 2, x2, y + LANE - 2, ink.bad);
    text(context, none ? `no leader · epoch ${state.epoch}` : `${state.leader} · epoch ${state.epoch}`, x1 + 6, y + LANE / 2, ink.text, x2 - x1 - 8);
  }
  for (const it of partition.elections) {
    if (it.time < view.from || it.time > view.to) continue;
    mark(context, "diamond", xOf(it.time), y + LANE / 2, 6, it.how === "unclean" ? ink.bad : ink.accent, ink.paper);
    strip.hits.push([it.i, xOf(it.time), y + LANE / 2]);
  }
}

// A replica: filled while it leads, lighter in the ISR, dashed in the ELR, a thin line out of both;
// hatched while its process is down.
function lane(model, context, partition, replica, y, ink, place) {
  const id = Number(replica.node.slice(clusterOf(partition.name).length));
  const [top, bottom] = [y + 3, y + LANE - 3];
  for (const [state, from, to] of stretches(partition)) {
    const [x1, x2] = [clampX(xOf(from)), clampX(xOf(to))];
    if (state.isr.includes(id)) box(context, x1, top, x2, bottom, ink.bar, null);
    else if (state.elr.includes(id)) box(context, x1, top, x2, bottom, null, ink.axis, [4, 3]);
    else line(context, x1, (top + bottom) / 2, x2, (top + bottom) / 2, ink.axis, 1);
  }
  for (const lead of replica.leads) {
    const down = nodeIn(model, replica.node).down.find(([from]) => from >= lead.from);
    const to = Math.min(lead.to, down ? down[0] : Infinity);
    if (to < view.from || lead.from > view.to) continue;
    const [x1, x2] = [clampX(xOf(lead.from)), clampX(xOf(to))];
    // It still leads in an epoch that the controllers have ended.
    const stale = partition.states.find((state) => state.epoch > lead.epoch);
    const x3 = stale ? Math.max(Math.min(clampX(xOf(stale.time)), x2), x1) : x2;
    box(context, x1, top, x3, bottom, ink.third, null);
    if (x3 < x2) {
      box(context, x3, top, x2, bottom, null, ink.third);
      hatch(context, x3, top, x2, bottom, ink.third);
    }
    strip.hits.push([lead.i, xOf(lead.from), (top + bottom) / 2]);
  }
  down(model, context, replica, top, bottom, ink);
  for (const cut of partition.cuts) {
    if (cut.node !== replica.node || cut.time < view.from || cut.time > view.to) continue;
    mark(context, "down", xOf(cut.time), (top + bottom) / 2, 7, cut.to < cut.highWatermark ? ink.bad : ink.caution, ink.paper);
    strip.hits.push([cut.i, xOf(cut.time), (top + bottom) / 2]);
  }
  line(context, gutter() - 4, y + 5, gutter() - 4, y + LANE - 5, lineOf(place, ink)[0], 3, lineOf(place, ink)[1]);
}

function down(model, context, replica, top, bottom, ink) {
  const node = nodeIn(model, replica.node);
  for (const [from, to] of node.fenced) {
    if (to < view.from || from > view.to) continue;
    line(context, clampX(xOf(from)), bottom, clampX(xOf(to)), bottom, ink.caution, 3);
  }
  for (const [spans, cross] of [[node.paused, false], [node.down, true]]) {
    for (const [from, to] of spans) {
      if (to < view.from || from > view.to) continue;
      const [x1, x2] = [clampX(xOf(from)), clampX(xOf(to))];
      box(context, x1, top, x2, bottom, ink.paper, ink.axis);
      hatch(context, x1, top, x2, bottom, ink.axis, cross);
      if (x2 - x1 > 70) {
        context.fillStyle = ink.paper;
        context.fillRect((x1 + x2) / 2 - 24, top + 2, 48, bottom - top - 4);
        text(context, cross ? "down" : "paused", (x1 + x2) / 2, (top + bottom) / 2, ink.text, 46, "center");
      }
    }
  }
}

// A tick for an acknowledged write, a cross for a refused one.
function writes(context, partition, y, ink) {
  context.fillStyle = ink.good;
  let last = -9;
  for (const ack of inView(partition.acks)) {
    const x = Math.round(xOf(ack.time));
    if (x > last) context.fillRect(x, y + 3, 1.5, 11);
    last = x;
  }
  let crossed = -99;
  for (const it of inView(partition.refused)) {
    const x = xOf(it.time);
    if (x < crossed + 7) continue;
    mark(context, "cross", x, y + 8, 4, ink.bad, ink.paper);
    strip.hits.push([it.i, x, y + 8]);
    crossed = x;
  }
}

function axis(context, y, ink) {
  const { all, digits } = ticks(view.from, view.to, strip.width - gutter(), strip.width < 560 ? 62 : 90);
  for (const time of all) {
    line(context, xOf(time), y, xOf(time), y + 5, ink.axis, 1);
    if (xOf(time) < strip.width - 30) text(context, `${(time / 1e9).toFixed(digits)} s`, xOf(time), y + 16, ink.muted, 120, "center");
  }
}

function cursor(model, context, bottom, ink) {
  if (view.event < 0) return;
  const time = model.data.time[view.event];
  if (time < view.from || time > view.to) return;
  line(context, xOf(time), 2, xOf(time), bottom + 4, ink.text, 1.2);
}

function pick(model, x, y) {
  const hit = nearest(strip, x, y);
  const events = shown(model)?.events ?? [];
  const time = timeAt(x);
  const place = lowest(events.length, (i) => model.data.time[events[i]] >= time);
  const near = [events[place - 1], events[place]].filter((it) => it !== undefined)
    .sort((a, b) => Math.abs(model.data.time[a] - time) - Math.abs(model.data.time[b] - time));
  const event = hit >= 0 ? hit : near[0];
  if (event !== undefined) change({ event });
}

// The state at the pointer, or at the chosen event.
function readout(model, pointed) {
  const partition = shown(model);
  const time = pointed ?? (view.event >= 0 ? model.data.time[view.event] : view.to);
  if (!partition) return;
  const state = stateAt(partition, time);
  const part = (name, value) => element("span", {}, element("b", {}, name), ` ${value}`);
  const ends = partition.lines.map((it) => `${it.node}: ${at(it.ends, time)?.[1] ?? "–"}${within(nodeIn(model, it.node).down, time) ? " (down)" : ""}`);
  document.getElementById("readout").replaceChildren(
    part("at", seconds(time)),
    part("leader", state ? `${state.leader ?? "none"}, epoch ${state.epoch}` : "–"),
    part("ISR", state ? set(state.isr) : "–"),
    ...(state?.elr.length ? [part("ELR", set(state.elr))] : []),
    part("high watermark", at(highWatermark(partition), time)?.[1] ?? "–"),
    ...(partition.transactional ? [part("last stable offset", at(partition.lso, time)?.[1] ?? "–")] : []),
    part("log ends", ends.join(", ")));
}

function stripLegend(model) {
  const partition = shown(model);
  const item = (swatch, words) => element("span", {}, element("i", { class: `swatch ${swatch}`, "aria-hidden": "true" }), words);
  const items = [
    item("leads", "leads"), item("stale", "leads in an epoch that is over"), item("isr", "in sync (ISR)"), item("elr", "eligible (ELR)"),
    item("out", "out of sync"), item("down", "process down"), item("fenced", "fenced"),
    item("s-election", "election"), item("s-cut", "log cut"), item("s-ack", "acknowledged"), item("s-early", "acknowledged before the high watermark passed"),
    ...(model.lost?.length ? [item("s-lost", "acknowledged and lost")] : []),
    item("high", "committed: below the high watermark"),
    ...(partition?.transactional ? [item("lso", "last stable offset")] : []),
    ...(partition?.lines ?? []).map((it, place) => item(`line l${place % 6}`, `log end of ${it.node}`)),
  ];
  document.getElementById("strip-legend").replaceChildren(...items);
}

function stripTable(model) {
  const target = document.getElementById("strip-table");
  const partition = shown(model);
  if (!target.closest("details").open || !partition) return;
  const rows = [];
  for (const state of partition.states) rows.push([state.time, model.placeOf(state.event), `leader ${state.leader ?? "none"}, epoch ${state.epoch}, ISR ${set(state.isr)}, ELR ${set(state.elr)}`]);
  for (const it of model.faults) rows.push([it.from, it.i, `fault: ${it.words}, for ${span(it.to - it.from)}`]);
  for (const it of [...partition.cuts, ...partition.elections, ...partition.isr]) rows.push([it.time, it.i, null]);
  for (const it of partition.lines.flatMap((replica) => replica.leads)) rows.push([it.from, it.i, null]);
  const inside = rows.filter(([time]) => time >= view.from && time <= view.to).sort((a, b) => a[0] - b[0]).slice(0, 300);
  const acked = inView(partition.acks);
  target.replaceChildren(table(["Time", "Node", "What"], inside.map(([time, i, words]) => [
    i >= 0 ? element("a", { href: fragment(model.data.id, { event: i }) }, seconds(time)) : seconds(time),
    i >= 0 ? who(model, i) : "", words ?? says(model, i)]),
  `${view.partition} from ${seconds(view.from, 3)} to ${seconds(view.to, 3)}: ${grouped(acked.length)} writes acknowledged, ${grouped(inView(partition.refused).length)} refused`));
}
