// The lanes and messages in the picture of messages.
import { element } from "./words.js";
import { partitionsOf } from "./model.js";
import { change, view } from "./view.js";

export function visible(model) {
  return model.lanes.filter((lane) => !view.hidden.has(lane));
}

// The messages that pass the filters. They are kept until a filter changes.
let kept = { key: null, all: [] };

export function chosen(model) {
  const key = `${view.api}|${view.only}|${view.only === "record" ? view.record : ""}|${view.only === "partition" ? view.partition : ""}`;
  if (kept.key === key) return kept.all;
  let all = model.messages.all;
  if (view.api) all = all.filter((it) => apiOf(model, it.i) === view.api);
  if (view.only === "partition") all = all.filter((it) => partitionsOf(model, it.i).has(view.partition));
  if (view.only === "record" && view.recordLife) {
    const of = new Set(view.recordLife.life.map(([i]) => i));
    all = all.filter((it) => of.has(it.i) || of.has(it.to));
  }
  if (view.only === "unusual") all = all.filter((it) => it.fate);
  kept = { key, all };
  return all;
}

export function apiOf(model, i) {
  return model.data.messages[model.data.message[i]].replace(/(Request|Response)$/, "");
}

export function laneTools(model) {
  const apis = [...new Set(model.data.messages.map((name) => name.replace(/(Request|Response)$/, "")))].sort();
  const api = element("select", { id: "api", onchange: (event) => change({ api: event.target.value }) },
    element("option", { value: "" }, "all"), apis.map((name) => element("option", { value: name }, name)));
  const only = element("select", { id: "only", onchange: (event) => change({ only: event.target.value }) },
    element("option", { value: "" }, "all"),
    element("option", { value: "partition" }, "about the partition"),
    element("option", { value: "record" }, "that carried the record"),
    element("option", { value: "unusual" }, "lost, late or twice"));
  const boxes = model.lanes.map((lane) => element("label", {},
    element("input", { type: "checkbox", checked: !view.hidden.has(lane), onchange: (event) => hide([lane], !event.target.checked) }), ` ${model.nodes[lane].name}`));
  return [element("label", {}, "API ", api), element("label", {}, "Messages ", only),
    element("details", { class: "lanes" }, element("summary", {}, "Lanes"), element("div", { class: "columns" }, boxes))];
}

function hide(lanes, hidden) {
  const now = new Set(view.hidden);
  for (const lane of lanes) {
    if (hidden) now.add(lane);
    else now.delete(lane);
  }
  change({ hidden: now });
}
