// The whole life of a record, each step with its event.
import { element, says, seconds, who } from "./words.js";
import { acknowledgements, at, lifeOf, lostRecords } from "./model.js";
import { change, fragment, view } from "./view.js";

const STEPS = {
  sent: "given to the producer", message: "sent over the network", arrived: "received by a broker", appended: "appended by the leader",
  copied: "copied by a follower", acknowledged: "acknowledged by the leader", confirmed: "confirmed to the application", retried: "sent again",
  failed: "given up", delivered: "read by a consumer", read_back: "read back at the end", cut: "cut from a log", missing: "missing when the log was loaded",
};
const SHAPES = { cut: "▼", missing: "▼", failed: "✕", retried: "↻", acknowledged: "▲", confirmed: "▲", read_back: "●", delivered: "●" };

// The largest number of lost records in the list.
const MOST_LOST = 40;

let lost = null;

export function beginRecord(model, counted) {
  const all = lostRecords(model);
  // The verdict decides. The list is shown only if it agrees with the verdict.
  lost = all.length === counted ? all : [];
  model.lost = acknowledgements(model, lost);
  const input = element("input", { id: "record-name", type: "text", placeholder: "0#215", size: "10", autocomplete: "off", spellcheck: "false" });
  const form = element("form", { onsubmit: (event) => {
    event.preventDefault();
    if (/^\d+#\d+$/.test(input.value.trim())) change({ record: input.value.trim() });
  } }, element("label", {}, "Record ", input), " ", element("button", {}, "Show"));
  document.getElementById("record-tools").append(form);
}

let last = null;

export function showRecord(model) {
  if (view.record === last) return;
  last = view.record;
  const target = document.getElementById("record-body");
  const links = lost.slice(0, MOST_LOST).map((name) => element("a", { href: fragment(model.data.id, { record: name }) }, name));
  const list = lost.length ? element("p", { class: "chips" }, "Lost: ", links, lost.length > MOST_LOST ? ` and ${lost.length - MOST_LOST} more` : null) : null;
  document.getElementById("record-title").textContent = view.record ? `The life of record ${view.record}` : "A record’s life";
  if (!view.record) {
    target.replaceChildren(element("p", {}, "Choose a record: its number stands in explanations, and in the facts about it."), list ?? "");
    return;
  }
  document.getElementById("record-name").value = view.record;
  const life = view.recordLife = lifeOf(model, view.record);
  if (!life.life.length) {
    target.replaceChildren(element("p", {}, `No event on this page mentions record ${view.record}.`), list ?? "");
    return;
  }
  const end = fate(model, life);
  target.replaceChildren(
    element("p", { class: "fate" }, end),
    element("ol", { class: "life" }, life.life.map(([i, step]) => element("li", { class: step },
      element("span", { class: "shape", "aria-hidden": "true" }, SHAPES[step] ?? "•"),
      element("a", { href: fragment(model.data.id, { event: i }) }, seconds(model.data.time[i])),
      element("b", {}, STEPS[step]),
      element("span", {}, `${who(model, i)} ${says(model, i)}`)))),
    list ?? "");
}

// The outcome of the record and its reasons, in sentences.
function fate(model, life) {
  const { data } = model;
  const partition = model.partitions.get(life.partition);
  const all = partition?.lines.map((replica) => replica.node) ?? [];
  const had = new Set(life.life.filter(([, step]) => step === "appended" || step === "copied").map(([i]) => data.nodes[data.node[i]]));
  const never = all.filter((node) => !had.has(node));
  const words = [];
  if (life.offset !== null) words.push(`It stood at offset ${life.offset} of ${life.partition}, written in leader epoch ${life.epoch}. `);
  if (life.readBack) {
    words.push("It was read back at the end: it is not lost.");
    return words;
  }
  if (life.acknowledged === null && life.failed) return [...words, "It was never acknowledged, and its producer gave it up."];
  if (life.acknowledged === null) return [...words, "It was not acknowledged, and not read back."];
  // The verdict and the whole trace decide what is lost; a record of an aborted transaction is not.
  if (!lost.includes(life.name)) {
    const why = data.count < data.total
      ? "It was acknowledged. Whether it was read back is among the events that this page does not have."
      : "It was acknowledged, and not read back: its transaction was not committed, or it was read in another way.";
    return [...words, why];
  }
  const link = (i, text) => element("a", { href: fragment(data.id, { event: i }) }, text);
  words.push(element("b", {}, "It was acknowledged and is lost. "), "The leader ", link(life.acknowledged, "acknowledged it"), " when ");
  const ack = data.fields.get(life.acknowledged);
  words.push(ack.high_watermark > life.offset ? "the high watermark had passed it" : `the high watermark was still ${ack.high_watermark}`);
  if (never.length) words.push(`; ${never.length === 1 ? "broker" : "brokers"} ${never.join(" and ")} never had it`);
  words.push(". ");
  const next = partition?.states.find((state) => state.epoch > life.epoch && state.leader !== null);
  if (next) {
    const place = model.placeOf(next.event);
    const end = at(partition.replicas.get(leaderName(partition, next))?.ends ?? [], next.time)?.[1];
    words.push(`Broker ${next.leader} was `, place >= 0 ? link(place, "made leader of the next epoch") : "made leader of the next epoch");
    if (end !== undefined) words.push(end <= life.offset ? `, and its log ended at ${end}, before the record` : `, with a log that ended at ${end}`);
    words.push(". ");
  }
  for (const cut of life.cuts) words.push(`Broker ${cut.node} `, link(cut.i, "cut it from its log"), ". ");
  return words;
}

function leaderName(partition, state) {
  const slash = partition.name.indexOf("/");
  return slash < 0 ? String(state.leader) : `${partition.name.slice(0, slash + 1)}${state.leader}`;
}
