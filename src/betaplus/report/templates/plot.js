/* A plot of lines, points and bands as SVG. Numbers are written without powers of ten. */
const SVG = "http" + "://www.w3.org/2000/svg";

function element(name, attributes, text) {
  const node = document.createElementNS(SVG, name);
  for (const key in attributes) node.setAttribute(key, attributes[key]);
  if (text !== undefined) node.textContent = text;
  return node;
}

function plainNumber(value, digits) {
  if (value === null || !isFinite(value)) return "n/a";
  if (value === 0) return "0";
  const size = Math.abs(value);
  if (size >= 1e6 || size < 1e-4) return value.toExponential(digits - 1).replace("-", "\u2212");
  const after = Math.min(Math.max(digits - 1 - Math.floor(Math.log10(size)), 0), 8);
  return value.toFixed(after).replace("-", "\u2212");
}

function niceTicks(low, high, count) {
  const raw = (high - low) / count, power = Math.pow(10, Math.floor(Math.log10(raw)));
  const step = [1, 2, 5, 10].map((f) => f * power).find((s) => s >= raw * 0.999);
  const ticks = [];
  for (let k = Math.ceil(low / step - 1e-9); k * step <= high + 1e-9 * step; k++) ticks.push(k * step);
  const after = Math.min(Math.max(0, -Math.floor(Math.log10(step) + 1e-9)), 8);
  return ticks.map((t) => [t, t.toFixed(after).replace("-", "\u2212")]);
}

/* series: [{label, kind: "line"|"points"|"band", x, y, (half), (bar), (to), colour}]; null is a gap.
   options: {x: title, y: title, xEnds: [low, high], yEnds, lines: [y, ...], height} */
function drawPlot(host, series, options) {
  const width = Math.max(280, host.clientWidth || 600), height = options.height || 260;
  const left = 58, right = 10, top = 10, bottom = options.x ? 40 : 12;
  const [x0, x1] = options.xEnds;
  let [y0, y1] = options.yEnds || [0, 0];
  if (!options.yEnds) {
    for (const one of series) one.y.forEach((y, i) => {
      if (one.x[i] < x0 || one.x[i] > x1) return;
      for (const v of [y, one.to && one.to[i], one.bar && y !== null ? y + one.bar[i] : null,
                       one.bar && y !== null ? y - one.bar[i] : null])
        if (v !== null && v !== undefined && isFinite(v)) { y0 = Math.min(y0, v); y1 = Math.max(y1, v); }
    });
    for (const y of options.lines || []) { y0 = Math.min(y0, 1.1 * y); y1 = Math.max(y1, 1.1 * y); }
    const span = (y1 - y0) || 1;
    y1 += 0.05 * span;
    if (y0 < 0) y0 -= 0.05 * span;
  }
  const px = (x) => left + (x - x0) / (x1 - x0) * (width - left - right);
  const py = (y) => height - bottom - (y - y0) / (y1 - y0) * (height - top - bottom);
  const svg = element("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": options.alt || "" });
  const shown = element("svg", { x: left, y: top - 2, width: width - left - right, height: height - top - bottom + 4,
    viewBox: `${left} ${top - 2} ${width - left - right} ${height - top - bottom + 4}` });
  for (const [y, text] of niceTicks(y0, y1, options.height && options.height < 150 ? 3 : 5)) {
    svg.append(element("line", { x1: left, x2: width - right, y1: py(y), y2: py(y), class: "grid" }));
    svg.append(element("text", { x: left - 7, y: py(y) + 4, "text-anchor": "end" }, text));
  }
  if (options.x) {
    for (const [x, text] of niceTicks(x0, x1, width < 450 ? 5 : 8))
      svg.append(element("text", { x: px(x), y: height - bottom + 16, "text-anchor": "middle" }, text));
    svg.append(element("text", { x: 0.5 * (left + width - right), y: height - 5, "text-anchor": "middle" }, options.x));
  }
  svg.append(element("text", { transform: `translate(13 ${0.5 * (top + height - bottom)}) rotate(-90)`, "text-anchor": "middle" }, options.y));
  for (const y of options.lines || [])
    shown.append(element("line", { x1: left, x2: width - right, y1: py(y), y2: py(y), class: "guide" }));
  for (const one of series) drawSeries(shown, one, px, py);
  svg.append(shown, element("path", { d: `M${left} ${top}V${height - bottom}H${width - right}`, class: "axis" }));
  host.replaceChildren(svg);
}

