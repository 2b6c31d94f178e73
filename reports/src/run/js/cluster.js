// The cluster as an operator's console shows it, at the chosen moment.
import { element, seconds, set, table } from "./words.js";
import { at, clusterOf, nodeOf, stateAt, within } from "./model.js";
import { change, fragment, view } from "./view.js";
import { step, steppers } from "./keys.js";

export function beginCluster(model) {
  document.getElementById("cluster-tools").append(
    element("label", {}, "Step by ", element("select", { id: "steps", onchange: (event) => change({ steps: event.target.value }) },
      steppers.map(([value, words]) => element("option", { value }, words)))),
    element("span", { class: "buttons" },
      element("button", { type: "button", onclick: () => step(model, -1) }, "Previous"),
      element("button", { type: "button", onclick: () => step(model, 1) }, "Next")));
}

export function showCluster(model) {
  const time = view.event >= 0 ? model.data.time[view.event] : view.to;
  const steps = document.getElementById("steps");
  if (view.steps && steps.value !== view.steps) steps.value = view.steps;
  const active = activeController(model, time);
  const nodes = model.lanes.map((lane) => model.nodes[lane]).filter((node) => node.role !== "client");
  const rows = [...model.partitions.values()].filter((it) => stateAt(it, time)).map((it) => partitionRow(model, it, time));
  rows.sort((a, b) => a.name.localeCompare(b.name, "en", { numeric: true }));
  document.getElementById("cluster-body").replaceChildren(
    element("p", {}, "At ", element("b", {}, seconds(time)), view.event >= 0 ? `, just after event ${model.data.id[view.event]}` : ", the end of the span in view"),
    element("ul", { class: "nodes" }, nodes.map((node) => element("li", {}, element("b", {}, node.name), " ", nodeWords(node, time, active)))),
    element("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Partitions" },
      table(["Partition", "Leader", "ISR", "ELR", "High watermark", "Log ends", "Lag of consumers", "State"], rows.map((row) => row.cells))));
}

function nodeWords(node, time, active) {
  if (within(node.down, time)) return tagged("bad", "✕ down");
  if (within(node.paused, time)) return tagged("bad", "‖ paused");
  if (within(node.fenced, time)) return tagged("caution", "▲ fenced");
  return tagged("good", node === active ? "● active controller" : "● up");
}

function tagged(tone, words) {
  return element("span", { class: `tag ${tone}` }, words);
}

function activeController(model, time) {
  let last = null;
  for (const i of model.facts) {
    if (model.data.time[i] > time) break;
    if (model.data.fields.get(i).what === "controller_active") last = model.nodes[model.data.node[i]];
  }
  return last;
}

function partitionRow(model, partition, time) {
  const state = stateAt(partition, time);
  const prefix = clusterOf(partition.name);
  const end = (id) => at(partition.replicas.get(prefix + id)?.ends ?? [], time)?.[1];
  const high = state.leader === null ? undefined : at(partition.replicas.get(prefix + state.leader)?.marks ?? [], time)?.[1];
  const topic = partition.name.slice(prefix.length, partition.name.lastIndexOf("-"));
  const least = model.data.minIsr[topic] ?? model.data.minIsr[""] ?? 1;
  const lags = [...partition.read].filter(([node]) => Number(node.slice(node.indexOf("/") + 1)) < 3001)
    .map(([node, points]) => [node, at(points, time)?.[1]]).filter(([, position]) => position !== undefined && high !== undefined)
    .map(([node, position]) => `${node}: ${Math.max(high - position, 0)}`);
  const marks = [];
  const stopped = (id) => ["down", "paused"].find((which) => within(nodeOf(model, prefix + id)?.[which] ?? [], time));
  const gone = state.isr.filter((id) => id !== state.leader && stopped(id));
  if (state.leader !== null && stopped(state.leader)) marks.push(tagged("bad", `✕ the leader is ${stopped(state.leader)}`));
  if (gone.length) marks.push(tagged("caution", `▲ in the ISR, but not running: ${gone.join(", ")}`));
  if (state.leader === null) marks.push(tagged("bad", "✕ no leader"));
  else if (state.isr.length < Math.min(least, state.replicas.length)) marks.push(tagged("bad", "▼ under min ISR"));
  if (state.isr.length < state.replicas.length) marks.push(tagged("caution", "▲ under-replicated"));
  if (!marks.length) marks.push(tagged("good", "● in sync"));
  const link = element("a", { href: fragment(model.data.id, { partition: partition.name }) }, partition.name);
  return { name: partition.name.includes("__") ? `~${partition.name}` : partition.name, cells: [link, `${state.leader ?? "none"} · epoch ${state.epoch}`, set(state.isr), state.elr.length ? set(state.elr) : "–",
    high ?? "–", state.replicas.map((id) => `${id}: ${end(id) ?? "–"}`).join(", "), lags.join(", ") || "–", marks] };
}
