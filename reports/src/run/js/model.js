// The meaning of the events: nodes and their up times, partitions and the logs of their replicas,
// messages and their fates.
import { lowest, placeOf } from "./data.js";

const DOWN = new Set(["crashed", "halted", "power_lost", "boot_failed"]);

export function build(data) {
  const model = {
    data,
    nodes: data.nodes.map((id) => ({ id, down: [], paused: [], fenced: [], transactions: [] })),
    partitions: new Map(),
    faults: [],
    facts: [],
    // Where events are missing, a picture would be wrong, for example logs that stop growing.
    start: data.whole ? data.whole[0] : 0,
    end: data.whole ? data.whole[1] : 0,
    first: new Int32Array(data.count).fill(-1),
    next: new Int32Array(data.count).fill(-1),
  };
  for (let i = data.count - 1; i >= 0; i -= 1) {
    const cause = data.cause[i];
    if (cause >= 0) [model.next[i], model.first[cause]] = [model.first[cause], i];
  }
  for (const state of data.states) partitionOf(model, state.partition).states.push(state);
  const open = { faults: new Map(), down: new Map(), paused: new Map(), fenced: new Map() };
  const sends = new Set();
  const reads = new Set();
  for (let i = 0; i < data.count; i += 1) event(model, i, open, sends, reads);
  for (const [name, from] of open.down) model.nodes[name].down.push([from, model.end]);
  for (const [name, from] of open.paused) model.nodes[name].paused.push([from, model.end]);
  for (const [name, from] of open.fenced) model.nodes[name]?.fenced.push([from, model.end]);
  model.nodes.forEach((node, place) => named(node, sends.has(place), reads.has(place)));
  model.lanes = model.nodes.map((_, place) => place).sort((a, b) => order(model.nodes[a], model.nodes[b]));
  for (const partition of model.partitions.values()) finish(partition);
  model.messages = messages(model);
  return model;
}

// Applies an event to the state: nodes that are up, faults in force, facts.
function event(model, i, open, sends, reads) {
  const { data } = model;
  const [node, time, kind] = [data.node[i], data.time[i], data.kinds[data.kind[i]]];
  const ends = (which) => {
    if (!open[which].has(node)) return;
    model.nodes[node][which].push([open[which].get(node), time]);
    open[which].delete(node);
  };
  if (DOWN.has(kind)) {
    if (!open.down.has(node)) open.down.set(node, time);
    ends("paused");
  } else if (kind === "started") ends("down");
  else if (kind === "paused") open.paused.set(node, time);
  else if (kind === "resumed") ends("paused");
  else if (kind === "applied" || kind === "undone") fault(model, i, kind, open.faults);
  else if (kind === "fact") fact(model, i, open, sends, reads);
}

function fault(model, i, kind, open) {
  const fields = model.data.fields.get(i) || {};
  const [words, time] = [fields.in_words || "fault", model.data.time[i]];
  if (kind === "applied") {
    const it = { i, words, from: time, to: model.end, undone: -1, nodes: fields.nodes || [], kind: fields.fault };
    model.faults.push(it);
    open.set(words, it);
  } else if (open.has(words)) {
    [open.get(words).to, open.get(words).undone] = [time, i];
    open.delete(words);
  }
}

function fact(model, i, open, sends, reads) {
  const { data } = model;
  const fields = data.fields.get(i) || {};
  const [node, time] = [data.node[i], data.time[i]];
  model.facts.push(i);
  if (fields.what === "sent") sends.add(node);
  if (fields.what === "delivered" || fields.what === "positioned") reads.add(node);
  if (fields.what === "broker_fenced") fenced(model, i, fields, open.fenced);
  if (fields.what === "transaction_begun") model.nodes[node].transactions.push({ i, from: time, to: model.end, name: fields.transaction });
  if (fields.what === "transaction_ended") {
    const last = model.nodes[node].transactions.at(-1);
    if (last && last.name === fields.transaction) [last.to, last.outcome] = [time, fields.outcome];
  }
  if (typeof fields.partition === "string" && fields.what !== undefined) {
    inPartition(partitionOf(model, fields.partition), i, time, data.nodes[node], fields);
  }
}

