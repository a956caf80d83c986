// Runs on every page: marks that scripts work, keeps times true, copies, asks before what can't be undone.
import { keys } from "./keys.js";
import { live } from "./live.js";

const root = document.documentElement;
root.classList.add("js");

export const base = document.body.dataset.base;
export const app = document.body.dataset.app;
const offset = Number(document.body.dataset.now) - Date.now(); // the server's clock, not the reader's

/** Say something briefly to everybody, screen readers included. */
export function toast(text) {
  const box = document.getElementById("toasts");
  const line = document.createElement("p");
  line.textContent = text;
  box.append(line);
  setTimeout(() => line.remove(), 4000);
}

/** The reader's language as the page has it, for numbers and spans. */
const relative = new Intl.RelativeTimeFormat(root.lang, { numeric: "always", style: "narrow" });
const UNITS = [["second", 60], ["minute", 3600, 60], ["hour", 172800, 3600], ["day", Infinity, 86400]];

function ago(node) {
  const seconds = (Date.parse(node.dateTime) - (Date.now() + offset)) / 1000;
  for (const [unit, upto, length = 1] of UNITS) {
    if (Math.abs(seconds) < upto) return relative.format(Math.trunc(seconds / length), unit);
  }
}

function tick() {
  if (document.hidden) return;
  for (const node of document.querySelectorAll("time[data-ago]")) {
    const text = ago(node);
    if (text && node.textContent !== text) node.textContent = text;
  }
}
setInterval(tick, 1000);

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (button) {
    await navigator.clipboard.writeText(button.dataset.copy);
    toast(button.dataset.copied || button.getAttribute("aria-label") || button.textContent);
    return;
  }
  if (event.target.closest("[data-palette]")) open("palette");
  if (event.target.closest("[data-help]")) open("help");
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    if (!menu.contains(event.target)) menu.open = false;
  }
});

document.addEventListener("submit", (event) => {
  const question = event.target.dataset.confirm;
  if (question && !event.target.dataset.sure) {
    event.preventDefault();
    ask(question, event.submitter?.textContent.trim() || "OK").then((yes) => {
      if (!yes) return;
      event.target.dataset.sure = "1";
      event.target.requestSubmit(event.submitter);
    });
  }
});

/** A question in a dialog of our own; resolves to whether it was agreed to. */
export function ask(question, yes) {
  return new Promise((resolve) => {
    const dialog = document.createElement("dialog");
    const text = document.createElement("p");
    text.textContent = question;
    text.id = "ask";
    dialog.setAttribute("aria-labelledby", "ask");
    const form = document.createElement("form");
    form.method = "dialog";
    form.className = "actions";
    const no = Object.assign(document.createElement("button"), { className: "button", value: "", textContent: document.body.dataset.cancel });
    const ok = Object.assign(document.createElement("button"), { className: "button primary", value: "yes", textContent: yes });
    form.append(no, ok);
    dialog.append(text, form);
    document.body.append(dialog);
    dialog.addEventListener("close", () => { dialog.remove(); resolve(dialog.returnValue === "yes"); });
    dialog.showModal();
  });
}

/** Open the command palette or the help on keys; both are loaded when they are wanted. */
async function open(what) {
  if (!document.querySelector("[data-palette]")) return; // nobody is signed in
  const page = await import("./palette.js");
  page[what]();
}
keys(open);

// The browser's own zone, for those who want times in it; told once, by a cookie that only pages see.
const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
if (zone) document.cookie = `gitdeploy_zone=${encodeURIComponent(zone)}; path=${new URL(base).pathname.replace(/\/$/, "")}; max-age=31536000; samesite=lax`;

if (document.querySelector('[data-live=""]')) live(`${base}${app || "-"}/events`, document.body.dataset.after);
