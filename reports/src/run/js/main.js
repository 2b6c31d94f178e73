// Starts the page: reads the data, draws the pictures, and follows the fragment of the address.
import { load } from "./data.js";
import { build, eventAt } from "./model.js";
import { asked, begin, change, follow, knowIds, reveal, view } from "./view.js";
import { forgetColours } from "./draw.js";
import { beginStrip, showStrip } from "./strip.js";
import { beginRecord, showRecord } from "./record.js";
import { beginSpace, showSpace } from "./space.js";
import { beginCluster, showCluster } from "./cluster.js";
import { enter, showEvent } from "./inspect.js";
import { beginSearch } from "./search.js";
import { beginKeys } from "./keys.js";

function open(model, wanted) {
  change(wanted);
  if (wanted.event >= 0) {
    const partition = model.data.fields.get(wanted.event)?.partition;
    if (!wanted.partition && model.partitions.get(partition)?.states.length && !partition.includes("__")) change({ partition });
    if (wanted.from === undefined) reveal(model.data.time[wanted.event]);
  }
}

// Follows a link within the page, and moves the focus to its target.
function followLink(model, link) {
  const before = view.record;
  const wanted = asked(link.getAttribute("href"), (id) => eventAt(model, id));
  open(model, wanted);
  requestAnimationFrame(() => requestAnimationFrame(() => {
    if (wanted.record && wanted.record !== before) {
      const title = document.getElementById("record-title");
      title.scrollIntoView({ block: "start" });
      title.focus({ preventScroll: true });
    } else if (wanted.event >= 0) enter(link);
    else if (wanted.partition) document.getElementById("strip").scrollIntoView({ block: "start" });
  }));
}

async function start() {
  const data = await load(document.getElementById("data").textContent);
  const model = build(data);
  model.placeOf = (id) => eventAt(model, id);
  begin(model.start, model.end);
  knowIds(data.id);
  const names = [...model.partitions.keys()].filter((name) => model.partitions.get(name).states.length && !name.includes("__"));
  names.sort((a, b) => a.localeCompare(b, "en", { numeric: true }));
  view.partition = data.finding?.[1] || names[0] || [...model.partitions.keys()][0] || "";
  view.steps = "partition";
  beginStrip(model);
  beginRecord(model, Number(document.getElementById("record").dataset.lost));
  beginSpace(model);
  beginCluster(model);
  beginSearch(model);
  beginKeys(model);
  for (const show of [showRecord, showStrip, showSpace, showCluster, showEvent]) follow(() => show(model));
  for (const details of document.querySelectorAll("details")) details.addEventListener("toggle", () => change({}));
  window.addEventListener("resize", () => change({}));
  window.addEventListener("beforeprint", () => { forgetColours(true); showStrip(model); showSpace(model); });
  window.addEventListener("afterprint", () => { forgetColours(); change({}); });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { forgetColours(); change({}); });
  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[href*='=']");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    history.pushState(null, "", link.getAttribute("href"));
    followLink(model, link);
  });
  window.addEventListener("popstate", () => open(model, { ...asked(location.hash, (id) => eventAt(model, id)) }));
  open(model, asked(location.hash, (id) => eventAt(model, id)));
  document.documentElement.dataset.ready = "true";
}

if (document.getElementById("strip-canvas")) {
  start().catch((error) => {
    const note = document.getElementById("unready");
    note.hidden = false;
    note.textContent = `The pictures could not be drawn: ${error.message}`;
  });
}
