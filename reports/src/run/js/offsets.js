// The offsets of a partition as lines: log ends, the high watermark, the last stable offset.
import { lowest } from "./data.js";
import { grouped } from "./words.js";
import { at } from "./model.js";
import { view } from "./view.js";
import { box, line, lineOf, mark, text, ticks } from "./draw.js";
import { clampX, gutter, inView, nodeIn, strip, xOf } from "./frame.js";

export const PLOT = 240;

// The high watermark of the successive leaders.
export function highWatermark(partition) {
  if (!partition.high) {
    const all = [];
    for (const replica of partition.lines) {
      for (const lead of replica.leads) {
        all.push(...replica.marks.filter(([time]) => time >= lead.from && time <= lead.to).map(([time, value, i]) => [time, value, i, lead.epoch]));
      }
    }
    all.sort((a, b) => a[0] - b[0] || a[3] - b[3]);
    // A leader that was replaced, and does not know that yet, is ignored.
    let epoch = -1;
    partition.high = all.filter((point) => (epoch = Math.max(epoch, point[3])) === point[3]);
  }
  return partition.high;
}

// The points of a line between two times, and the last point before them.
function cutOut(points, from, to) {
  const first = Math.max(lowest(points.length, (i) => points[i][0] > from) - 1, 0);
  return points.slice(first, lowest(points.length, (i) => points[i][0] > to));
}

// The distance of a line to another one, which changes with either of them.
function against(points, other) {
  const all = [];
  let [i, j] = [-1, -1];
  while (i + 1 < points.length || j + 1 < other.length) {
    const [a, b] = [points[i + 1]?.[0] ?? Infinity, other[j + 1]?.[0] ?? Infinity];
    const time = Math.min(a, b);
    while (i + 1 < points.length && points[i + 1][0] === time) i += 1;
    while (j + 1 < other.length && other[j + 1][0] === time) j += 1;
    if (i >= 0 && j >= 0) all.push([time, points[i][1] - other[j][1], points[i][2]]);
  }
  return all;
}

export function offsets(model, context, partition, top, ink) {
  const high = highWatermark(partition);
  const base = (time) => (view.relative ? at(high, time)?.[1] ?? 0 : 0);
  const marks = cutOut(high, view.from, view.to);
  const scaled = (points) => (view.relative ? against(points, marks) : points);
  const lines = partition.lines.map((replica) => ({ points: scaled(cutOut(replica.ends, view.from, view.to)), replica }));
  const flat = () => 0;
  const record = view.recordLife && view.recordLife.partition === partition.name ? view.recordLife.offset : null;
  let [low, most] = [Infinity, -Infinity];
  const stretch = (value) => { low = Math.min(low, value); most = Math.max(most, value); };
  for (const { points } of lines) for (const [, value] of points) stretch(value);
  for (const [time, value] of marks) stretch(value - base(time));
  if (!Number.isFinite(low)) return text(context, "nothing was written to it", gutter() + 8, top + PLOT / 2, ink.muted);
  if (record !== null && !view.relative && record >= low - (most - low) && record <= most + (most - low)) stretch(record + 1);
  const room = Math.max((most - low) * 0.06, 1);
  [low, most] = [low - room, most + room];
  const yOf = (value) => top + PLOT - ((value - low) / (most - low)) * PLOT;
  grid(context, low, most, yOf, ink);
  context.save();
  context.beginPath();
  context.rect(gutter(), top, strip.width - gutter() - 10, PLOT);
  context.clip();
  committed(context, marks, base, yOf, top + PLOT, ink);
  lines.forEach(({ points, replica }, place) => {
    const [colour, dash] = lineOf(place, ink);
    steps(context, points, flat, yOf, colour, 1.8, dash, view.relative ? [] : nodeIn(model, replica.node).down);
  });
  if (partition.transactional) steps(context, scaled(cutOut(partition.lso, view.from, view.to)), flat, yOf, ink.caution, 2, [1, 3]);
  acks(context, partition, base, yOf, ink);
  losses(model, context, partition, base, yOf, ink);
  if (record !== null && !view.relative) {
    line(context, gutter(), yOf(record), strip.width - 10, yOf(record), ink.bad, 1, [2, 2]);
    text(context, `record ${view.record} at ${record}`, strip.width - 16, yOf(record) - 8, ink.bad, 400, "right");
  }
  context.restore();
  box(context, gutter(), top, strip.width - 10, top + PLOT, null, ink.rule);
}

// Everything below the high watermark is committed.
function committed(context, marks, base, yOf, bottom, ink) {
  if (!marks.length) return;
  context.fillStyle = ink.bar;
  context.globalAlpha = 0.45;
  marks.forEach(([time, value], place) => {
    const [x1, x2] = [clampX(xOf(time)), clampX(xOf(marks[place + 1]?.[0] ?? Infinity))];
    if (x2 > x1) context.fillRect(x1, yOf(value - base(time)), x2 - x1, bottom - yOf(value - base(time)));
  });
  context.globalAlpha = 1;
  steps(context, marks, base, yOf, ink.text, 3, []);
}

// Acknowledged records that are lost, at the time and offset of their acknowledgement.
function losses(model, context, partition, base, yOf, ink) {
  for (const [name, offset, i] of model.lost ?? []) {
    const time = model.data.time[i];
    if (name !== partition.name || time < view.from || time > view.to) continue;
    mark(context, "cross", xOf(time), yOf(offset - base(time)), 6, ink.bad, ink.paper);
    strip.hits.push([i, xOf(time), yOf(offset - base(time))]);
  }
}

function grid(context, low, most, yOf, ink) {
  const { all } = ticks(low, most, PLOT, 44);
  for (const value of all.filter((it) => Number.isInteger(it))) {
    line(context, gutter(), yOf(value), strip.width - 10, yOf(value), ink.rule, 1);
    text(context, (view.relative && value > 0 ? "+" : "") + grouped(value), gutter() - 8, yOf(value), ink.muted, gutter(), "right");
  }
}

// A line that keeps each value until the next one; broad and grey while the process is down.
function steps(context, points, base, yOf, colour, width, dash, downs = []) {
  if (!points.length) return;
  context.strokeStyle = colour;
  context.lineWidth = width;
  context.setLineDash(dash);
  context.beginPath();
  let y = null;
  const every = Math.max(1, Math.floor(points.length / (strip.width * 2)));
  points.forEach(([time, value], place) => {
    if (place % every && place + 1 < points.length) return;
    const x = Math.max(xOf(time), gutter() - 5);
    const to = yOf(value - base(time));
    if (y === null) context.moveTo(x, to);
    else {
      context.lineTo(x, y);
      context.lineTo(x, to);
    }
    y = to;
  });
  context.lineTo(strip.width, y);
  context.stroke();
  context.setLineDash([]);
  for (const [from, to] of downs) {
    if (to < view.from || from > view.to) continue;
    const where = yOf((at(points, from) ?? points[0])[1] - base(from));
    line(context, clampX(xOf(from)), where, clampX(xOf(to)), where, "rgb(128 128 128 / 0.35)", 6);
  }
}

// Acknowledged end offsets, if there is room for them; filled if the high watermark was still
// lower.
function acks(context, partition, base, yOf, ink) {
  const all = inView(partition.acks);
  if (all.length > 260) return;
  for (const ack of all) {
    const [x, y] = [xOf(ack.time), yOf(ack.to - base(ack.time))];
    mark(context, ack.high_watermark < ack.to ? "up" : "dot", x, y, 5, ack.high_watermark < ack.to ? ink.caution : ink.good, ink.paper);
    strip.hits.push([ack.i, x, y]);
  }
}
