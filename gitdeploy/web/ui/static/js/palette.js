// The command palette: what the page links to and can do, found by a few letters.

const seen = () => [...document.querySelectorAll(".side a, main a.name, main a.button, main form button")].map((node) => ({
  text: (node.getAttribute("aria-label") || node.textContent).trim().replace(/\s+/g, " "),
  hint: node.closest("tr")?.querySelector(".name")?.textContent.trim() || "",
  node,
})).filter((entry) => entry.text);

/** How well letters fit a text: less is better, -1 where they don't. */
export function score(query, text) {
  let at = 0, gaps = 0;
  const lower = text.toLowerCase();
  for (const letter of query.toLowerCase()) {
    if (letter === " ") continue;
    const found = lower.indexOf(letter, at);
    if (found < 0) return -1;
    gaps += found - at;
    at = found + 1;
  }
  return gaps + text.length / 100;
}

/** Open it. */
export function palette() {
  if (document.getElementById("palette")) return;
  const dialog = document.createElement("dialog");
  dialog.id = "palette";
  const label = document.querySelector("[data-palette] span").textContent;
  dialog.setAttribute("aria-label", label);
  const input = document.createElement("input");
  Object.assign(input, { className: "full", type: "text", autocomplete: "off", spellcheck: false, placeholder: label });
  for (const [name, value] of [["role", "combobox"], ["aria-expanded", "true"], ["aria-controls", "palette-list"], ["aria-label", label]]) input.setAttribute(name, value);
  const list = document.createElement("ul");
  list.id = "palette-list";
  list.setAttribute("role", "listbox");
  list.setAttribute("aria-label", label);
  dialog.append(input, list);
  document.body.append(dialog);
  const entries = seen();
  let shown = [], current = 0;

  function draw() {
    shown = entries.map((entry) => [score(input.value, `${entry.hint} ${entry.text}`), entry]).filter(([rank]) => rank >= 0).sort((a, b) => a[0] - b[0]).slice(0, 12).map(([, entry]) => entry);
    current = Math.min(current, Math.max(0, shown.length - 1));
    list.replaceChildren(...shown.map((entry, index) => {
      const line = document.createElement("li");
      line.id = `palette-${index}`;
      line.setAttribute("role", "option");
      line.setAttribute("aria-selected", String(index === current));
      const strong = document.createElement("b");
      strong.textContent = entry.hint ? `${entry.hint} · ` : "";
      line.append(strong, entry.text);
      line.addEventListener("click", () => choose(entry));
      return line;
    }));
    if (shown.length) input.setAttribute("aria-activedescendant", `palette-${current}`); else input.removeAttribute("aria-activedescendant");
    list.children[current]?.scrollIntoView({ block: "nearest" });
  }

  function choose(entry) { dialog.close(); entry.node.click(); }

  input.addEventListener("input", () => { current = 0; draw(); });
  input.addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step && shown.length) { event.preventDefault(); current = (current + step + shown.length) % shown.length; draw(); }
    if (event.key === "Enter" && shown[current]) { event.preventDefault(); choose(shown[current]); }
  });
  dialog.addEventListener("close", () => dialog.remove());
  dialog.showModal();
  draw();
}
