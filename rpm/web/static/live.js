// Hears what changes, and says so when it hears nothing. The page's own clock decides what is stale (H6).
"use strict";

(() => {
  const STALE_AFTER_MS = 30_000, TOUCH_EVERY_MS = 60_000;
  const bar = document.getElementById("stale"), sign = document.getElementById("live");
  let heardMs = performance.now(), heardAt = new Date(), silent = "", touchedMs = performance.now();

  const two = (n) => String(n).padStart(2, "0");
  const time = (date) => `${two(date.getHours())}:${two(date.getMinutes())}`;

  function show() {
    const stale = performance.now() - heardMs > STALE_AFTER_MS;
    const words = stale ? `Not live since ${time(heardAt)}. What you see may be old: reload the page.` : silent;
    if (bar.textContent !== words) bar.textContent = words;
    bar.hidden = !words;
    sign.dataset.state = stale ? "stale" : "live";
    sign.textContent = stale ? "not live" : `live · ${time(new Date())}:${two(new Date().getSeconds())}`;
  }

  // What a silent stage means for whoever reads the list.
  const MEANS = {
    ingest: "new readings do not arrive",
    evaluate: "new readings are not judged",
    escalate: "nobody is called about alerts",
    send: "messages to people on call are not sent",
    repeats: "second readings are not asked for, and first ones wait to be judged",
    deliveries: "messages that did not arrive are not sent another way",
    pauses: "what was set aside while somebody was away is not looked at again",
    silence: "boxes and people who fall silent are not missed",
  };

  function silence(facts) {
    if (!facts.silent_since) return "";
    const since = new Date(facts.silent_since);
    const means = MEANS[facts.silent_stage] || "something does not work";
    return `Since ${since.getFullYear() < 2000 ? "it was set up" : time(since)} ${means}. Tell your administrator.`;
  }

  const stream = new EventSource(document.body.dataset.live);
  stream.onmessage = (event) => {
    const facts = JSON.parse(event.data);
    heardMs = performance.now();
    heardAt = new Date();
    silent = silence(facts);
    show();
    document.dispatchEvent(new CustomEvent("rpm:live", { detail: facts }));
  };
  stream.addEventListener("ended", () => location.assign(`/login?next=${encodeURIComponent(location.pathname + location.search)}`));
  // A stream refused outright (signed out) is not tried again by the browser: ask for the page, which knows why.
  stream.onerror = () => { if (stream.readyState === EventSource.CLOSED) setTimeout(() => location.reload(), 5_000); };
  setInterval(show, 1_000);

  // A person who reads is active too; a page that refreshes itself is not.
  function touch() {
    if (performance.now() - touchedMs < TOUCH_EVERY_MS) return;
    touchedMs = performance.now();
    fetch("/live/active", { method: "POST", headers: { "X-CSRF-Token": document.body.dataset.csrf } }).catch(() => {});
  }
  for (const kind of ["keydown", "pointerdown", "scroll"]) document.addEventListener(kind, touch, { passive: true });
})();
