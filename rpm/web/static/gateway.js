// Clocks and batteries of a box's devices. Draws nothing that does not name this page's box.
"use strict";

(() => {
  const place = document.getElementById("plots");
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const HEIGHT = 150, MINUTE = 60, HOUR = 3600, DAY = 86400, YEAR = 365 * DAY;
  let plots = [];

  function length(seconds) {
    const size = Math.abs(seconds);
    if (size < MINUTE) return `${Math.round(size)} s`;
    if (size < HOUR) return `${Math.round(size / MINUTE)} min`;
    if (size < 2 * DAY) return `${Math.round(size / HOUR)} h`;
    return size < 2 * YEAR ? `${Math.round(size / DAY)} d` : `${Math.round(size / YEAR)} y`;
  }
  const behind = (seconds) => (Math.abs(seconds) < MINUTE ? "right" : `${length(seconds)} ${seconds > 0 ? "behind" : "ahead"}`);

  // A clock that lost its battery is off by decades, one that drifts by minutes: both are to be seen, so far is drawn nearer.
  const near = (seconds) => Math.sign(seconds) * Math.log10(1 + Math.abs(seconds) / MINUTE);
  const STEPS = [MINUTE, 10 * MINUTE, HOUR, 12 * HOUR, 30 * DAY, 10 * YEAR, 100 * YEAR];

  function clock(chart) {
    const values = chart.values.map(near), low = Math.min(0, ...values), high = Math.max(0, ...values);
    const margin = Math.max((high - low) * 0.15, 0.3);
    const room = (high - low + 2 * margin) * 0.13;
    const marks = [];
    // "Right" first, then outwards; what would be written over another is left out.
    for (const step of [0, ...STEPS, ...STEPS.map((each) => -each)]) {
      const place = near(step), inside = place >= low - margin && place <= high + margin;
      if (inside && marks.every((other) => Math.abs(near(other) - place) >= room)) marks.push(step);
    }
    marks.sort((one, other) => one - other);
    return {
      values,
      range: [low - margin, high + margin],
      axis: { splits: () => marks.map(near), values: () => marks.map((step) => (step ? length(step) : "right")) },
      said: (index) => behind(chart.values[index]),
    };
  }

  const battery = (chart) => ({ values: chart.values, range: [0, 105], axis: {}, said: (index) => `${Math.round(chart.values[index])} %` });

  function draw(chart, answer) {
    const figure = place.querySelector(`figure[data-key="${chart.key}"]`), box = figure && figure.querySelector(".plot");
    if (!box) return null;
    const drawn = chart.quantity === "clock" ? clock(chart) : battery(chart), grid = { stroke: colour("--line"), width: 1 };
    box.replaceChildren();
    return new uPlot({
      width: box.clientWidth, height: HEIGHT,
      fmtDate: (template) => uPlot.fmtDate(template.replace("{M}/{D}", "{D} {MMM}").replace("{h}:{mm}{aa}", "{HH}:{mm}").replace("{h}{aa}", "{HH}:00")),
      tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), answer.zone),
      cursor: { drag: { x: false, y: false } },
      scales: { x: { time: true, range: () => [Math.max(answer.from, chart.x[0] - DAY), answer.to] }, y: { range: () => drawn.range } },
      axes: [{ stroke: colour("--quiet"), grid }, { stroke: colour("--quiet"), size: 58, grid, ...drawn.axis }],
      series: [
        { label: "At", value: "{WWW} {D} {MMM} {HH}:{mm}" },
        { label: chart.quantity === "clock" ? "Clock" : "Battery", stroke: colour("--accent"), width: 1.5, points: { show: true, size: 6 },
          value: (_, __, ___, index) => (index === null ? "–" : drawn.said(index)) },
      ],
    }, [chart.x, drawn.values], box);
  }

  async function load() {
    const response = await fetch(place.dataset.source, { headers: { Accept: "application/json" } });
    const answer = await response.json();
    if (answer.gateway !== place.dataset.gateway) return;
    plots = answer.charts.map((chart) => draw(chart, answer)).filter(Boolean);
    place.dataset.drawn = answer.gateway;
  }

  new ResizeObserver(() => {
    for (const plot of plots) plot.setSize({ width: plot.root.parentElement.clientWidth, height: HEIGHT });
  }).observe(place);

  load().catch(() => { place.dataset.drawn = "failed"; });
})();
