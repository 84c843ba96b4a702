// A part of a page that keeps itself fresh, and says so when it cannot: by the browser's own clock (H6).
"use strict";

(() => {
  const STALE_AFTER_MS = 30_000;
  const part = () => document.querySelector("[data-fresh]");
  const bar = document.getElementById("stale"), sign = document.getElementById("live");
  let heardMs = performance.now(), heardAt = new Date(), askedMs = performance.now(), focused = "";

  const two = (n) => String(n).padStart(2, "0");

  // A page with a stream of its own (live.js) says itself when it is not live.
  const streams = "live" in document.body.dataset;

  function show() {
    if (streams) return;
    const stale = Number(part().dataset.fresh) > 0 && performance.now() - heardMs > STALE_AFTER_MS;
    const words = stale ? `Not live since ${two(heardAt.getHours())}:${two(heardAt.getMinutes())}. What you see may be old: reload the page.` : "";
    if (bar.textContent !== words) bar.textContent = words;
    bar.hidden = !words;
    if (!sign) return;
    const now = new Date();
    sign.dataset.state = stale ? "stale" : "live";
    sign.textContent = stale ? "not live" : `live · ${two(now.getHours())}:${two(now.getMinutes())}:${two(now.getSeconds())}`;
  }

  // Somebody who is choosing or typing inside keeps what they have begun: only what is read is taken away under them.
  const busy = () => part().contains(document.activeElement) && document.activeElement.matches("input, select, textarea");

  function turn() {
    show();
    const everyMs = Number(part().dataset.fresh) * 1000;
    if (!everyMs) return;
    if (document.hidden || busy() || performance.now() - askedMs < everyMs) return;
    askedMs = performance.now();
    htmx.trigger(part(), "refresh");
  }

  document.addEventListener("htmx:beforeSwap", (event) => {
    if (!event.detail.target.matches("[data-fresh]")) return;
    const inside = part().contains(document.activeElement) && document.activeElement.closest("[id]");
    focused = inside ? inside.id : "";
  });

  document.addEventListener("htmx:afterSettle", () => {
    const again = focused && document.activeElement === document.body && document.getElementById(focused);
    if (again) again.focus({ preventScroll: true });
    if (part().dataset.title) document.title = part().dataset.title;
  });

  document.addEventListener("htmx:afterRequest", (event) => {
    if (!event.detail.successful) return;
    heardMs = performance.now();
    heardAt = new Date();
    show();
  });

  setInterval(turn, 500);
  show();
})();
