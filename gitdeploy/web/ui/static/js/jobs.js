// The list of jobs filters while one types; the server does it, so the address is what one sees.
import { letters } from "./keys.js";
import { refresh } from "./live.js";

const field = document.querySelector("form[data-filter] input[type=search]");
let timer = 0, asking = Promise.resolve();

field?.addEventListener("input", () => {
  clearTimeout(timer);
  timer = setTimeout(() => {
    const address = new URL(location.href);
    address.searchParams.delete("page");
    if (field.value.trim()) address.searchParams.set("q", field.value.trim()); else address.searchParams.delete("q");
    history.replaceState(null, "", address);
    asking = asking.then(refresh); // one after the other: an older answer must not win
  }, 150);
});

// The line of now moves, though nothing happens.
setInterval(() => { if (!document.hidden) asking = asking.then(refresh); }, 60000);

// j and k go through the jobs while one of them has the focus, r runs, starts or stops it; the arrow
// leads from the search to the list. Nowhere else is a letter a command (WCAG 2.1.4).
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const names = [...document.querySelectorAll("#list a.name")];
  if (event.target === field) {
    if (event.key === "ArrowDown" && names.length) { event.preventDefault(); names[0].focus(); }
    return;
  }
  const row = event.target.closest?.("#list tbody tr");
  if (!row || !letters()) return;
  const step = { j: 1, k: -1 }[event.key];
  const at = names.indexOf(row.querySelector("a.name"));
  if (step) { event.preventDefault(); names[at + step]?.focus(); }
  if (event.key === "r") row.querySelector(".actions > form button")?.click();
});
