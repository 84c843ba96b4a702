// Charts of one patient. Draws nothing that does not name this page's patient (A6).
"use strict";

(() => {
  const patient = document.body.dataset.patient, place = document.getElementById("charts");
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const paint = { urgent: colour("--urgent"), priority: colour("--priority"), routine: colour("--routine") };
  const lines = [colour("--accent"), colour("--quiet")], severities = ["", "routine", "priority", "urgent"];
  const FLAGGED = 1, LATE = 2, HEIGHT = 190, MARK = 5;
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

  function limits(chart, marks) {
    return (u) => {
      const { ctx, bbox } = u, ratio = devicePixelRatio;
      ctx.save();
      ctx.font = `${11 * ratio}px system-ui, sans-serif`;
      for (const limit of chart.limits) {
        const y = u.valToPos(limit.value, "y", true);
        if (y < bbox.top || y > bbox.top + bbox.height) continue;
        ctx.strokeStyle = ctx.fillStyle = paint[limit.severity];
        ctx.lineWidth = ratio;
        ctx.setLineDash([5 * ratio, 4 * ratio]);
        ctx.beginPath(); ctx.moveTo(bbox.left, y); ctx.lineTo(bbox.left + bbox.width, y); ctx.stroke();
        ctx.fillText(`${limit.severity}: ${limit.label}`, bbox.left + 6 * ratio, y - 3 * ratio);
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

  // Limits are in sight where the readings come near them; a far one must not press the readings flat.
  function range(chart) {
    return () => {
      const all = chart.series.flatMap((one) => one.values).filter((value) => value !== null);
      let low = Math.min(...all), high = Math.max(...all);
      const room = Math.max((high - low) * 0.35, high * 0.06);
      for (const { value } of chart.limits) {
        if (value < low && value > low - room) low = value;
        if (value > high && value < high + room) high = value;
      }
      const margin = Math.max((high - low) * 0.12, high * 0.01);
      return [low - margin, high + margin];
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
    return new uPlot({
      width: box.clientWidth, height: HEIGHT,
      tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), answer.zone),
      cursor: { sync: { key: "patient" }, drag: { x: false, y: false } },
      scales: { x: { time: true, range: () => [answer.from, answer.to] }, y: { range: range(chart) } },
      axes: [{ stroke: lines[1], grid: { stroke: colour("--line"), width: 1 } }, { stroke: lines[1], size: 52, grid: { stroke: colour("--line"), width: 1 } }],
      series: [{ label: "At", value: "{WWW} {D} {MMM} {HH}:{mm}" }, ...series],
      hooks: { drawAxes: [limits(chart, marks)] },
    }, [chart.x, ...chart.series.map((one) => one.values)], box);
  }

  async function load(days) {
    const mine = (asked += 1);
    const answer = await (await fetch(`${place.dataset.source}?days=${days}`, { headers: { Accept: "application/json" } })).json();
    if (mine !== asked || answer.patient !== patient) return;
    plots.forEach((plot) => plot.destroy());
    plots = answer.charts.map((chart) => draw(chart, answer)).filter(Boolean);
    place.dataset.drawn = answer.patient;
  }

  new ResizeObserver(() => {
    for (const plot of plots) plot.setSize({ width: plot.root.parentElement.clientWidth, height: HEIGHT });
  }).observe(place);

  load(place.dataset.days).catch(() => { place.dataset.drawn = "failed"; });

  // A key or a link that ends in #close means: show me the form.
  if (location.hash === "#close") {
    const form = document.getElementById("close");
    if (form) { form.open = true; form.scrollIntoView({ block: "center" }); form.querySelector("select").focus(); }
  }

  // News about this patient: say so, and let the nurse finish what she is typing.
  let version = "";
  document.addEventListener("rpm:live", (event) => {
    if (version && version !== event.detail.version) {
      const notice = document.getElementById("notice"), words = document.createElement("p"), link = document.createElement("a");
      words.className = "told";
      link.href = location.pathname + location.search;
      link.textContent = "Load this page again";
      words.append("Something changed on the worklist. ", link, " to see whether it is about this patient.");
      notice.replaceChildren(words);
    }
    version = event.detail.version;
  });
})();
