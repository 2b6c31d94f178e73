// Search over all events: words, a record, an event's number or a time.
import { lowest } from "./data.js";
import { element, grouped, says, seconds, who } from "./words.js";
import { change, fragment, reveal } from "./view.js";

const MOST_FOUND = 100;

export function beginSearch(model) {
  const input = element("input", { id: "query", type: "search", placeholder: "truncated, 3#739, 51644, 1.5s", size: "28", autocomplete: "off", spellcheck: "false" });
  document.getElementById("search-tools").append(element("form", { role: "search", onsubmit: (event) => {
    event.preventDefault();
    look(model, input.value.trim());
  } }, element("label", {}, "Find ", input), " ", element("button", {}, "Search")));
}

function look(model, query) {
  const body = document.getElementById("search-body");
  if (!query) return body.replaceChildren();
  if (/^\d+#\d+$/.test(query)) return change({ record: query });
  const time = /^(-?\d+(?:\.\d+)?)\s*(s|ms)$/.exec(query);
  if (time) {
    const ns = Number(time[1]) * (time[2] === "s" ? 1e9 : 1e6);
    const event = Math.min(lowest(model.data.count, (i) => model.data.time[i] >= ns), model.data.count - 1);
    reveal(model.data.time[event]);
    return change({ event });
  }
  const number = /^#?(\d+)$/.exec(query);
  const place = number ? model.placeOf(Number(number[1])) : -1;
  if (place >= 0) {
    reveal(model.data.time[place]);
    return change({ event: place });
  }
  const words = query.toLowerCase().split(/\s+/);
  const found = [];
  let count = 0;
  for (let i = 0; i < model.data.count; i += 1) {
    const line = `${who(model, i)} ${says(model, i)}`.toLowerCase();
    if (!words.every((word) => line.includes(word))) continue;
    count += 1;
    if (found.length < MOST_FOUND) found.push(i);
  }
  body.replaceChildren(
    element("p", {}, `${grouped(count)} event${count === 1 ? "" : "s"} found${count > MOST_FOUND ? `, the first ${MOST_FOUND} of them` : ""}.`),
    element("ol", { class: "found" }, found.map((i) => element("li", {},
      element("a", { href: fragment(model.data.id, { event: i }) }, seconds(model.data.time[i])), " ", element("b", {}, who(model, i)), ` ${says(model, i)}`))));
}
