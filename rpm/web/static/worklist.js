// The list: refreshed when it changed, moved through by keys, urgent news said aloud.
"use strict";

(() => {
  const list = () => document.getElementById("worklist");
  const rows = () => [...document.querySelectorAll(".alert")];
  const urgents = () => new Map(rows().filter((row) => row.matches(".urgent")).map((row) => [row.id, row]));
  let known = new Set(urgents().keys()), chosen = new URLSearchParams(location.search).get("at") || "", focused = "", opened = [];

  // Two answers can overtake each other: look again shortly after each, until the list is the one that was heard of.
  const AGAIN_AFTER_MS = 400;
  let heard = list().dataset.version;
  const check = () => { if (list().dataset.version !== heard) htmx.trigger(list(), "refresh"); };

  document.addEventListener("rpm:live", (event) => {
    heard = event.detail.version;
    check();
  });

  document.addEventListener("htmx:beforeSwap", () => {
    const row = document.activeElement && document.activeElement.closest(".alert");
    focused = row ? row.id : "";
    opened = [...document.querySelectorAll(".place[open]")].map((place) => place.id);
  });

  // After settling: before that, htmx still carries classes over from the old rows.
  document.addEventListener("htmx:afterSettle", () => {
    setTimeout(check, AGAIN_AFTER_MS);
    document.title = list().dataset.title;
    const now = urgents();
    const news = [...now].filter(([id]) => !known.has(id)).map(([, row]) => row);
    known = new Set(now.keys());
    if (news.length) {
      document.getElementById("announce").textContent = news
        .map((row) => `Urgent: ${row.querySelector(".open").textContent}. ${row.querySelector(".why p").textContent}`).join(" ");
    }
    mark();
    // Who reads why an alert stands where it stands goes on reading.
    for (const id of opened) document.getElementById(id)?.setAttribute("open", "");
    // Only where the swap took the focus away: somebody may be typing elsewhere by now.
    const again = focused && document.activeElement === document.body && document.getElementById(focused);
    if (again) again.querySelector(".open").focus({ preventScroll: true });
  });

  function mark() {
    for (const row of rows()) row.classList.toggle("chosen", row.id === chosen);
  }

  function move(by) {
    const all = rows();
    if (!all.length) return;
    const at = all.findIndex((row) => row.id === chosen);
    const next = all[Math.min(all.length - 1, Math.max(0, at < 0 ? 0 : at + by))];
    chosen = next.id;
    mark();
    next.querySelector(".open").focus({ preventScroll: true });
    next.scrollIntoView({ block: "nearest" });
  }

  function post(path) {
    const form = document.createElement("form");
    const token = document.createElement("input");
    form.method = "post";
    form.action = path;
    token.type = "hidden";
    token.name = "csrf";
    token.value = document.body.dataset.csrf;
    form.append(token);
    document.body.append(form);
    form.submit();
  }

  const help = document.getElementById("help"), helpButton = document.getElementById("help-open");
  helpButton.hidden = false;
  helpButton.addEventListener("click", () => help.showModal());

  document.addEventListener("focusin", (event) => {
    const row = event.target.closest(".alert");
    if (row && row.id !== chosen) { chosen = row.id; mark(); }
  });

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || help.open) return;
    if (event.target.closest("input, select, textarea")) {
      if (event.key === "Escape") event.target.blur();
      return;
    }
    const row = document.getElementById(chosen), link = row && row.querySelector(".open");
    const button = row && row.querySelector("[data-key=a]");
    const acts = {
      j: () => move(1),
      k: () => move(-1),
      a: () => button && button.click(),
      c: () => link && link.pathname.startsWith("/patients/") && post(`${link.pathname}/timer${link.search}`),
      x: () => link && location.assign(`${link.href}#close`),
      "/": () => document.getElementById("q").focus(),
      "?": () => help.showModal(),
    };
    if (acts[event.key]) {
      event.preventDefault();
      acts[event.key]();
    } else if (event.key === "Enter" && link && event.target === document.body) {
      link.click();
    }
  });

  document.getElementById("who").addEventListener("change", (event) => event.target.form.requestSubmit());
  mark();
})();
