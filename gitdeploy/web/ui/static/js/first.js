// An empty app's page waits: when something is deployed, it goes where that is shown.
const waiting = document.getElementById("first");
let known = waiting?.dataset.goes;

if (waiting) new MutationObserver(() => {
  const goes = waiting.dataset.goes;
  if (goes && goes !== known) location.assign(goes);
  else if (waiting.hidden) location.reload(); // there are jobs now
  known = goes;
}).observe(waiting, { attributes: true, attributeFilter: ["data-goes", "hidden"] });