function drawSeries(svg, one, px, py) {
  const good = (i) => one.y[i] !== null && isFinite(one.y[i]);
  if (one.kind === "points") {
    const group = element("g", { stroke: one.colour, fill: one.colour });
    one.x.forEach((x, i) => {
      if (!good(i)) return;
      const cx = px(x), cy = py(one.y[i]);
      if (one.half) group.append(element("line", { x1: px(x - one.half[i]), x2: px(x + one.half[i]), y1: cy, y2: cy, "stroke-width": 1.6 }));
      if (one.bar && one.bar[i] !== null) group.append(element("line", { x1: cx, x2: cx, y1: py(one.y[i] - one.bar[i]), y2: py(one.y[i] + one.bar[i]), "stroke-width": 0.8, opacity: 0.7 }));
      group.append(element("circle", { cx, cy, r: 2.1, stroke: "none" }));
    });
    svg.append(group);
    return;
  }
  const runs = [[]];
  one.x.forEach((_, i) => { if (good(i)) runs[runs.length - 1].push(i); else if (runs[runs.length - 1].length) runs.push([]); });
  for (const run of runs) {
    if (!run.length) continue;
    const forth = run.map((i) => `${px(one.x[i]).toFixed(1)} ${py(one.y[i]).toFixed(1)}`);
    if (one.kind === "band") {
      const back = run.slice().reverse().map((i) => `${px(one.x[i]).toFixed(1)} ${py(one.to[i]).toFixed(1)}`);
      svg.append(element("path", { d: `M${forth.concat(back).join("L")}Z`, fill: one.colour, opacity: one.opacity || 0.25 }));
    } else
      svg.append(element("path", { d: `M${forth.join("L")}`, fill: "none", stroke: one.colour, "stroke-width": 1.5 }));
  }
}

function drawLegend(host, items) {
  host.replaceChildren(...items.map(([label, colour, kind]) => {
    const item = document.createElement("span"), mark = document.createElement("i");
    mark.style.background = colour;
    mark.className = kind;
    item.append(mark, label);
    return item;
  }));
}

function make(tag, className, text) {
  const node = document.createElement(tag);
  if (className) node.className = className;
  if (text !== undefined) node.textContent = text;
  return node;
}

function choice(label, names, onChange) {
  const box = make("label", "choice", label + " "), list = make("select");
  names.forEach((name, i) => { const o = make("option", "", name); o.value = i; list.append(o); });
  list.addEventListener("change", () => onChange(Number(list.value)));
  box.append(list);
  return [box, list];
}

function inked(name) { return getComputedStyle(document.documentElement).getPropertyValue(name).trim(); }

function timeEnds(last) {
  const early = [["whole scan", last]];
  for (const minutes of [3, 10]) if (last > 2 * minutes) early.push([`first ${minutes} min`, minutes]);
  return early;
}

function bytesOf(text) {
  const raw = atob(text), out = new Uint8Array(raw.length);
  for (let i = 0; i < raw.length; i++) out[i] = raw.charCodeAt(i);
  return out;
}

async function unpack(text) {
  const stream = new Blob([bytesOf(text)]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

function eachWidget(kind, start) {
  document.querySelectorAll(`[data-widget="${kind}"]`).forEach((root) => {
    const data = JSON.parse(root.querySelector("script").textContent);
    if (kind === "slices" && typeof DecompressionStream === "undefined") {
      root.append(make("p", "note", "This browser is too old for the viewer of slices; the pictures show the same volumes."));
      return;
    }
    start(root, data);
  });
}
