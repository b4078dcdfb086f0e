// Draws charts of bars, each from the figures in a script tag. The table beside it says the same without this.
// A chart names its script tag in data-figures; "horizontal" figures have their names at the side, where long ones fit.
(function () {
  "use strict";

  function colour(name, fallback) {
    return getComputedStyle(document.documentElement).getPropertyValue(name).trim() || fallback;
  }

  function draw(holder, figures) {
    const dark = document.documentElement.classList.contains("dark");
    const quiet = dark ? "#9ca3af" : "#6b7280";
    const line = dark ? "#374151" : "#e5e7eb";
    const chart = window.echarts.getInstanceByDom(holder) || window.echarts.init(holder);
    const room = figures.horizontal ? Math.min(180, holder.clientWidth / 3) : undefined;
    const names = {
      type: "category",
      data: figures.months,
      inverse: Boolean(figures.horizontal),
      axisLabel: { color: quiet, hideOverlap: true, width: room, overflow: "truncate" },
      axisLine: { lineStyle: { color: line } },
      axisTick: { show: false },
    };
    const values = {
      type: "value",
      minInterval: 1,
      axisLabel: { color: quiet, hideOverlap: true },
      splitLine: { lineStyle: { color: line } },
    };
    chart.setOption({
      aria: { enabled: true },
      animation: false,
      color: [colour("--pk-chart-in", "#0f766e"), colour("--pk-chart-out", "#f59e0b")],
      grid: { left: 8, right: 8, top: 16, bottom: 8, containLabel: true },
      xAxis: figures.horizontal ? values : names,
      yAxis: figures.horizontal ? names : values,
      series: figures.series.map(function (series) {
        return { type: "bar", name: series.name, data: series.values, barMaxWidth: 22, itemStyle: { borderRadius: figures.horizontal ? [0, 3, 3, 0] : [3, 3, 0, 0] } };
      }),
    });
    return chart;
  }

  function start(holder) {
    const source = document.getElementById(holder.dataset.figures || "chart-figures");
    if (!source) return;
    const figures = JSON.parse(source.textContent);
    const chart = draw(holder, figures);
    window.addEventListener("resize", function () { chart.resize(); });
    new MutationObserver(function () { draw(holder, figures); })
      .observe(document.documentElement, { attributes: true, attributeFilter: ["class"] });
  }

  document.addEventListener("DOMContentLoaded", function () {
    if (window.echarts) document.querySelectorAll(".pk-chart").forEach(start);
  });
})();
