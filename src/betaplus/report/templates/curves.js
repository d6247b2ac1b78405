/* Curves of regions, one or two at a time, with what was predicted for them and residuals. */
class CurveExplorer {
  constructor(root, data) {
    this.root = root;
    this.data = data;
    const bar = make("div", "controls"), names = data.curves.map((c) => c.name);
    const [first, one] = choice("Region", names, () => this.draw());
    const [second, other] = choice("beside", ["none", ...names], () => this.draw());
    this.ends = timeEnds(data.end);
    const [time, when] = choice("Time", this.ends.map((e) => e[0]), () => this.draw());
    bar.append(first);
    if (names.length > 1) bar.append(second);
    bar.append(time);
    this.pickers = [one, other, when];
    [this.said, this.host, this.legend, this.residuals] =
      [make("p", "note"), make("div", "figure"), make("div", "legend"), make("div", "figure")];
    root.append(bar, this.said, this.host, this.legend, this.residuals);
    addEventListener("resize", () => this.draw());
    this.draw();
    root.dataset.ready = "yes";
  }

  draw() {
    const { data } = this, [one, other, when] = this.pickers.map((p) => Number(p.value));
    const end = this.ends[when][1], picked = [data.curves[one]];
    if (other > 0 && other - 1 !== one) picked.push(data.curves[other - 1]);
    const dark = [inked("--ink"), "#d08a1d"], fitted = ["#2f7fc4", "#c0523f"];
    const series = [], legend = [], left = [];
    picked.forEach((curve, k) => {
      const of = picked.length > 1 ? `${curve.name}, ` : "";
      if (curve.low) series.push({ kind: "band", x: data.mid, y: curve.low, to: curve.high, colour: fitted[k], opacity: 0.25 });
      if (curve.mean) {
        series.push({ kind: "line", x: data.mid, y: curve.mean, colour: fitted[k] });
        legend.push([`${of}${curve.low ? "fit, 95 %" : "fit"}`, fitted[k], "line"]);
      }
      series.push({ kind: "points", x: data.mid, y: curve.values, half: data.half, bar: curve.sigma, colour: dark[k] });
      legend.push([`${of}measured${curve.sigma ? " \u00b1 SD of noise" : ""}`, dark[k], "points"]);
      if (curve.residual) left.push({ kind: "points", x: data.mid, y: curve.residual, colour: dark[k] });
    });
    this.said.textContent = picked.map((c) => c.about).filter(Boolean).join("; ");
    this.said.hidden = !this.said.textContent;
    drawPlot(this.host, series, { x: "time [min]", y: `activity [${data.unit}]`, xEnds: [data.start, end], alt: `Time-activity curve of ${picked.map((c) => c.name).join(" and ")}` });
    drawLegend(this.legend, legend);
    if (left.length)
      drawPlot(this.residuals, left, { x: "time [min]", y: "residual [SD]", xEnds: [data.start, end], height: 140, lines: [-2, 0, 2], alt: "Residuals" });
    else this.residuals.replaceChildren();
  }
}

eachWidget("curves", (root, data) => { new CurveExplorer(root, data); });
