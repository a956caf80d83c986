// The form of a job: its name looked at while typing, a file dropped and sent with a progress bar,
// its schedule shown by the server as it would run. Without this the form works as well.
import { adopt } from "./live.js";

const form = document.getElementById("job-form");
const file = document.getElementById("file");
const drop = document.getElementById("drop");
const say = form.dataset;
const SLOW = 250; // ms without typing before the server is asked

function wrong(place, name, text) {
  const box = document.getElementById(place);
  const field = document.getElementById(name);
  box.replaceChildren();
  const others = (field.getAttribute("aria-describedby") || "").split(" ").filter((id) => id && id !== `${name}-wrong`);
  if (text) {
    const line = Object.assign(document.createElement("p"), { className: "wrong", id: `${name}-wrong`, textContent: text });
    box.append(line);
    others.push(line.id);
    field.setAttribute("aria-invalid", "true");
  } else field.removeAttribute("aria-invalid");
  field.setAttribute("aria-describedby", others.join(" "));
}

// The name
const name = document.getElementById("name");
function checkName() {
  if (!name) return;
  const good = /^[A-Za-z0-9][A-Za-z0-9_-]*$/.test(name.value);
  wrong("name-said", "name", name.value && !good ? say.nameWrong : "");
  const kind = form.elements.how.value === "continuous" ? "continuous" : "triggered";
  form.querySelector("[data-place]").textContent = `App_Data/jobs/${kind}/`;
  form.querySelector("[data-name]").textContent = name.value;
}
name?.addEventListener("input", checkName);
form.addEventListener("change", checkName);
checkName();

// The file
const size = (bytes) => bytes < 1000 ? `${bytes} B` : bytes < 1e6 ? `${(bytes / 1e3).toFixed(1)} kB` : `${(bytes / 1e6).toFixed(1)} MB`;
const tooLarge = () => file.files.length > 0 && file.files[0].size > Number(say.limit);

/** The names of a zip's files, from the directory at its end (APPNOTE 4.3.12 and 4.3.16). */
async function namesIn(zip) {
  const tail = new DataView(await zip.slice(Math.max(0, zip.size - 66_000)).arrayBuffer());
  let at = tail.byteLength - 22;
  while (at >= 0 && tail.getUint32(at, true) !== 0x06054b50) at -= 1;
  if (at < 0) return null;
  const length = tail.getUint32(at + 12, true), start = tail.getUint32(at + 16, true);
  if (length > 8e6 || start + length > zip.size) return null;
  const bytes = await zip.slice(start, start + length).arrayBuffer();
  const view = new DataView(bytes), names = [];
  for (let here = 0; here + 46 <= view.byteLength && view.getUint32(here, true) === 0x02014b50;) {
    const count = view.getUint16(here + 28, true);
    names.push(new TextDecoder().decode(new Uint8Array(bytes, here + 46, count)));
    here += 46 + count + view.getUint16(here + 30, true) + view.getUint16(here + 32, true);
  }
  return names.filter((each) => !each.endsWith("/"));
}

/** The file that would run, as the server chooses it among plain files. */
function scriptOf(names) {
  const top = names.length && names.every((each) => each.split("/")[0] === names[0].split("/")[0] && each.includes("/")) ? `${names[0].split("/")[0]}/` : "";
  const files = names.map((each) => each.slice(top.length)).filter((each) => !each.includes("/")).sort();
  const endings = say.scripts.split(" ");
  return endings.map((ending) => files.find((each) => each.toLowerCase() === `run${ending}`)).find(Boolean)
    || files.find((each) => each === "run")
    || endings.map((ending) => files.find((each) => each.toLowerCase().endsWith(ending))).find(Boolean);
}

async function show() {
  const chosen = file.files[0], line = document.getElementById("chosen");
  line.replaceChildren();
  wrong("file-said", "file", tooLarge() ? say.tooLarge : "");
  if (!chosen) return;
  const bold = Object.assign(document.createElement("b"), { textContent: chosen.name });
  line.append(bold, ` · ${size(chosen.size)}`);
  if (!chosen.name.toLowerCase().endsWith(".zip")) return;
  const names = await namesIn(chosen).catch(() => null);
  if (!names || chosen !== file.files[0]) return;
  const script = scriptOf(names);
  line.append(` · ${say.files.replace("#", names.length)} — `);
  if (script) line.append(say.runs, " ", Object.assign(document.createElement("code"), { textContent: script }));
  else line.append(say.noScript);
}
file.addEventListener("change", show);
for (const kind of ["dragenter", "dragover"]) drop.addEventListener(kind, (event) => { event.preventDefault(); drop.classList.add("over"); });
for (const kind of ["dragleave", "drop"]) drop.addEventListener(kind, () => drop.classList.remove("over"));
drop.addEventListener("drop", (event) => {
  event.preventDefault();
  if (!event.dataTransfer.files.length) return;
  const one = new DataTransfer();
  one.items.add(event.dataTransfer.files[0]);
  file.files = one.files;
  show();
});

