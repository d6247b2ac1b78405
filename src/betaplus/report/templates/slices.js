/* Three linked slices of the volumes of a group, sliders, values where the slices meet, curves. */
const PLANES = [
  { name: "coronal", cut: 1, h: 0, v: 2, letters: ["L", "R", "I", "S"] },
  { name: "sagittal", cut: 0, h: 1, v: 2, letters: ["P", "A", "I", "S"] },
  { name: "axial", cut: 2, h: 0, v: 1, letters: ["L", "R", "P", "A"] },
];
const AXES = ["left to right", "back to front", "foot to head"];
const TALLEST = 768, WIDEST = 505, ALONE = 760;

class SliceViewer {
  constructor(root, data) {
    this.root = root;
    this.data = data;
    this.at = data.at.slice();
    this.tables = {};
    for (const name in data.colours) this.tables[name] = bytesOf(data.colours[name]);
    this.controls();
    this.board = make("div", "layers");
    root.append(this.board);
    if (data.curves) this.curvePanel();
    this.show(0);
  }

  controls() {
    const { data, root } = this, bar = make("div", "controls");
    if (data.groups.length > 1) {
      const [box, list] = choice("Map", data.groups.map((g) => g.name), (i) => this.show(i));
      this.picker = list;
      bar.append(box);
    }
    this.sliders = AXES.map((text, axis) => {
      const label = make("label", "slide"), name = make("span", "", `${"xyz"[axis]}, ${text}`);
      const input = make("input"), said = make("output");
      Object.assign(input, { type: "range", min: 0, max: data.shape[axis] - 1, step: 1, value: this.at[axis] });
      input.dataset.axis = "xyz"[axis];
      input.addEventListener("input", () => { this.at[axis] = Number(input.value); this.draw(); });
      label.append(name, input, said);
      bar.append(label);
      return [input, said];
    });
    root.append(bar);
    if (data.coarser) {
      const size = data.voxel.map((v) => plainNumber(v, 2)).join(" \u00d7 ");
      root.append(make("p", "note", `Shown in blocks of ${size} mm, to keep this file small; a value is the mean of a block. The maps themselves are as computed.`));
    }
  }

  async show(index) {
    const group = this.data.groups[index];
    this.index = index;
    for (const layer of group.layers) if (!layer.read) layer.read = await unpack(layer.codes);
    if (this.index !== index) return;
    this.layers = group.layers.map((layer) => this.layerParts(layer, group));
    this.board.replaceChildren(...this.layers.map((parts) => parts.box));
    this.root.dataset.ready = group.name;
    this.draw();
  }

  layerParts(layer, group) {
    const { shape, voxel } = this.data, mm = shape.map((n, a) => n * voxel[a]);
    const box = make("div", "layer"), ortho = make("div", "ortho");
    const most = group.layers.length > 1 ? WIDEST : ALONE;
    const width = Math.min(most, TALLEST * (mm[0] + mm[1]) / (mm[2] + mm[1]));
    box.style.flexBasis = `${width}px`;
    box.style.maxWidth = `${width}px`;
    ortho.style.gridTemplateColumns = `${mm[0]}fr ${mm[1]}fr`;
    const planes = PLANES.map((plane) => this.planeParts(plane, mm, layer.label, ortho));
    const said = make("div", "said");
    const value = make("output", "value"), bar = make("canvas"), ends = make("div", "ends");
    const low = make("span"), high = make("span"), unit = layer.unit ? ` ${layer.unit}` : "";
    bar.width = 256; bar.height = 1; bar.className = "bar";
    ends.append(low, high);
    const stretch = make("label", "slide"), input = make("input");
    const top = layer.levels[layer.levels.length - 1] / layer.high;
    Object.assign(input, { type: "range", min: -1.3, max: Math.log10(Math.max(2, top)), step: 0.01, value: 0 });
    input.dataset.colours = layer.label;
    stretch.append(make("span", "", "Colours end at"), input);
    said.append(value, bar, ends, stretch);
    ortho.append(said);
    const name = group.prefix && layer.label !== group.name ? `${group.name}, ${layer.label}` : layer.label;
    box.append(make("h4", "", name), ortho);
    const parts = { box, layer, planes, value, bar, low, high, unit, input };
    input.addEventListener("input", () => this.draw());
    return parts;
  }

  planeParts(plane, mm, label, ortho) {
    const { shape } = this.data, frame = make("div", "plane"), canvas = make("canvas");
    canvas.width = shape[plane.h];
    canvas.height = shape[plane.v];
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", `${plane.name} slice, ${label}`);
    canvas.style.aspectRatio = `${mm[plane.h]} / ${mm[plane.v]}`;
    const thin = mm[plane.v] < 0.25 * mm[plane.h];
    const across = make("i", "across"), down = make("i", "down");
    frame.append(canvas, across, down, ...plane.letters.slice(0, thin ? 2 : 4).map((letter, i) => make("b", `edge e${i}`, letter)));
    const move = (event) => {
      const area = canvas.getBoundingClientRect();
      const to = (v, n) => Math.min(Math.max(Math.floor(v * n), 0), n - 1);
      this.at[plane.h] = to((event.clientX - area.left) / area.width, shape[plane.h]);
      this.at[plane.v] = to(1 - (event.clientY - area.top) / area.height, shape[plane.v]);
      this.draw();
    };
    frame.addEventListener("pointerdown", (event) => { frame.setPointerCapture(event.pointerId); move(event); });
    frame.addEventListener("pointermove", (event) => { if (event.buttons & 1) move(event); });
    ortho.append(frame);
    return { plane, canvas, across, down };
  }