function fenced(model, i, fields, open) {
  const id = model.data.nodes[model.data.node[i]];
  const cluster = id.includes("/") ? id.slice(0, id.indexOf("/") + 1) : "";
  const place = model.data.nodes.indexOf(`${cluster}${fields.broker}`);
  if (place < 0) return;
  const time = model.data.time[i];
  if (fields.fenced && !open.has(place)) open.set(place, time);
  if (!fields.fenced && open.has(place)) {
    model.nodes[place].fenced.push([open.get(place), time]);
    open.delete(place);
  }
}

function partitionOf(model, name) {
  if (!model.partitions.has(name)) {
    model.partitions.set(name, {
      name, states: [], replicas: new Map(), acks: [], refused: [], cuts: [], elections: [],
      isr: [], events: [], lso: [], open: new Map(), ended: [], read: new Map(), transactional: false,
    });
  }
  return model.partitions.get(name);
}

function replicaOf(partition, node) {
  if (!partition.replicas.has(node)) partition.replicas.set(node, { node, ends: [], marks: [], leads: [], since: null });
  return partition.replicas.get(node);
}

// Points are [time, value, index of the event].
function inPartition(partition, i, time, node, fields) {
  partition.events.push(i);
  const replica = () => replicaOf(partition, node);
  switch (fields.what) {
    case "loaded":
      replica().ends.push([time, fields.end, i]);
      replica().marks.push([time, fields.high_watermark, i]);
      break;
    case "appended":
      replica().ends.push([time, fields.to, i]);
      if (fields.as_leader) transaction(partition, fields);
      break;
    case "truncated":
      replica().ends.push([time, fields.to, i]);
      partition.cuts.push({ i, time, node, from: fields.from, to: fields.to, highWatermark: fields.high_watermark });
      break;
    case "high_watermark":
      replica().marks.push([time, fields.offset, i]);
      if (fields.as_leader) stable(partition, time, fields.offset, i);
      break;
    case "became_leader":
      replica().marks.push([time, fields.high_watermark, i]);
      replica().leads.push({ i, from: time, to: Infinity, epoch: fields.epoch, start: fields.start });
      break;
    case "became_follower":
      if (replica().leads.length) replica().leads.at(-1).to = Math.min(replica().leads.at(-1).to, time);
      break;
    case "acknowledged": partition.acks.push({ i, time, node, ...fields }); break;
    case "produce_refused": partition.refused.push({ i, time, node, error: fields.error }); break;
    case "elected": partition.elections.push({ i, time, ...fields }); break;
    case "isr_proposed": case "isr_adopted": case "isr_refused": partition.isr.push({ i, time, node, ...fields }); break;
    case "delivered": case "positioned": {
      if (!partition.read.has(node)) partition.read.set(node, []);
      partition.read.get(node).push([time, fields.to, i]);
      break;
    }
    default:
  }
}

// The first offsets of open transactions in the log of the leader, by producer.
function transaction(partition, fields) {
  if (fields.producer_id === undefined) return;
  partition.transactional = true;
  if (fields.marker) {
    if (partition.open.has(fields.producer_id)) partition.ended.push([fields.from, partition.open.get(fields.producer_id)]);
    partition.open.delete(fields.producer_id);
  } else if (!partition.open.has(fields.producer_id)) partition.open.set(fields.producer_id, fields.from);
}

// The last stable offset: below it every transaction has a marker below the high watermark.
function stable(partition, time, highWatermark, i) {
  partition.ended = partition.ended.filter(([marker]) => marker >= highWatermark);
  const begins = [...partition.open.values(), ...partition.ended.map(([, begin]) => begin)];
  partition.lso.push([time, Math.min(highWatermark, ...begins), i]);
}

function finish(partition) {
  const nodes = new Set(partition.states.flatMap((state) => state.replicas.map((id) => clusterOf(partition.name) + id)));
  for (const node of nodes) replicaOf(partition, node);
  partition.lines = [...partition.replicas.values()].sort((a, b) => number(a.node) - number(b.node));
}

export function clusterOf(name) {
  return name.includes("/") ? name.slice(0, name.indexOf("/") + 1) : "";
}

function number(id) {
  return Number(id.slice(id.indexOf("/") + 1));
}

