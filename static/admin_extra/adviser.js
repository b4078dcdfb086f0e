// The threshold adviser: draws how a figure is spread, and lets thresholds be dragged along it. Every mark is a slider
// that also takes the arrow keys, and always says what stands in the field of its threshold. Without this script the
// fields and a button do the same.
(function () {
  "use strict";

  const DIGITS = 100; // Numbers that are dragged to have two digits: 1100, 1200 …

  function colour(name, fallback) {
    return getComputedStyle(document.documentElement).getPropertyValue(name).trim() || fallback;
  }

  function rounded(value) {
    if (value < DIGITS) return Math.max(1, Math.round(value));
    const step = Math.pow(10, Math.floor(Math.log10(value)) - 1);
    return Math.round(value / step) * step;
  }

  function stepOf(value) {
    return value < DIGITS ? 1 : Math.pow(10, Math.floor(Math.log10(value)) - 1);
  }

  // How many of those looked at have at least so much: counted at a bound, spread evenly between two.
  function reaching(figures, threshold) {
    const bounds = figures.bounds, counts = figures.counts;
    let place = 0;
    while (place < bounds.length && bounds[place] <= threshold) place += 1;
    let above = 0;
    for (let i = place + 1; i < counts.length; i += 1) above += counts[i];
    if (place === 0) return above + counts[0];
    if (threshold === bounds[place - 1] || place === bounds.length) return above + counts[place];
    const part = (threshold - bounds[place - 1]) / (bounds[place] - bounds[place - 1]);
    return above + Math.floor(counts[place] * (1 - part));
  }

  function Adviser(form, figures) {
    this.form = form;
    this.figures = figures;
    this.holder = form.querySelector("#adviser-picture");
    this.chart = window.echarts.init(this.holder.querySelector(".pk-spread-bars"));
    this.inputs = Array.from(form.querySelectorAll("input[data-rung]"));
    this.marks = this.inputs.map(this.mark, this);
  }

  Adviser.prototype.draw = function () {
    const figures = this.figures;
    const quiet = document.documentElement.classList.contains("dark") ? "#9ca3af" : "#6b7280";
    const line = document.documentElement.classList.contains("dark") ? "#374151" : "#e5e7eb";
    this.chart.setOption({
      aria: { enabled: true },
      animation: false,
      color: [colour("--pk-chart-in", "#0f766e")],
      grid: { left: 8, right: 16, top: 44, bottom: 8, containLabel: true },
      xAxis: {
        type: "category",
        data: figures.bars.map(function (bar) { return bar[0].toLocaleString("en"); }),
        axisLabel: { color: quiet, hideOverlap: true, align: "left" },
        axisLine: { lineStyle: { color: line } },
        axisTick: { alignWithLabel: false },
      },
      yAxis: { type: "value", minInterval: 1, axisLabel: { color: quiet }, splitLine: { lineStyle: { color: line } } },
      series: [{ type: "bar", name: figures.series, data: figures.bars.map(function (bar) { return bar[2]; }), barCategoryGap: "12%" }],
    });
    this.chart.resize();
    this.place();
  };

  // Where a figure lies on the picture, in pixels, and which figure lies at a pixel. Bars widen, so the way between
  // two bounds is walked by proportion.
  Adviser.prototype.band = function () {
    const first = this.chart.convertToPixel({ xAxisIndex: 0 }, 0);
    const bars = this.figures.bars.length;
    const width = bars > 1 ? this.chart.convertToPixel({ xAxisIndex: 0 }, 1) - first : 40;
    return { left: first - width / 2, width: width, bars: bars };
  };

  Adviser.prototype.pixel = function (value) {
    const band = this.band(), bars = this.figures.bars;
    if (value <= bars[0][0]) return band.left;
    for (let i = 0; i < bars.length; i += 1) {
      if (value < bars[i][1]) {
        const part = Math.log(value / bars[i][0]) / Math.log(bars[i][1] / bars[i][0]);
        return band.left + (i + Math.max(0, Math.min(1, part))) * band.width;
      }
    }
    return band.left + band.bars * band.width;
  };

  Adviser.prototype.value = function (pixel) {
    const band = this.band(), bars = this.figures.bars;
    const place = Math.max(0, Math.min(band.bars - 0.001, (pixel - band.left) / band.width));
    const bar = bars[Math.floor(place)];
    return rounded(bar[0] * Math.pow(bar[1] / bar[0], place - Math.floor(place)));
  };

  Adviser.prototype.mark = function (input, index) {
    const self = this;
    const mark = document.createElement("button");
    mark.type = "button";
    mark.className = "pk-mark";
    mark.setAttribute("role", "slider");
    mark.setAttribute("aria-label", this.figures.tiers[index + 1]);
    mark.setAttribute("aria-valuemin", "1");
    mark.setAttribute("aria-valuemax", String(this.figures.bars[this.figures.bars.length - 1][1]));
    const name = document.createElement("span");
    name.textContent = this.figures.tiers[index + 1];
    mark.append(name);
    mark.addEventListener("pointerdown", function (event) {
      mark.setPointerCapture(event.pointerId);
      event.preventDefault();
      mark.focus();
    });
    mark.addEventListener("pointermove", function (event) {
      if (!mark.hasPointerCapture(event.pointerId)) return;
      self.set(index, self.value(event.clientX - self.holder.getBoundingClientRect().left));
    });
    mark.addEventListener("keydown", function (event) {
      const value = Number(input.value) || 1;
      const step = stepOf(value);
      const moves = { ArrowRight: step, ArrowUp: step, ArrowLeft: -stepOf(value - 1), ArrowDown: -stepOf(value - 1), PageUp: 10 * step, PageDown: -10 * step };
      if (!(event.key in moves)) return;
      event.preventDefault();
      self.set(index, rounded(value + moves[event.key]));
    });
    input.addEventListener("input", function () { self.place(); });
    this.holder.append(mark);
    return mark;
  };

  // A threshold stays between its neighbours.
  Adviser.prototype.set = function (index, value) {
    const below = index ? Number(this.inputs[index - 1].value) : 0;
    const above = index + 1 < this.inputs.length ? Number(this.inputs[index + 1].value) : Infinity;
    if (value > below && value < above) this.inputs[index].value = value;
    this.place();
  };

  Adviser.prototype.place = function () {
    const figures = this.figures;
    const values = this.inputs.map(function (input) { return Number(input.value); });
    this.marks.forEach(function (mark, index) {
      mark.hidden = !(values[index] > 0);
      mark.style.left = this.pixel(values[index]) + "px";
      mark.style.setProperty("--pk-level", String(index % 2));
      mark.setAttribute("aria-valuenow", String(values[index]));
      mark.setAttribute("aria-valuetext", figures.from.replace("%s", values[index].toLocaleString("en") + " " + figures.unit));
    }, this);
    const steps = [figures.everybody].concat(values.map(function (value) { return reaching(figures, value); }), [0]);
    for (let rung = 0; rung + 1 < steps.length; rung += 1) {
      const own = Math.max(0, steps[rung] - steps[rung + 1]);
      const all = figures.looked_at ? Math.floor(own * figures.members / figures.looked_at) : 0;
      this.form.querySelector('[data-members="' + rung + '"]').textContent = all.toLocaleString("en");
      const percent = figures.everybody ? (100 * own / figures.everybody).toFixed(1) : "0.0";
      this.form.querySelector('[data-percent="' + rung + '"]').textContent = percent + " %";
    }
  };

  document.addEventListener("DOMContentLoaded", function () {
    const form = document.getElementById("adviser-use"), source = document.getElementById("adviser-figures");
    if (!form || !source || !window.echarts) return;
    const adviser = new Adviser(form, JSON.parse(source.textContent));
    adviser.draw();
    window.addEventListener("resize", function () { adviser.draw(); });
    new MutationObserver(function () { adviser.draw(); })
      .observe(document.documentElement, { attributes: true, attributeFilter: ["class"] });
  });
})();