// The preview
let timer = 0, asked = null;
function look() {
  asked?.abort();
  const fields = new URLSearchParams();
  for (const [key, value] of new FormData(form)) {
    if (typeof value === "string" && !/_(password|token|body)$/.test(key) || key === "form_token") fields.append(key, value);
  }
  fields.append("do", "preview");
  asked = new XMLHttpRequest();
  asked.open("POST", form.action);
  asked.responseType = "document";
  asked.setRequestHeader("Accept", "text/html");
  asked.onload = ({ target }) => {
    const fresh = target.responseXML?.getElementById("preview");
    if (target.status === 200 && fresh) adopt(document.getElementById("preview"), fresh);
  };
  asked.send(fields);
}
function later() { clearTimeout(timer); timer = setTimeout(look, SLOW); }
form.addEventListener("input", later);
document.getElementById("look").addEventListener("click", (event) => { event.preventDefault(); look(); });
if (form.elements.how.value === "schedule") look();

// The time zones, once somebody wants to choose one
document.getElementById("timezone").addEventListener("focus", () => {
  const request = new XMLHttpRequest();
  request.open("GET", say.zones);
  request.responseType = "document";
  request.onload = () => {
    const fresh = request.responseXML?.getElementById("zones");
    if (fresh) document.getElementById("zones").replaceChildren(...document.importNode(fresh, true).childNodes);
  };
  request.send();
}, { once: true });

// Sending
const bar = document.querySelector("#sending progress"), told = document.getElementById("sent");
form.addEventListener("submit", (event) => {
  if (event.submitter?.id === "look") return;
  event.preventDefault();
  const withFile = form.elements.how.value !== "http" && file.files.length > 0;
  if (withFile && tooLarge()) { wrong("file-said", "file", say.tooLarge); file.focus(); return; }
  send(withFile);
});

function send(withFile) {
  const save = document.getElementById("save"), box = document.getElementById("sending");
  const body = new FormData(form);
  if (!withFile) body.delete("file");
  const request = new XMLHttpRequest();
  request.open("POST", form.action);
  request.responseType = "document";
  request.setRequestHeader("Accept", "text/html");
  request.setRequestHeader("Prefer", "return=minimal");
  box.hidden = !withFile;
  save.disabled = true;
  bar.value = 0;
  told.textContent = say.sending;
  document.getElementById("stop-sending").onclick = () => request.abort();
  request.upload.onprogress = ({ loaded, total }) => { if (total) bar.value = 100 * loaded / total; };
  request.upload.onload = () => { bar.removeAttribute("value"); told.textContent = say.checking; };
  request.onabort = () => { box.hidden = true; save.disabled = false; };
  request.onerror = () => { request.onabort(); failed(say.broken); };
  request.onload = () => {
    const address = request.getResponseHeader("Location");
    if (request.status === 201 && address) { location.assign(address); return; }
    request.onabort();
    const page = request.responseXML, fresh = page?.getElementById("job-form");
    if (fresh) again(fresh); else failed(page?.querySelector("main p")?.textContent || say.broken);
  };
  request.send(body);
}

/** Take over what the server says is wrong; what was typed and chosen stays. */
function again(fresh) {
  for (const old of form.querySelectorAll(".wrong")) old.remove();
  for (const old of form.querySelectorAll("[aria-invalid]")) old.removeAttribute("aria-invalid");
  adopt(document.getElementById("job-errors"), fresh.querySelector("#job-errors"));
  for (const line of fresh.querySelectorAll(".wrong[id$='-wrong']")) {
    const id = line.id.slice(0, -"-wrong".length), field = document.getElementById(id);
    if (!field) continue;
    field.setAttribute("aria-invalid", "true");
    field.setAttribute("aria-describedby", fresh.querySelector(`#${CSS.escape(id)}`)?.getAttribute("aria-describedby") || line.id);
    const box = document.getElementById(`${id}-said`) || field.closest(".field") || field.parentElement;
    box.append(document.importNode(line, true));
    field.closest("details")?.setAttribute("open", "");
  }
  const first = form.querySelector("input[aria-invalid], textarea[aria-invalid], fieldset[aria-invalid] input");
  (first || document.querySelector("#job-errors [role=alert]"))?.focus();
}

function failed(text) {
  const note = document.createElement("div");
  note.className = "note bad";
  note.setAttribute("role", "alert");
  note.append(Object.assign(document.createElement("p"), { textContent: text }));
  document.getElementById("job-errors").replaceChildren(note);
}
