// Keys that work on every page. Single letters can be turned off (WCAG 2.1.4); this browser remembers it.

const NAME = "gitdeploy-letters";
const SOON = 1500; // ms between g and the letter that says where to
let went = 0;

/** Whether single letters are commands. */
export function letters() {
  try { return localStorage.getItem(NAME) !== "off"; } catch { return true; }
}

/** Turn them on or off. */
export function setLetters(on) {
  try { if (on) localStorage.removeItem(NAME); else localStorage.setItem(NAME, "off"); } catch { /* it stays as it is */ }
}

/** The key as a Latin keyboard has it: a Korean one may be in Hangul. */
const latin = (event) => /[ㄱ-ㅣ]/.test(event.key) && event.code.startsWith("Key") ? event.code.slice(3).toLowerCase() : event.key;

/** Listen. `open` opens "palette" or "help". */
export function keys(open) {
  document.addEventListener("keydown", (event) => {
    if (event.isComposing) return;
    const key = latin(event);
    if (key === "Escape") for (const menu of document.querySelectorAll("details.menu[open]")) { menu.open = false; menu.querySelector("summary").focus(); }
    if ((event.ctrlKey || event.metaKey) && !event.altKey && !event.shiftKey && key.toLowerCase() === "k") {
      event.preventDefault();
      open("palette");
      return;
    }
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented || event.target.closest?.("input:not([type=radio], [type=checkbox]), textarea, select, dialog") || !letters()) return;
    const section = went && performance.now() - went < SOON && document.querySelector(`.side a[data-letter="${CSS.escape(key)}"]`);
    went = 0;
    const field = key === "/" && document.querySelector("[data-slash]");
    const run = key === "r" && !event.target.closest?.("#list tbody tr") && document.querySelector("main [data-letter=r]");
    if (section) { event.preventDefault(); section.click(); }
    else if (key === "g") went = performance.now();
    else if (key === "?") { event.preventDefault(); open("help"); }
    else if (field) { event.preventDefault(); field.focus(); field.select?.(); }
    else if (run) run.click();
  });
}
