// The command palette: pages to go to and things to do, found by a few letters. The server says what
// there is (commands.py); a command that writes is a form that is sent, as a button's would be.
import { app, base, toast } from "./app.js";
import { letters, setLetters } from "./keys.js";
import { match } from "./match.js";

const MOST = 50; // entries shown at once
const SVG = "http://www.w3.org/2000/svg";
const mac = /Mac|iPhone|iPad/.test(navigator.platform);

const make = (name, attributes = {}, ...children) => {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  node.append(...children);
  return node;
};

function icon(name) {
  const svg = document.createElementNS(SVG, "svg"), use = document.createElementNS(SVG, "use");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  use.setAttribute("href", `#i-${name}`);
  svg.append(use);
  return svg;
}

/** What there is, from the server; null where it can't be had. */
async function load() {
  try {
    const answer = await fetch(`${base}${app || "-"}/commands`, { headers: { Accept: "application/json" } });
    if (answer.redirected) { location.reload(); return null; } // the session has ended
    return answer.ok ? await answer.json() : null;
  } catch { return null; }
}

/** A dialog that is gone when it is closed; the focus goes back to where it was. */
function dialogOf(id, attributes, ...children) {
  const before = document.activeElement;
  const dialog = make("dialog", { id, ...attributes }, ...children);
  dialog.addEventListener("close", () => {
    dialog.remove();
    if (before?.isConnected && !document.querySelector("dialog[open]")) before.focus();
  });
  dialog.addEventListener("click", (event) => {
    const box = dialog.getBoundingClientRect(), { clientX: x, clientY: y } = event;
    if (event.target === dialog && (x < box.left || x > box.right || y < box.top || y > box.bottom)) dialog.close();
  });
  document.body.append(dialog);
  dialog.showModal();
  return dialog;
}

/** The text with the letters at `places` in bold. */
function bold(text, places) {
  const hits = new Set(places), parts = [];
  let open = null;
  Array.from(text).forEach((letter, index) => {
    const hit = hits.has(index);
    if (open?.hit !== hit) parts.push(open = { hit, text: "" });
    open.text += letter;
  });
  return parts.map((part) => part.hit ? make("b", {}, part.text) : part.text);
}

function found(query, entries) {
  if (!query.trim()) return entries.slice(0, MOST).map((entry) => ({ entry, places: [] }));
  return entries.map((entry) => {
    const own = match(query, entry.text), also = own ? null : entry.also && match(query, entry.also);
    return own ? { entry, ...own } : also ? { entry, rank: also.rank - 1, places: [] } : null;
  }).filter(Boolean).sort((a, b) => b.rank - a.rank).slice(0, MOST);
}

/** Do what an entry says. */
async function act(entry, words) {
  if (entry.go) location.assign(entry.go);
  else if (entry.copy) { await navigator.clipboard.writeText(entry.copy); toast(words.copied); }
  else if (entry.do === "help") help();
  else if (entry.do === "letters") { setLetters(!letters()); toast(letters() ? words.letters_on : words.letters_off); }
  else if (entry.post) {
    const here = new URL(location.href);
    here.hash = "";
    const token = document.querySelector("input[name=form_token]").value;
    const fields = { form_token: token, next: here.href, ...entry.fields };
    const form = make("form", { method: "post", action: entry.post, hidden: "" });
    if (entry.ask) form.dataset.confirm = entry.ask;
    for (const [name, value] of Object.entries(fields)) form.append(make("input", { type: "hidden", name, value }));
    form.append(make("button", {}, entry.hint));
    document.body.append(form);
    form.requestSubmit(form.lastChild);
  }
}

/** Open it; where it is open, close it. */
export function palette() {
  const there = document.querySelector("dialog[open]");
  if (there) { if (there.id === "palette") there.close(); return; }
  const label = document.querySelector("[data-palette] span").textContent;
  const input = make("input", {
    type: "text", role: "combobox", "aria-expanded": "false", "aria-controls": "palette-list", "aria-autocomplete": "list",
    "aria-label": label, placeholder: label, autocomplete: "off", autocapitalize: "none", spellcheck: "false", enterkeyhint: "go",
  });
  const list = make("ul", { id: "palette-list", role: "listbox", "aria-label": label, hidden: "" });
  const none = make("p", { class: "none", role: "status" });
  const foot = make("p", { class: "foot-keys", "aria-hidden": "true" });
  let known = null, shown = [], current = 0;

  function draw() {
    shown = known ? found(input.value, known.commands) : [];
    current = 0;
    list.replaceChildren(...shown.map(({ entry, places }, index) => {
      const line = make("li", { id: `palette-${index}`, role: "option" }, icon(entry.icon), make("span", {}, ...bold(entry.text, places)), make("small", {}, entry.hint));
      line.addEventListener("click", () => choose(entry));
      line.addEventListener("mousemove", () => { if (current !== index) { current = index; mark(); } });
      return line;
    }));
    list.hidden = !shown.length;
    none.textContent = known && !shown.length ? known.words.none : "";
    input.setAttribute("aria-expanded", String(shown.length > 0));
    mark();
    list.scrollTop = 0;
  }

  function mark() {
    for (const [index, line] of [...list.children].entries()) line.setAttribute("aria-selected", String(index === current));
    if (shown.length) input.setAttribute("aria-activedescendant", `palette-${current}`); else input.removeAttribute("aria-activedescendant");
  }

  function choose(entry) {
    dialog.addEventListener("close", () => act(entry, known.words));
    dialog.close();
  }

  input.addEventListener("input", draw);
  input.addEventListener("keydown", (event) => {
    if (event.isComposing) return; // Enter and the arrows are the input method's
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step && shown.length) {
      event.preventDefault();
      current = (current + step + shown.length) % shown.length;
      mark();
      list.children[current].scrollIntoView({ block: "nearest" });
    }
    if (event.key === "Enter") { event.preventDefault(); if (shown[current]) choose(shown[current].entry); }
  });
  const dialog = dialogOf("palette", { "aria-label": label }, input, list, none, foot);
  input.focus();
  load().then((all) => {
    known = all;
    if (!all) { none.textContent = document.body.dataset.failed; return; }
    foot.append(make("kbd", {}, "↑"), make("kbd", {}, "↓"), ` ${all.words.move}`, make("kbd", {}, "Enter"), ` ${all.words.choose}`, make("kbd", {}, "Esc"), ` ${all.words.close}`);
    draw();
  });
}

/** Show which keys there are, and let those of single letters be turned off. */
export async function help() {
  if (document.querySelector("dialog[open]")) return;
  const all = await load();
  if (!all) { toast(document.body.dataset.failed); return; }
  const words = all.words, list = make("dl", { class: "keys" });
  for (const { keys, text } of all.keys) {
    const shown = keys.flatMap((key, index) => [...(index ? [" "] : []), make("kbd", {}, key === "Ctrl" && mac ? "⌘" : key)]);
    list.append(make("div", {}, make("dt", {}, ...shown), make("dd", {}, text)));
  }
  const box = make("input", { type: "checkbox", id: "letters" });
  box.checked = letters();
  box.addEventListener("change", () => setLetters(box.checked));
  const form = make("form", { method: "dialog", class: "actions" }, make("button", { class: "button primary" }, words.close));
  dialogOf("keys", { "aria-labelledby": "keys-title" },
    make("h2", { id: "keys-title" }, words.help), list, make("label", { for: "letters", class: "choice" }, box, words.letters_label), form);
}
