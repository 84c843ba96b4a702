// What every page needs: form tokens on htmx requests, and ages that stay true while a page is open.
"use strict";

document.addEventListener("htmx:configRequest", (event) => {
  event.detail.headers["X-CSRF-Token"] = document.body.dataset.csrf || "";
  if (event.detail.triggeringEvent && event.detail.triggeringEvent.type === "refresh") {
    event.detail.headers["X-Automatic"] = "1";
  }
});

document.addEventListener("htmx:sendError", () => {
  const notice = document.getElementById("notice");
  const words = document.createElement("p");
  words.className = "problem";
  words.textContent = "The server did not answer: nothing was changed. Try again.";
  notice.replaceChildren(words);
});

// Ages are words of the server's clock; the browser only adds the time since the page was made.
const MINUTE = 60, HOUR = 3600, DAY = 86400;

function span(seconds) {
  seconds = Math.abs(seconds);
  if (seconds < MINUTE) return "less than 1 min";
  if (seconds < HOUR) return `${Math.floor(seconds / MINUTE)} min`;
  if (seconds < DAY) {
    const hours = Math.floor(seconds / HOUR), minutes = Math.floor((seconds % HOUR) / MINUTE);
    return hours < 3 && minutes ? `${hours} h ${minutes} min` : `${hours} h`;
  }
  const days = Math.floor(seconds / DAY);
  return days === 1 ? "1 day" : `${days} days`;
}

function clock(seconds) {
  const two = (n) => String(n).padStart(2, "0");
  const hours = Math.floor(seconds / HOUR), minutes = Math.floor((seconds % HOUR) / MINUTE);
  return (hours ? `${hours}:` : "") + `${two(minutes)}:${two(Math.floor(seconds % MINUTE))}`;
}

function tick() {
  for (const element of document.querySelectorAll("[data-age-s]")) {
    if (element.bornAt === undefined) element.bornAt = performance.now();
    const age = Number(element.dataset.ageS) + (performance.now() - element.bornAt) / 1000;
    if (element.dataset.form === "due") {
      element.textContent = age < 0 ? `due in ${span(age)}` : `overdue by ${span(age)}`;
      element.classList.toggle("over", age >= 0);
    } else if (element.dataset.form === "clock") {
      element.textContent = clock(Math.max(0, age));
    } else {
      element.textContent = span(age);
    }
  }
}

document.addEventListener("htmx:load", tick);
setInterval(tick, 1000);
tick();
