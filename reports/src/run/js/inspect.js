// The chosen event, its causes and its effects.
import { element, says, seconds, span, who } from "./words.js";
import { change, fragment, view } from "./view.js";

const MOST_CAUSES = 14;
const MOST_EFFECTS = 12;

export function causesOf(model, i) {
  const chain = [];
  for (let cause = model.data.cause[i]; cause >= 0; cause = model.data.cause[cause]) chain.push(cause);
  return chain;
}

let inspected = -2;

export function showEvent(model) {
  const dock = document.getElementById("dock");
  dock.hidden = view.event < 0;
  document.body.classList.toggle("docked", view.event >= 0);
  if (view.event === inspected) return;
  inspected = view.event;
  if (view.event < 0) return;
  const { data } = model;
  const i = view.event;
  const causes = causesOf(model, i);
  const effects = [];
  for (let child = model.first[i]; child >= 0; child = model.next[child]) effects.push(child);
  const item = (place) => element("li", {}, element("a", { href: fragment(data.id, { event: place }) }, seconds(data.time[place])),
    " ", element("b", {}, who(model, place)), ` ${says(model, place)}`,
    element("span", { class: "small" }, ` ${place === i ? "" : span(data.time[place] - data.time[i])}`));
  dock.replaceChildren(
    element("header", {},
      element("h2", {}, `Event ${data.id[i]}`), element("span", {}, seconds(data.time[i])),
      element("button", { type: "button", id: "close", onclick: () => leave() }, "Close")),
    element("p", { class: "what" }, element("b", {}, who(model, i)), ` ${says(model, i)}`),
    links(model, i),
    element("div", { class: "chains" },
      element("div", {}, element("h3", {}, causes.length ? "Because" : "Caused from outside, or by an event that is not on the page"),
        element("ol", {}, causes.slice(0, MOST_CAUSES).map(item)), causes.length > MOST_CAUSES ? element("p", { class: "small" }, `and ${causes.length - MOST_CAUSES} earlier ones`) : null),
      element("div", {}, element("h3", {}, effects.length ? "It caused" : "It caused nothing further"),
        element("ol", {}, effects.slice(0, MOST_EFFECTS).map(item)), effects.length > MOST_EFFECTS ? element("p", { class: "small" }, `and ${effects.length - MOST_EFFECTS} more`) : null)));
}

// Links to other views of the event: its partition, its records, the pictures around it.
function links(model, i) {
  const { data } = model;
  const fields = data.fields.get(i) || {};
  const records = [...(fields.records ?? []).map(([, name]) => name), ...(fields.numbers ?? []), ...(fields.record ? [fields.record] : [])].filter(Boolean);
  const to = (changes, words) => element("a", { href: fragment(data.id, changes) }, words);
  return element("p", { class: "chips" },
    typeof fields.partition === "string" && model.partitions.get(fields.partition)?.states.length ? [to({ partition: fields.partition, event: i }, fields.partition), " "] : null,
    records.slice(0, 24).map((name) => [to({ record: name, event: i }, name), " "]),
    records.length > 24 ? `and ${records.length - 24} more records ` : null,
    to({ from: data.time[i] - 5e6, to: data.time[i] + 5e6, event: i }, "5 ms around it"), " ",
    to({ from: data.time[i] - 1e8, to: data.time[i] + 1e8, event: i }, "100 ms around it"));
}

let came = null;

// Moves the focus to the chosen event, and remembers the element that had it.
export function enter(from) {
  came = from && document.contains(from) && !from.closest("#dock") ? from : came;
  document.getElementById("dock").focus({ preventScroll: true });
}

export function leave() {
  change({ event: -1 });
  if (came && document.contains(came)) came.focus({ preventScroll: true });
  came = null;
}