  place() {
    const A = this.data.affine;
    return A.map((row) => row[0] * this.at[0] + row[1] * this.at[1] + row[2] * this.at[2] + row[3]);
  }

  draw() {
    const where = this.place();
    this.sliders.forEach(([input, said], axis) => {
      input.value = this.at[axis];
      said.textContent = `${where[axis].toFixed(0).replace("-", "\u2212")} mm`;
    });
    for (const parts of this.layers || []) this.drawLayer(parts);
    if (this.curves) this.drawCurves();
  }

  drawLayer(parts) {
    const { layer } = parts, [nx, ny] = this.data.shape, table = this.tables[layer.colours];
    const stretch = Math.pow(10, Number(parts.input.value));
    const low = layer.low < 0 ? layer.low * stretch : layer.low;
    const high = low < 0 ? layer.high * stretch : layer.low + (layer.high - layer.low) * stretch;
    const palette = new Uint8ClampedArray(4 * 256);
    palette.set([14, 17, 19, 255]);
    layer.levels.forEach((value, i) => {
      const k = 3 * Math.min(Math.max(Math.round(255 * (value - low) / (high - low)), 0), 255);
      palette.set([table[k], table[k + 1], table[k + 2], 255], 4 * (i + 1));
    });
    const step = [1, nx, nx * ny];
    for (const { plane, canvas, across, down } of parts.planes) {
      const context = canvas.getContext("2d"), n = canvas.width, m = canvas.height;
      const image = context.createImageData(n, m), base = this.at[plane.cut] * step[plane.cut];
      for (let j = 0; j < m; j++) for (let i = 0; i < n; i++) {
        const code = layer.read[base + i * step[plane.h] + j * step[plane.v]], to = 4 * ((m - 1 - j) * n + i);
        for (let c = 0; c < 4; c++) image.data[to + c] = palette[4 * code + c];
      }
      context.putImageData(image, 0, 0);
      down.style.left = `${100 * (this.at[plane.h] + 0.5) / n}%`;
      across.style.top = `${100 * (1 - (this.at[plane.v] + 0.5) / m)}%`;
    }
    const code = layer.read[this.at[0] + nx * (this.at[1] + ny * this.at[2])];
    parts.value.textContent = code ? `${plainNumber(layer.levels[code - 1], 3)}${parts.unit}` : "outside";
    const context = parts.bar.getContext("2d"), strip = context.createImageData(256, 1);
    for (let i = 0; i < 256; i++) strip.data.set([table[3 * i], table[3 * i + 1], table[3 * i + 2], 255], 4 * i);
    context.putImageData(strip, 0, 0);
    parts.low.textContent = plainNumber(low, 2);
    parts.high.textContent = `${plainNumber(high, 3)}${parts.unit}`;
  }

  async curvePanel() {
    const data = this.data.curves, panel = make("div", "curves"), bar = make("div", "controls");
    const edge = data.edge.map((v) => plainNumber(v, 2)).join(" \u00d7 ");
    this.ends = timeEnds(data.mid[data.mid.length - 1] * 1.04);
    const [box, list] = choice("Time", this.ends.map((e) => e[0]), () => this.drawCurves());
    this.timePicker = list;
    bar.append(box);
    const host = make("div", "figure"), legend = make("div", "legend");
    panel.append(make("h4", "", `Curve where the slices meet, mean of ${edge} mm`), bar, host, legend);
    this.root.append(panel);
    const lines = [];
    for (const one of data.lines)
      lines.push({ label: one.label, codes: await unpack(one.codes), ends: new Float32Array((await unpack(one.ends)).buffer) });
    this.curves = { data, host, legend, lines, inside: await unpack(data.inside) };
    addEventListener("resize", () => this.drawCurves());
    this.drawCurves();
  }

  drawCurves() {
    const { data, host, legend, lines, inside } = this.curves, [nx, ny, nz] = data.shape;
    const count = nx * ny * nz;
    const at = data.from.map((row, a) => Math.min(Math.max(Math.round(
      row[0] * this.at[0] + row[1] * this.at[1] + row[2] * this.at[2] + row[3]), 0), data.shape[a] - 1));
    const block = at[0] + nx * (at[1] + ny * at[2]);
    if (!inside[block]) {
      host.replaceChildren(make("p", "note", "No voxel here: move the cross into the mask."));
      legend.replaceChildren();
      return;
    }
    const colours = [inked("--ink"), "#2f7fc4", "#d08a1d", "#c0523f"];
    const series = lines.map((line, k) => ({
      label: line.label, kind: k === 0 ? "points" : "line", colour: colours[k % colours.length], x: data.mid,
      y: data.mid.map((_, t) => {
        const code = line.codes[block + count * t];
        return code ? line.ends[block] + (code - 1) / 254 * line.ends[block + count] : null;
      }),
    }));
    drawPlot(host, series, { x: "time [min]", y: `activity [${data.unit}]`, xEnds: [0, this.ends[Number(this.timePicker.value)][1]],
      alt: "Time-activity curve where the slices meet" });
    drawLegend(legend, series.map((s) => [s.label, s.colour, s.kind]));
  }
}

eachWidget("slices", (root, data) => { new SliceViewer(root, data); });