function named(node, sends, reads) {
  const id = number(node.id);
  node.role = id < 101 ? "broker" : id < 1001 ? "controller" : "client";
  const client = id > 3001 ? "reader" : id === 3001 ? "administrator" : sends ? "producer" : reads ? "consumer" : "client";
  node.kind = node.role === "client" ? client : node.role;
  node.name = `${node.kind} ${node.id}`;
}

function order(a, b) {
  const rank = { controller: 0, broker: 1, client: 2 };
  return rank[a.role] - rank[b.role] || number(a.id) - number(b.id);
}

// Every message: the times of sending and arrival, if it arrived, and unusual circumstances.
function messages(model) {
  const { data } = model;
  const sent = data.kinds.indexOf("sent");
  const received = data.kinds.indexOf("received");
  const cut = data.kinds.indexOf("cut");
  const all = [];
  let longest = 0;
  for (let i = 0; i < data.count; i += 1) {
    if (data.kind[i] !== sent) continue;
    const it = { i, to: -1, copies: 0, cut: false };
    for (let child = model.first[i]; child >= 0; child = model.next[child]) {
      if (data.kind[child] === received) {
        if (it.to < 0) it.to = child;
        it.copies += 1;
      }
      if (data.kind[child] === cut) it.cut = true;
    }
    if (it.to >= 0) longest = Math.max(longest, data.time[it.to] - data.time[i]);
    all.push(it);
  }
  const took = all.filter((it) => it.to >= 0).map((it) => data.time[it.to] - data.time[it.i]).sort((a, b) => a - b);
  const median = took.length ? took[took.length >> 1] : 0;
  for (const it of all) {
    const late = it.to >= 0 && data.time[it.to] - data.time[it.i] > Math.max(10 * median, 5e6);
    it.fate = it.to < 0 ? "lost" : it.copies > 1 ? "twice" : late || it.cut ? "late" : "";
  }
  return { all, longest, median };
}

// The last point at or before a time, or null.
export function at(points, time) {
  const place = lowest(points.length, (i) => points[i][0] > time);
  return place > 0 ? points[place - 1] : null;
}

export function stateAt(partition, time) {
  const place = lowest(partition.states.length, (i) => partition.states[i].time > time);
  return place > 0 ? partition.states[place - 1] : null;
}

export function within(spans, time) {
  return spans.some(([from, to]) => from <= time && time < to);
}

export function nodeOf(model, id) {
  return model.nodes[model.data.nodes.indexOf(id)];
}

// The partition that an event is about: its own, or that of a fact that it caused, or its
// handler's.
export function partitionsOf(model, i) {
  const { data } = model;
  const found = new Set();
  const look = (place) => {
    const name = data.fields.get(place)?.partition;
    if (typeof name === "string") found.add(name);
  };
  const below = (place, depth) => {
    look(place);
    if (depth === 0) return;
    for (let child = model.first[place]; child >= 0; child = model.next[child]) {
      const kind = data.kinds[data.kind[child]];
      if (kind === "fact" || kind === "disk_done" || kind === "received") below(child, depth - 1);
    }
  };
  below(i, 3);
  return found;
}

// The record's life, in order of time: [index of the event, its meaning for the record].
export function lifeOf(model, name) {
  const { data } = model;
  const life = [];
  const holders = new Map();
  const offsets = new Map();
  const out = { name, life, partition: null, offset: null, epoch: null, acknowledged: null, readBack: false, delivered: false, cuts: [], holders, failed: false };
  const has = (fields) => fields.record === name || fields.numbers?.includes(name) || fields.records?.some((pair) => pair[1] === name);
  for (const i of model.facts) {
    const fields = data.fields.get(i);
    const node = data.nodes[data.node[i]];
    const key = `${fields.partition}/${node}`;
    if (fields.what === "truncated" && offsets.has(key) && offsets.get(key) >= fields.to) {
      life.push([i, "cut"]);
      out.cuts.push({ node, i });
      offsets.delete(key);
      holders.delete(node);
    } else if (fields.what === "loaded" && offsets.has(key) && offsets.get(key) >= fields.end) {
      life.push([i, "missing"]);
      offsets.delete(key);
      holders.delete(node);
    } else if (fields.what === "acknowledged" && out.partition === fields.partition && out.offset >= fields.from && out.offset < fields.to && offsets.has(key)) {
      life.push([i, "acknowledged"]);
      out.acknowledged = out.acknowledged ?? i;
    } else if (has(fields)) one(model, i, fields, node, key, out, offsets);
  }
  // A message comes before the fact that it caused.
  life.sort(([a], [b]) => a - b);
  return out;
}

