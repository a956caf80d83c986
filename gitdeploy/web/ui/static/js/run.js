// What is under way moves: how long a run takes, and how far it has come against what is usual.
import { refresh } from "./live.js";

const ahead = Number(document.body.dataset.now) - Date.now(); // the server's clock, not the reader's
const OFTEN = 10_000; // ms between two looks at a page with a chart that grows

/** As the server writes it (show.py): `0.4 s`, `0:38`, `1:02:03`. */
function duration(seconds) {
  if (seconds < 10) return `${Math.max(0, seconds).toFixed(1)} s`;
  const two = (number) => String(Math.floor(number)).padStart(2, "0");
  const minutes = Math.floor(seconds / 60), hours = Math.floor(minutes / 60);
  return hours ? `${hours}:${two(minutes % 60)}:${two(seconds % 60)}` : `${minutes}:${two(seconds % 60)}`;
}

function tick() {
  if (document.hidden) return;
  for (const one of document.querySelectorAll("[data-begun]")) {
    const seconds = (Date.now() + ahead - one.dataset.begun) / 1000;
    if (one.dataset.usual) one.value = Math.min(100, (100 * seconds) / one.dataset.usual);
    else one.textContent = duration(seconds);
  }
}

setInterval(tick, 1000);
// The log viewer renews the page of a run itself.
if (!document.querySelector("log-view")) {
  setInterval(() => { if (!document.hidden && document.querySelector("[data-begun]")) refresh(); }, OFTEN);
}
