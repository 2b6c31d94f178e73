// Drawing on a canvas: sharp on every screen, in the colours of the page, with shapes.
import { view, pan, zoom, change } from "./view.js";

// A canvas that is drawn by `paint(context, width, colours)`.
export function surface(canvas, height, paint) {
  const it = { canvas, width: 0, height: 0, hits: [] };
  it.paint = () => {
    const width = canvas.parentElement.clientWidth;
    const tall = height(width);
    const ratio = window.devicePixelRatio || 1;
    if (width === 0) return;
    if (it.width !== width || it.height !== tall || canvas.width !== Math.round(width * ratio)) {
      [canvas.width, canvas.height] = [Math.round(width * ratio), Math.round(tall * ratio)];
      canvas.style.height = `${tall}px`;
      [it.width, it.height] = [width, tall];
    }
    const context = canvas.getContext("2d");
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, width, tall);
    context.font = `12px ${getComputedStyle(canvas).fontFamily}`;
    context.textBaseline = "middle";
    context.lineJoin = "round";
    it.hits = [];
    paint(context, width, colours());
  };
  return it;
}

let known = null;
// The first rule of the style sheet has the colours of the light theme.
const LIGHT = 0;
const NAMES = ["paper", "ground", "text", "muted", "rule", "axis", "first", "second", "third", "bar", "accent", "good", "bad", "caution"];

// The colours of the page's theme, by purpose.
export function colours() {
  known ??= inksOf(getComputedStyle(document.documentElement));
  return known;
}

function inksOf(style) {
  return Object.fromEntries(NAMES.map((name) => [name, style.getPropertyValue(`--${name}`).trim()]));
}

// Reads the colours again; those of the light theme for printing.
export function forgetColours(onPaper = false) {
  known = onPaper ? inksOf(document.styleSheets[0].cssRules[LIGHT].style) : null;
}

// Colours and dashes that distinguish the lines of replicas.
export function lineOf(place, ink) {
  const all = [[ink.third, []], [ink.first, [7, 3]], [ink.second, [2, 3]], [ink.text, [9, 3, 2, 3]], [ink.muted, [4, 2]], [ink.accent, [1, 2]]];
  return all[place % all.length];
}

export function line(context, x1, y1, x2, y2, colour, width = 1, dash = []) {
  context.strokeStyle = colour;
  context.lineWidth = width;
  context.setLineDash(dash);
  context.beginPath();
  context.moveTo(x1, y1);
  context.lineTo(x2, y2);
  context.stroke();
  context.setLineDash([]);
}

export function box(context, x1, y1, x2, y2, fill, edge, dash = []) {
  if (fill) {
    context.fillStyle = fill;
    context.fillRect(x1, y1, x2 - x1, y2 - y1);
  }
  if (edge) {
    context.strokeStyle = edge;
    context.lineWidth = 1;
    context.setLineDash(dash);
    context.strokeRect(Math.round(x1) + 0.5, Math.round(y1) + 0.5, Math.max(Math.round(x2 - x1) - 1, 0), Math.round(y2 - y1) - 1);
    context.setLineDash([]);
  }
}

// Hatching, which marks what is absent. `cross` hatches in both directions.
export function hatch(context, x1, y1, x2, y2, colour, cross = false, gap = 6) {
  context.save();
  context.beginPath();
  context.rect(x1, y1, x2 - x1, y2 - y1);
  context.clip();
  context.strokeStyle = colour;
  context.lineWidth = 1;
  context.beginPath();
  const tall = y2 - y1;
  for (let x = x1 - tall - ((x1 - tall) % gap); x < x2; x += gap) {
    context.moveTo(x, y2);
    context.lineTo(x + tall, y1);
    if (cross) {
      context.moveTo(x, y1);
      context.lineTo(x + tall, y2);
    }
  }
  context.stroke();
  context.restore();
}

// A mark. Its shape alone has the meaning; the colour repeats it.
export function mark(context, shape, x, y, size, colour, ground) {
  context.fillStyle = colour;
  context.strokeStyle = ground;
  context.lineWidth = 1.5;
  context.beginPath();
  if (shape === "diamond") polygon(context, [[x, y - size], [x + size, y], [x, y + size], [x - size, y]]);
  if (shape === "down") polygon(context, [[x - size, y - size * 0.8], [x + size, y - size * 0.8], [x, y + size]]);
  if (shape === "up") polygon(context, [[x - size, y + size * 0.8], [x + size, y + size * 0.8], [x, y - size]]);
  if (shape === "dot") context.arc(x, y, size * 0.7, 0, 7);
  if (shape === "cross") {
    cross(context, x, y, size * 0.8, ground, 5);
    cross(context, x, y, size * 0.8, colour, 2.4);
    return;
  }
  context.stroke();
  context.fill();
}

