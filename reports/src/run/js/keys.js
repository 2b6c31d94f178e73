// Keyboard shortcuts, and steps from event to event.
import { lowest } from "./data.js";
import { element } from "./words.js";
import { change, pan, reveal, view, whole, zoom } from "./view.js";
import { causesOf, leave } from "./inspect.js";

export const steppers = [["partition", "facts of the partition"], ["all", "every event"], ["faults", "faults and elections"], ["causes", "what caused the event"]];

// The next event of the chosen kind, forwards (1) or backwards (-1).
export function step(model, way) {
  const list = stepsOf(model);
  if (view.steps === "causes") {
    const to = way < 0 ? model.data.cause[view.event] : model.first[view.event];
    if (to >= 0) go(model, to);
    return;
  }
  const now = view.event >= 0 ? view.event : lowest(model.data.count, (i) => model.data.time[i] >= view.from);
  const place = list ? lowest(list.length, (i) => list[i] >= now) : now;
  const to = list ? list[place + (way > 0 && list[place] !== now ? 0 : way)] : now + way;
  if (to !== undefined && to >= 0 && to < model.data.count) go(model, to);
}

function stepsOf(model) {
  if (view.steps === "all" || view.steps === "causes") return null;
  if (view.steps === "faults") {
    model.turns ??= [...new Set([...model.faults.flatMap((it) => [it.i, it.undone]), ...[...model.partitions.values()].flatMap((it) => it.elections.map((e) => e.i))])]
      .filter((i) => i >= 0).sort((a, b) => a - b);
    return model.turns;
  }
  return model.partitions.get(view.partition)?.events ?? [];
}

function go(model, event) {
  reveal(model.data.time[event]);
  change({ event });
}

const KEYS = [
  ["j, k", "next and previous event, of the kind chosen under “Step by”"],
  ["f, F", "next and previous fault or election"],
  ["c", "the cause of the event"],
  ["+, −", "shorter and longer span of time, around the chosen event"],
  ["[, ]", "earlier and later"],
  ["0", "the whole run"],
  ["z", "five milliseconds around the chosen event"],
  ["p, P", "next and previous partition"],
  ["/", "search"],
  ["Esc", "close the chosen event and go back to the link that led to it"],
  ["?", "these keys"],
];

export function beginKeys(model) {
  const help = document.getElementById("help");
  help.append(element("h2", {}, "Keys"), element("dl", {}, KEYS.map(([key, words]) => [element("dt", {}, element("kbd", {}, key)), element("dd", {}, words)])),
    element("form", { method: "dialog" }, element("button", {}, "Close")));
  document.querySelector("nav.parts ul").append(element("li", {}, element("button", { type: "button", onclick: () => help.showModal() }, "Keys")));
  document.addEventListener("keydown", (event) => {
    if (help.open && event.key === "Escape") return help.close();
    if (event.ctrlKey || event.metaKey || event.altKey || help.open) return;
    if (event.key === "Escape") return view.event >= 0 ? leave() : undefined;
    if (/^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName)) return;
    if (press(model, event.key, help)) event.preventDefault();
  });
}

function press(model, key, help) {
  const centre = view.event >= 0 ? model.data.time[view.event] : undefined;
  const with_ = (steps, way) => {
    const before = view.steps;
    view.steps = steps;
    step(model, way);
    view.steps = before;
  };
  const acts = {
    j: () => step(model, 1), k: () => step(model, -1), f: () => with_("faults", 1), F: () => with_("faults", -1),
    c: () => causesOf(model, view.event).length && go(model, causesOf(model, view.event)[0]),
    "+": () => zoom(0.5, centre), "=": () => zoom(0.5, centre), "-": () => zoom(2, centre), "[": () => pan(-0.3), "]": () => pan(0.3),
    0: () => change({ from: whole()[0], to: whole()[1] }),
    z: () => centre !== undefined && change({ from: centre - 2.5e6, to: centre + 2.5e6 }),
    p: () => next(1), P: () => next(-1), "/": () => document.getElementById("query").focus(), "?": () => help.showModal(),
  };
  if (!acts[key]) return false;
  acts[key]();
  return true;
}

function next(way) {
  const options = [...document.getElementById("partition").options].map((it) => it.value);
  change({ partition: options[(options.indexOf(view.partition) + way + options.length) % options.length] });
}
