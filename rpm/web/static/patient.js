// Charts of one patient. Draws nothing that does not name this page's patient (A6).
"use strict";

(() => {
  const patient = document.body.dataset.patient, place = document.getElementById("charts");
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const paint = { urgent: colour("--urgent"), priority: colour("--priority"), routine: colour("--routine") };
  const lines = [colour("--accent"), colour("--quiet")], severities = ["", "routine", "priority", "urgent"];
  const FLAGGED = 1, LATE = 2, MARK = 5;
  const height = (chart) => (chart.series.length > 1 ? 250 : 180);
  let plots = [], asked = 0;

  function points(chart) {
    return (u, seriesIndex) => {
      const { ctx } = u, values = u.data[seriesIndex], ratio = devicePixelRatio;
      ctx.save();
      for (let index = 0; index < values.length; index += 1) {
        if (values[index] === null) continue;
        const x = u.valToPos(u.data[0][index], "x", true), y = u.valToPos(values[index], "y", true);
        if (x < u.bbox.left || x > u.bbox.left + u.bbox.width) continue;
        const quality = chart.quality[index], r = 2.6 * ratio;
        ctx.beginPath();
        ctx.lineWidth = 1.6 * ratio;
        if (quality & FLAGGED) {
          ctx.strokeStyle = paint.priority;
          ctx.moveTo(x, y - 1.6 * r); ctx.lineTo(x + 1.6 * r, y); ctx.lineTo(x, y + 1.6 * r); ctx.lineTo(x - 1.6 * r, y); ctx.closePath();
          ctx.stroke();
        } else if (quality & LATE) {
          ctx.strokeStyle = lines[seriesIndex - 1];
          ctx.arc(x, y, 1.3 * r, 0, 2 * Math.PI);
          ctx.stroke();
        } else {
          ctx.fillStyle = lines[seriesIndex - 1];
          ctx.arc(x, y, r, 0, 2 * Math.PI);
          ctx.fill();
        }
      }
      ctx.restore();
      return false;
    };
  }

  // Limits are in sight where their own quantity comes near them: a low limit of the upper line would only confuse
  // among the values of the lower one, and a far limit must not press the readings flat.
  function near(chart) {
    return chart.limits.filter((limit) => {
      const values = chart.series.find((one) => one.label === limit.quantity).values.filter((value) => value !== null);
      const low = Math.min(...values), high = Math.max(...values), room = Math.max((high - low) * 0.6, high * 0.12);
      return limit.value > low - room && limit.value < high + room;
    });
  }

  function limits(chart, marks) {
    const shown = near(chart);
    return (u) => {
      const { ctx, bbox } = u, ratio = devicePixelRatio;
      ctx.save();
      ctx.font = `${11 * ratio}px system-ui, sans-serif`;
      ctx.textBaseline = "bottom";
      for (const limit of shown) {
        const y = u.valToPos(limit.value, "y", true), first = limit.quantity === chart.series[0].label;
        ctx.strokeStyle = ctx.fillStyle = paint[limit.severity];
        ctx.lineWidth = ratio;
        ctx.setLineDash([5 * ratio, 4 * ratio]);
        ctx.beginPath(); ctx.moveTo(bbox.left, y); ctx.lineTo(bbox.left + bbox.width, y); ctx.stroke();
        ctx.textAlign = first ? "left" : "right";
        ctx.fillText(`${limit.severity}: ${limit.label}`, bbox.left + (first ? 6 * ratio : bbox.width - 14 * ratio), y - ratio);
      }
      ctx.setLineDash([]);
      for (const mark of marks) {
        const x = u.valToPos(mark.at, "x", true), s = MARK * ratio;
        ctx.fillStyle = paint[severities[mark.severity]];
        ctx.beginPath(); ctx.moveTo(x - s, bbox.top); ctx.lineTo(x + s, bbox.top); ctx.lineTo(x, bbox.top + 1.8 * s); ctx.fill();
      }
      ctx.restore();
    };
  }

  function range(chart) {
    const all = [...chart.series.flatMap((one) => one.values).filter((value) => value !== null), ...near(chart).map((one) => one.value)];
    const low = Math.min(...all), high = Math.max(...all), margin = Math.max((high - low) * 0.14, high * 0.01);
    return () => [low - margin, high + margin];
  }

  // By which clocks the point under the cursor stands where it does. The last one stays: its link is to be reached.
  function tellOrigin(figure, chart) {
    const line = figure.querySelector(".whence");
    line.textContent = "Point at a reading, or use the arrow keys: which clocks its time comes from.";
    return (u) => {
      const origin = chart.origins[u.cursor.idx];
      if (!origin) return;
      line.replaceChildren(...origin.flatMap(([name, words]) => {
        const link = document.createElement("a");
        link.href = `${location.pathname}/readings/${name}`;
        link.textContent = "from?";
        link.setAttribute("aria-label", "Where this reading comes from");
        return [`${words} `, link, " "];
      }));
    };
  }

  function step(u, chart) {
    return (event) => {
      const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (!by) return;
      event.preventDefault();
      const here = u.cursor.idx ?? (by > 0 ? -1 : chart.x.length), there = Math.min(Math.max(here + by, 0), chart.x.length - 1);
      u.setCursor({ left: u.valToPos(chart.x[there], "x"), top: u.over.clientHeight / 2 });
    };
  }

  function draw(chart, answer) {
    const figure = place.querySelector(`figure[data-key="${chart.key}"]`);
    if (!figure) return null;
    const box = figure.querySelector(".plot"), quantities = { blood_pressure: ["systolic", "diastolic"] }[chart.key] || [chart.key];
    box.replaceChildren();
    box.setAttribute("aria-label", chart.summary);
    const marks = answer.alerts.filter((alert) => quantities.includes(alert.quantity));
    const series = chart.series.map((one, index) => ({
      label: one.label, stroke: lines[index], width: 1, alpha: 1, points: { show: points(chart) },
      value: (_, value) => (value === null ? "–" : `${value} ${chart.unit}`),
    }));
    const plot = new uPlot({
      width: box.clientWidth, height: height(chart),
      fmtDate: (template) => uPlot.fmtDate(template.replace("{M}/{D}", "{D} {MMM}").replace("{h}:{mm}{aa}", "{HH}:{mm}").replace("{h}{aa}", "{HH}:00")),
      tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), answer.zone),
      cursor: { sync: { key: "patient" }, drag: { x: false, y: false } },
      scales: { x: { time: true, range: () => [answer.from, answer.to] }, y: { range: range(chart) } },
      axes: [{ stroke: lines[1], grid: { stroke: colour("--line"), width: 1 } }, { stroke: lines[1], size: 52, grid: { stroke: colour("--line"), width: 1 } }],
      series: [{ label: "At", value: "{WWW} {D} {MMM} {HH}:{mm}" }, ...series],
      hooks: { drawAxes: [limits(chart, marks)], setCursor: [tellOrigin(figure, chart)] },
    }, [chart.x, ...chart.series.map((one) => one.values)], box);
    box.tabIndex = 0;
    box.onkeydown = step(plot, chart);
    return plot;
  }

  async function load(automatic) {
    const mine = (asked += 1), headers = { Accept: "application/json", ...(automatic && { "X-Automatic": "1" }) };
    const response = await fetch(`${place.dataset.source}?days=${place.dataset.days}`, { headers });
    const answer = await response.json();
    if (mine !== asked || answer.patient !== patient) return;
    plots.forEach((plot) => plot.destroy());
    plots = answer.charts.map((chart) => draw(chart, answer)).filter(Boolean);
    place.dataset.drawn = answer.patient;
    if (answer.version !== place.dataset.version) tell();
  }

  // News about this patient: say so, and let the nurse finish what she is typing.
  function tell() {
    const notice = document.getElementById("notice"), words = document.createElement("p"), link = document.createElement("a");
    words.className = "told";
    link.href = location.pathname + location.search;
    link.textContent = "load the page again";
    words.append("This patient’s alerts have changed: ", link, ".");
    notice.replaceChildren(words);
  }

  new ResizeObserver(() => {
    for (const plot of plots) plot.setSize({ width: plot.root.parentElement.clientWidth, height: plot.height });
  }).observe(place);

  load(false).catch(() => { place.dataset.drawn = "failed"; });

  // A key or a link that ends in #close means: show me the form. After the browser's own jump, which takes the focus.
  function showClosing() {
    const form = location.hash === "#close" && document.getElementById("close");
    if (!form) return;
    form.open = true;
    form.scrollIntoView({ block: "center" });
    form.querySelector("select").focus();
  }
  addEventListener("load", () => setTimeout(showClosing, 0));

  let version = null;
  document.addEventListener("rpm:live", (event) => {
    if (version !== null && version !== event.detail.version) load(true).catch(() => {});
    version = event.detail.version;
  });
})();
