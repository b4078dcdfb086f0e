// Draws the chart of the home page from the figures in its script tag. The table beside it says the same without this.
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
    chart.setOption({
      aria: { enabled: true },
      animation: false,
      color: [colour("--pk-chart-in", "#0f766e"), colour("--pk-chart-out", "#f59e0b")],
      grid: { left: 8, right: 8, top: 16, bottom: 8, containLabel: true },
      xAxis: {
        type: "category",
        data: figures.months,
        axisLabel: { color: quiet, hideOverlap: true },
        axisLine: { lineStyle: { color: line } },
        axisTick: { show: false },
      },
      yAxis: {
        type: "value",
        minInterval: 1,
        axisLabel: { color: quiet },
        splitLine: { lineStyle: { color: line } },
      },
      series: figures.series.map(function (series) {
        return { type: "bar", name: series.name, data: series.values, barMaxWidth: 22, itemStyle: { borderRadius: [3, 3, 0, 0] } };
      }),
    });
    return chart;
  }

  document.addEventListener("DOMContentLoaded", function () {
    const source = document.getElementById("chart-figures");
    const holder = document.getElementById("chart");
    if (!source || !holder || !window.echarts) return;
    const figures = JSON.parse(source.textContent);
    const chart = draw(holder, figures);
    window.addEventListener("resize", function () { chart.resize(); });
    new MutationObserver(function () { draw(holder, figures); })
      .observe(document.documentElement, { attributes: true, attributeFilter: ["class"] });
  });
})();
