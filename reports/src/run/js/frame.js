// The horizontal positions of times on the strip of a partition.
import { lowest } from "./data.js";
import { view } from "./view.js";

export let strip = null;

export function beginFrame(surface) {
  strip = surface;
}

export function gutter() {
  return strip.width < 560 ? 66 : 96;
}

export function xOf(time) {
  return gutter() + ((time - view.from) / (view.to - view.from)) * (strip.width - gutter() - 10);
}

export function timeAt(x) {
  return view.from + ((x - gutter()) / (strip.width - gutter() - 10)) * (view.to - view.from);
}

export function clampX(x) {
  return Math.round(Math.min(Math.max(x, gutter()), strip.width - 10));
}

export function nodeIn(model, id) {
  return model.nodes[model.data.nodes.indexOf(id)] ?? { down: [], paused: [], fenced: [] };
}

export function inView(list) {
  return list.slice(lowest(list.length, (i) => list[i].time >= view.from), lowest(list.length, (i) => list[i].time > view.to));
}
