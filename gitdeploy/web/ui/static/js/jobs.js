// The list of jobs filters while one types; the server does it, so the address is what one sees.
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