function one(model, i, fields, node, key, out, offsets) {
  const kind = { sent: "sent", appended: fields.as_leader ? "appended" : "copied", confirmed: "confirmed", retried: "retried", failed: "failed", delivered: "delivered" }[fields.what];
  if (!kind) return;
  if (fields.what === "appended") {
    const pair = fields.records.find(([, record]) => record === out.name);
    offsets.set(key, pair[0]);
    out.holders.set(node, i);
    if (fields.as_leader) [out.partition, out.offset, out.epoch] = [fields.partition, pair[0], fields.epoch];
    for (const message of carrying(model, i, fields.as_leader ? "ProduceRequest" : "FetchResponse")) out.life.push(message);
  }
  if (kind === "sent") out.partition = fields.partition;
  if (kind === "failed") out.failed = true;
  const reader = kind === "delivered" && nodeOf(model, node).kind === "reader";
  if (reader) out.readBack = true;
  else if (kind === "delivered") out.delivered = true;
  out.life.push([i, reader ? "read_back" : kind]);
}

// The message with the appended batch: its sending and its arrival. An append can be due to another
// message, such as the coordinator's response that the transaction is open; that is not a step.
function carrying(model, i, name) {
  const { data } = model;
  let place = i;
  for (let step = 0; step < 4 && place >= 0; step += 1) {
    place = data.cause[place];
    if (place >= 0 && data.kinds[data.kind[place]] === "received") {
      if (data.messages[data.message[place]] !== name) return [];
      const sent = data.cause[place];
      return [...(sent >= 0 ? [[sent, "message"]] : []), [place, "arrived"]];
    }
  }
  return [];
}

// Acknowledged records that were not read back, if every partition was.
export function lostRecords(model) {
  const { data } = model;
  const [confirmed, back, over] = [new Map(), new Set(), new Set()];
  const [current, inside, committed] = [new Map(), new Map(), new Set()];
  for (const i of model.facts) {
    const fields = data.fields.get(i);
    const node = data.node[i];
    if (fields.what === "read_back") over.add(fields.partition);
    else if (fields.what === "transaction_begun") current.set(node, fields.transaction);
    else if (fields.what === "transaction_ended") {
      if (fields.outcome === "committed") committed.add(current.get(node));
      current.delete(node);
    } else if (fields.what === "sent" && current.has(node)) inside.set(fields.record, current.get(node));
    else if (fields.what === "confirmed" && fields.from !== null) fields.numbers.forEach((it) => confirmed.set(it, fields.partition));
    else if (fields.what === "delivered" && model.nodes[node].kind === "reader") fields.records.forEach(([, it]) => back.add(it));
  }
  const lost = [...confirmed].filter(([name, partition]) => over.has(partition) && !back.has(name) && (!inside.has(name) || committed.has(inside.get(name))));
  return lost.map(([name]) => name);
}

// The acknowledgements of these records: [partition, offset, index of the event].
export function acknowledgements(model, names) {
  const wanted = new Set(names);
  const [held, found] = [new Map(), []];
  for (const i of model.facts) {
    const fields = model.data.fields.get(i);
    const key = `${fields.partition}/${model.data.node[i]}`;
    if (fields.what === "appended" && fields.as_leader) {
      const mine = (fields.records ?? []).filter(([, name]) => wanted.has(name));
      if (mine.length) held.set(key, [...(held.get(key) ?? []), ...mine.map(([offset]) => offset)]);
    } else if (fields.what === "acknowledged" && held.has(key)) {
      const inside = (offset) => offset >= fields.from && offset < fields.to;
      for (const offset of held.get(key).filter(inside)) found.push([fields.partition, offset, i]);
      held.set(key, held.get(key).filter((offset) => !inside(offset)));
    }
  }
  return found;
}

export function eventAt(model, id) {
  return placeOf(model.data, id);
}