function polygon(context, points) {
  points.forEach(([x, y], i) => (i ? context.lineTo(x, y) : context.moveTo(x, y)));
  context.closePath();
}

function cross(context, x, y, size, colour, width) {
  context.strokeStyle = colour;
  context.lineWidth = width;
  context.beginPath();
  context.moveTo(x - size, y - size);
  context.lineTo(x + size, y + size);
  context.moveTo(x + size, y - size);
  context.lineTo(x - size, y + size);
  context.stroke();
}

// Text that ends with an ellipsis if it is too long; no text if there is almost no room.
export function text(context, words, x, y, colour, room = Infinity, align = "left") {
  context.fillStyle = colour;
  context.textAlign = align;
  let shown = words;
  if (context.measureText(shown).width > room) {
    let keep = Math.floor((shown.length * room) / context.measureText(shown).width) - 1;
    while (keep > 1 && context.measureText(`${shown.slice(0, keep)}…`).width > room) keep -= 1;
    if (keep < 3) return;
    shown = `${shown.slice(0, keep)}…`;
  }
  context.fillText(shown, x, y);
}

// Round times between `from` and `to`, about one per `room` of `length` pixels.
export function ticks(from, to, length, room) {
  const rough = ((to - from) * room) / length;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((it) => it * power).find((it) => it >= rough);
  const all = [];
  for (let n = Math.ceil(from / step); n * step <= to; n += 1) all.push(n * step);
  return { all, digits: Math.max(0, Math.min(9, 9 - Math.floor(Math.log10(step)))) };
}

// Dragging pans, the wheel with Ctrl zooms, two fingers do both. `axis` is "x" or "y", the
// direction of time.
export function gestures(it, axis, timeAt, onPick) {
  const { canvas } = it;
  const place = (event) => {
    const box = canvas.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  };
  const along = ([x, y]) => (axis === "x" ? x : y);
  const fingers = new Map();
  let moved = 0;
  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    fingers.set(event.pointerId, place(event));
    if (fingers.size === 1) moved = 0;
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!fingers.has(event.pointerId)) return;
    const before = fingers.get(event.pointerId);
    const now = place(event);
    fingers.set(event.pointerId, now);
    const perPixel = (view.to - view.from) / Math.max(it.extent || 1, 1);
    moved += Math.abs(now[0] - before[0]) + Math.abs(now[1] - before[1]);
    if (fingers.size === 1 && moved > 4) {
      const by = (along(before) - along(now)) * perPixel;
      change({ from: view.from + by, to: view.to + by });
    } else if (fingers.size === 2) {
      const other = [...fingers].find(([id]) => id !== event.pointerId)[1];
      const length = (a, b) => Math.max(Math.abs(along(a) - along(b)), 8);
      zoom(length(before, other) / length(now, other), timeAt(...other));
    }
  });
  const up = (event) => {
    if (fingers.size === 1 && fingers.has(event.pointerId) && moved <= 4 && event.type === "pointerup") onPick(...place(event));
    fingers.delete(event.pointerId);
  };
  canvas.addEventListener("pointerup", up);
  canvas.addEventListener("pointercancel", up);
  canvas.addEventListener("wheel", (event) => {
    if (event.ctrlKey || event.metaKey) {
      event.preventDefault();
      zoom(Math.exp(event.deltaY / 300), timeAt(...place(event)));
    } else if (event.shiftKey) {
      event.preventDefault();
      pan((event.deltaY || event.deltaX) / 1000);
    }
  }, { passive: false });
  canvas.addEventListener("dblclick", (event) => zoom(0.3, timeAt(...place(event))));
}

// The event whose mark is nearest, within reach; -1 for none.
export function nearest(it, x, y, reach = 12) {
  let [best, least] = [-1, reach];
  for (const [i, hx, hy] of it.hits) {
    const far = Math.hypot(hx - x, hy - y);
    if (far < least) [best, least] = [i, far];
  }
  return best;
}
