// The output of all jobs as it comes. Lines are only ever appended, as text. It follows until the reader
// scrolls up, and again from the bottom on; what then no longer fits waits, so that nothing moves under a
// reader's eyes. One stream a tab; after a loss it goes on behind the last line that came.
import { refresh } from "./live.js";

const MOST = 5000; // lines in the page, and as many that wait
const SAID = 8000; // ms between two things that are said to a screen reader
const RETRY = 2000, SLOWEST = 30_000; // ms
const UP = new Set(["ArrowUp", "PageUp", "Home"]);

const root = document.getElementById("output");
const part = Object.fromEntries([...root.querySelectorAll("[data-part]")].map((one) => [one.dataset.part, one]));
const words = Object.fromEntries([...part.words.content.querySelectorAll("[data-key]")].map((one) => [one.dataset.key, one.textContent]));
const { body, lines, pill } = part;
const banner = document.getElementById("connection");
const number = new Intl.NumberFormat(document.documentElement.lang);

let source, retry = 0, failures = 0, place = root.dataset.place;
let follow = true, unread = 0, unsaid = 0, shown = lines.querySelectorAll(".l").length, at = 0, due = 0;
let waiting = [], left = 0; // what has come and isn't in the page; how many lines in front of it were dropped
let day = [...lines.querySelectorAll(".day")].at(-1)?.textContent ?? "", address = [...lines.querySelectorAll(".who")].at(-1)?.href;

const count = (n) => words[n === 1 ? "new.one" : "new.other"].replace("{n}", number.format(n));

function element(name, className, text = "") {
  const made = document.createElement(name);
  made.className = className;
  made.textContent = text;
  return made;
}

/** A line's element, in front of it the day where it is the first one of it. */
function rows({ block, line }) {
  const made = [];
  if (block.day > day) { day = block.day; address = ""; made.push(element("p", "day", day)); }
  const row = element("div", block.stderr ? "l e" : "l"), time = element("time", "", block.at), who = element("a", "who", block.job), text = element("span", "t");
  time.dateTime = block.iso;
  who.href = block.address;
  if (block.address === address) who.tabIndex = -1; // the first of several leads there by keyboard
  address = block.address;
  if (block.stderr) text.append(element("span", "visually-hidden", "stderr "));
  if (typeof line === "string") text.append(line);
  else for (const [piece, classes] of line) text.append(classes ? element("span", classes, piece) : piece);
  row.append(time, who, text);
  made.push(row);
  return made;
}

/** Bring what waits into the page: all of it while it is followed, else only what there is room for, and
 * nothing behind lines that were left out. */
function draw() {
  due = 0;
  const taken = waiting.splice(0, follow ? waiting.length : left ? 0 : Math.max(0, MOST - shown));
  if (follow && left) {
    lines.append(element("p", "gap", words.gap.replace("{n}", number.format(left))));
    left = 0;
  }
  if (taken.length) {
    lines.querySelector(".empty")?.remove();
    lines.append(...taken.flatMap(rows));
    shown += taken.length;
  }
  if (follow) {
    for (let first = lines.firstElementChild; shown > MOST; first = lines.firstElementChild) {
      if (first.classList.contains("l")) shown--;
      first.remove();
    }
    toEnd();
  }
  press();
}

function later() { due ||= setTimeout(draw, document.hidden ? 1000 : 50); }

function came(event) {
  place = event.lastEventId || place;
  for (const block of JSON.parse(event.data)) for (const line of block.x) {
    waiting.push({ block, line });
    unsaid++;
    if (!follow) unread++;
  }
  if (waiting.length > MOST && !follow) draw();
  const over = waiting.length - MOST;
  if (over > 0) { waiting.splice(0, over); left += over; }
  later();
}

function toEnd() { body.scrollTop = body.scrollHeight; at = body.scrollTop; }

function press() {
  part.follow.setAttribute("aria-pressed", String(follow));
  pill.hidden = follow || !unread;
  if (!pill.hidden) pill.textContent = count(unread);
}

function setFollow(on) {
  follow = on;
  if (on) { unread = 0; draw(); } else press();
}

function bottom() { return body.scrollHeight - body.scrollTop - body.clientHeight < 8; }

function state(name) {
  part.dot.dataset.state = name;
  part.state.textContent = words[name];
  banner.hidden = name === "live";
}

function connect() {
  clearTimeout(retry);
  source?.close();
  const query = root.dataset.source.includes("?") ? "&" : "?";
  source = new EventSource(`${root.dataset.source}${query}after=${encodeURIComponent(place)}`);
  source.onopen = () => { failures = 0; state("live"); };
  source.onmessage = came;
  source.onerror = () => {
    state("lost");
    // A browser gives up where the answer isn't a stream: a proxy's 502, or the sign-in page.
    if (source.readyState !== EventSource.CLOSED) return;
    retry = setTimeout(connect, Math.min(SLOWEST, RETRY * 2 ** failures++));
    refresh().then((there) => { if (!there) ended(); });
  };
}

/** The session has ended: say so; the link loads the page, which asks to sign in and comes back. */
function ended() {
  clearTimeout(retry);
  const link = Object.assign(document.createElement("a"), { href: location.href, textContent: banner.dataset.signIn });
  banner.replaceChildren(`${banner.dataset.ended} `, link);
}

// Only who scrolls up pauses: a window that shrinks or lines that come don't.
body.addEventListener("scroll", () => {
  const up = body.scrollTop < at - 1;
  at = body.scrollTop;
  if (follow && up && !bottom()) setFollow(false);
  else if (!follow && !up && bottom()) setFollow(true);
}, { passive: true });
const pause = () => { if (follow && body.scrollTop > 0) setFollow(false); }; // before lines that come scroll back
body.addEventListener("wheel", (event) => { if (event.deltaY < 0) pause(); }, { passive: true });
body.addEventListener("keydown", (event) => { if (UP.has(event.key)) pause(); });
part.follow.addEventListener("click", () => setFollow(!follow));
pill.addEventListener("click", () => { setFollow(true); body.focus({ preventScroll: true }); });
new ResizeObserver(() => { if (follow) toEnd(); }).observe(body);
setInterval(() => {
  if (!unsaid || document.hidden) return;
  part.say.textContent = count(unsaid);
  unsaid = 0;
}, SAID);
addEventListener("pagehide", () => { clearTimeout(retry); source?.close(); });
addEventListener("pageshow", (event) => { if (event.persisted) connect(); });

toEnd();
connect();
