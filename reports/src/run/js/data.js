// The data of the page: columns of events, and the tables to which the columns refer.

// Decompresses and reads the data; times become nanoseconds since the start of the load.
export async function load(text) {
  if (typeof DecompressionStream === "undefined") {
    throw new Error("This browser has no DecompressionStream, which the pictures need.");
  }
  const packed = atob(text.trim());
  const bytes = new Uint8Array(packed.length);
  for (let i = 0; i < packed.length; i += 1) bytes[i] = packed.charCodeAt(i);
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return columns(JSON.parse(await new Response(stream).text()));
}

function columns(raw) {
  const count = raw.id.length;
  const data = {
    count,
    total: raw.total,
    // The interval in which no event is missing; null if there is none.
    whole: raw.whole,
    nodes: raw.nodes,
    kinds: raw.kinds,
    messages: raw.messages,
    states: raw.states,
    minIsr: raw.min_isr,
    finding: raw.finding,
    id: new Uint32Array(count),
    time: new Float64Array(count),
    // Indexes in `nodes`, `kinds` and `messages`; -1 for none.
    node: Int32Array.from(raw.node, (place) => place - 1),
    kind: Int32Array.from(raw.kind),
    peer: Int32Array.from(raw.peer, (place) => place - 1),
    message: Int32Array.from(raw.message, (place) => place - 1),
    // The index of the causing event; -1 if there is none, or the page does not contain it.
    cause: new Int32Array(count),
    fields: new Map(),
  };
  let [id, time] = [0, 0];
  for (let i = 0; i < count; i += 1) {
    data.id[i] = id += raw.id[i];
    data.time[i] = time += raw.time[i];
  }
  for (let i = 0; i < count; i += 1) {
    data.cause[i] = raw.cause[i] === 0 ? -1 : placeOf(data, data.id[i] - raw.cause[i]);
  }
  let place = 0;
  raw.places.forEach((step, i) => data.fields.set((place += step), raw.fields[i]));
  return data;
}

// The index of the event with this number, or -1.
export function placeOf(data, id) {
  const at = lowest(data.count, (i) => data.id[i] >= id);
  return at < data.count && data.id[at] === id ? at : -1;
}

// The lowest index below `count` from which `is` holds, or `count`.
export function lowest(count, is) {
  let [low, high] = [0, count];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (is(middle)) high = middle;
    else low = middle + 1;
  }
  return low;
}
