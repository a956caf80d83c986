// A deployment's log as it comes, and a zip that is sent with its progress shown.
import { live, refresh } from "./live.js";
import { app, base } from "./app.js";

const MOST = 5000; // lines that a page keeps; all of them are in the log as text
const OFTEN = 400, LATER = 3000; // ms between two looks at the page, and before a refused stream is asked again
const box = document.getElementById("dlog");
if (box) follow(box);
for (const form of document.querySelectorAll("form[data-send]")) send(form);

/** Append what comes, keep to the end only who is there already. The log's stream is the tab's one
 * connection while it is open; when the log is whole the app's events take its place. */
function follow(box) {
  const list = box.querySelector("ol"), state = document.getElementById("state");
  const newest = document.querySelector("[data-newest]"), lost = document.getElementById("connection");
  const atEnd = () => box.scrollHeight - box.scrollTop - box.clientHeight < 40;
  const toEnd = () => { box.scrollTop = box.scrollHeight; };
  newest.addEventListener("click", () => { toEnd(); box.focus(); });
  box.addEventListener("scroll", () => { newest.hidden = atEnd(); }, { passive: true });
  // The address leads to the line that was clicked; the log stays where it is.
  const mark = (line) => { list.querySelector(".at")?.classList.remove("at"); line?.classList.add("at"); };
  const asked = /^#L[\d.]+$/.test(location.hash) && document.getElementById(location.hash.slice(1));
  list.addEventListener("click", ({ target }) => {
    if (!target.id || !getSelection().isCollapsed) return;
    history.replaceState(null, "", `#${target.id}`);
    mark(target);
  });
  if (asked) mark(asked); else toEnd();
  newest.hidden = atEnd();

  let address = box.dataset.stream, source, timer = 0, hurried = false;
  // Another attempt has a log of its own.
  const attempt = state.dataset.attempt;
  new MutationObserver(() => { if (!address && state.dataset.attempt !== attempt) location.reload(); })
    .observe(state, { attributes: true, attributeFilter: ["data-attempt"] });
  if (!address) return;

  function again() {
    timer ||= setTimeout(() => { timer = 0; if (address) refresh(); }, OFTEN);
  }

  /** Nothing more comes: from here on the page follows the app, as others do. */
  function over(next) {
    source.close();
    address = "";
    lost.hidden = true;
    if (next) { location.replace(`${base}${app}/deployments/${encodeURIComponent(next)}/`); return; }
    live(`${base}${app}/events`);
    refresh();
  }

  function append({ lines, tone }, id) {
    const stay = !atEnd();
    lines.forEach((text, index) => {
      const line = document.createElement("li");
      line.textContent = text;
      if (tone) line.className = tone;
      line.id = index ? `L${id}.${index + 1}` : `L${id}`;
      list.append(line);
    });
    if (stay) { newest.hidden = false; return; }
    // no line is taken away from under somebody who reads or marks it
    if (getSelection().isCollapsed) while (list.childElementCount > MOST) list.firstElementChild.remove();
    toEnd();
  }

  function connect() {
    source?.close();
    let opened = false, heard = false;
    const own = source = new EventSource(address);
    own.onopen = () => {
      opened = true;
      heard = false;
      lost.hidden = true;
      again(); // a state is written down shortly behind its record
    };
    own.onmessage = ({ data, lastEventId }) => {
      const record = JSON.parse(data), next = new URL(address);
      heard = true;
      next.searchParams.set("after", lastEventId);
      address = next.href; // where a connection of our own goes on; the browser's has Last-Event-ID
      append(record, lastEventId);
      if (record.end) over(record.moved); else if (record.turn) again();
    };
    own.onerror = async () => {
      const nothing = opened && !heard;
      opened = false;
      lost.hidden = false;
      const there = await refresh();
      if (!address || source !== own) return;
      if (there === false) { signIn(); return; }
      const ended = "ended" in state.dataset;
      if (nothing && ended) over(); // its end was never written down
      else if (ended && !hurried && !opened) { hurried = true; connect(); } // for the rest of it
      else if (own.readyState === EventSource.CLOSED) setTimeout(() => { if (address && source === own) connect(); }, LATER);
    };
  }

  /** The session has ended: the link asks to sign in and comes back. */
  function signIn() {
    source.close();
    const link = Object.assign(document.createElement("a"), { href: location.href, textContent: lost.dataset.signIn });
    lost.replaceChildren(`${lost.dataset.ended} `, link);
  }

  addEventListener("pagehide", () => source.close());
  addEventListener("pageshow", ({ persisted }) => { if (persisted && address) connect(); });
  connect();
}

/** Send a form with its file and show how far it is. */
function send(form) {
  const file = form.querySelector("input[type=file]"), wrong = form.querySelector(".wrong");
  const bar = form.querySelector("progress"), percent = form.querySelector("[data-percent]"), button = form.querySelector("button");
  const drop = form.querySelector(".drop");

  function refuse(text) {
    wrong.textContent = text;
    if (text) file.setAttribute("aria-invalid", "true"); else file.removeAttribute("aria-invalid");
    bar.hidden = true;
    percent.textContent = "";
    button.disabled = false;
  }

  const tooLarge = () => (file.files[0]?.size > Number(form.dataset.limit) ? form.dataset.tooLarge : "");
  file.addEventListener("change", () => refuse(tooLarge()));
  for (const name of ["dragover", "dragleave", "drop"]) drop.addEventListener(name, (event) => {
    event.preventDefault();
    drop.classList.toggle("over", name === "dragover");
    if (name === "drop" && event.dataTransfer.files.length) { file.files = event.dataTransfer.files; refuse(tooLarge()); }
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const refused = tooLarge();
    if (refused) { refuse(refused); file.focus(); return; }
    const request = new XMLHttpRequest();
    request.open("POST", form.action);
    request.setRequestHeader("Accept", "application/json");
    request.responseType = "json";
    request.upload.onprogress = ({ loaded, total }) => {
      bar.value = (loaded / total) * 100;
      percent.textContent = `${Math.floor((loaded / total) * 100)} %`;
    };
    request.onload = () => {
      if (request.response?.location) location.assign(request.response.location);
      else { refuse(request.response?.wrong || request.response?.detail || form.dataset.lost); file.focus(); }
    };
    request.onerror = () => refuse(form.dataset.lost);
    const body = new FormData(form);
    refuse("");
    bar.hidden = false;
    bar.value = 0;
    button.disabled = true;
    request.send(body);
  });
}
