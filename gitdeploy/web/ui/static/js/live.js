// Keeps a page true: one stream of events a tab; on an event the page is asked for again and the parts
// of it that are marked with data-live are taken over. The server renders, so there is one way to show
// anything. An XMLHttpRequest parses a document without a sink that Trusted Types would guard.

const QUIET = 300; // ms: what comes in a burst is shown once
const SLOWEST = 2000; // ms: but never later than this

/** Follow a stream of events, from `after` on, which is where it ended when the page was made: what
 * happened meanwhile is shown too. Keeps the page's live parts true. */
export function live(address, after = "") {
  const lost = document.getElementById("connection");
  let timer = 0, since = 0, source, missed = false, last = after, retry = 0, failures = 0;

  function changed() {
    const now = performance.now();
    if (!since) since = now;
    clearTimeout(timer);
    timer = setTimeout(again, now - since > SLOWEST ? 0 : QUIET);
  }

  async function again() {
    since = 0;
    if (document.hidden) { missed = true; return; }
    await refresh();
  }

  function connect() {
    clearTimeout(retry);
    source?.close();
    source = new EventSource(last ? `${address}?after=${encodeURIComponent(last)}` : address);
    source.onopen = () => { failures = 0; if (!lost.hidden) { lost.hidden = true; changed(); } };
    source.onmessage = (event) => { last = event.lastEventId || last; changed(); };
    source.onerror = () => {
      if (lost.hidden) { lost.hidden = false; lost.textContent = lost.dataset.lost; }
      // A browser gives up where the answer isn't a stream: a proxy's 502, or the sign-in page.
      if (source.readyState !== EventSource.CLOSED) return;
      retry = setTimeout(connect, Math.min(30_000, 2000 * 2 ** failures++));
      refresh().then((there) => { if (!there) ended(); });
    };
  }

  /** The session has ended: say so; the link loads the page, which asks to sign in and comes back. */
  function ended() {
    clearTimeout(retry);
    const link = Object.assign(document.createElement("a"), { href: location.href, textContent: lost.dataset.signIn });
    lost.replaceChildren(`${lost.dataset.ended} `, link);
  }

  document.addEventListener("visibilitychange", () => { if (!document.hidden && missed) { missed = false; changed(); } });
  addEventListener("pagehide", () => { clearTimeout(retry); source?.close(); });
  addEventListener("pageshow", (event) => { if (event.persisted) { connect(); changed(); } });
  connect();
}

/** Ask for this page again and take its live parts over; false where it leads to the sign-in page. */
export function refresh() {
  return new Promise((resolve) => {
    const request = new XMLHttpRequest();
    request.open("GET", location.href);
    request.responseType = "document";
    request.setRequestHeader("Accept", "text/html");
    request.onloadend = () => {
      const there = !request.responseURL.includes("/ui/sign-in");
      const page = there && request.status === 200 ? request.responseXML : null;
      if (page) renew(page);
      resolve(there);
    };
    request.send();
  });
}

/** Take over the live parts of a fresh page. What had the focus keeps it; where it is gone, what is
 * nearest to its place gets it. */
function renew(page) {
  const focus = document.activeElement, above = [];
  for (let at = focus?.parentElement; at; at = at.parentElement) above.push(at);
  for (const old of document.querySelectorAll("[data-live]")) {
    const fresh = old.id && page.getElementById(old.id);
    if (fresh) adopt(old, fresh);
  }
  if (!focus || document.activeElement === focus) return;
  if (focus.isConnected) { focus.focus({ preventScroll: true }); if (document.activeElement === focus) return; }
  for (const place of above) {
    if (!place.isConnected) continue;
    const near = place.matches("main") ? place : place.querySelector("a[href], button:not(:disabled), summary");
    if (near) { near.focus({ preventScroll: true }); return; }
  }
}

/** Put a node before another; a browser that can keeps the focus and all else that it has. */
function move(parent, node, before) {
  if (parent.moveBefore && node.isConnected) parent.moveBefore(node, before); else parent.insertBefore(node, before);
}

/** Make one element the same as another, keeping every node that is the same already: focus,
 * selection, open menus and what is being typed survive. */
export function adopt(old, fresh) {
  if (old.isEqualNode(fresh)) return;
  if (old.nodeName !== fresh.nodeName || old.id !== fresh.id) { old.replaceWith(document.importNode(fresh, true)); return; }
  if (old.nodeType === Node.TEXT_NODE) { old.data = fresh.data; return; }
  if (old.nodeType !== Node.ELEMENT_NODE) return;
  for (const { name } of [...old.attributes]) if (!fresh.hasAttribute(name) && name !== "open") old.removeAttribute(name);
  for (const { name, value } of fresh.attributes) if (old.getAttribute(name) !== value && name !== "open") old.setAttribute(name, value);
  if (old.matches("input, textarea, select")) return;
  const keyed = new Map();
  for (const child of old.children) if (child.id) keyed.set(child.id, child);
  let at = old.firstChild;
  const coming = [...fresh.childNodes];
  for (const [place, next] of coming.entries()) {
    const known = next.id && keyed.get(next.id);
    if (known && known !== at) { move(old, known, at); adopt(known, next); continue; }
    if (!at || (!known && at.id && keyed.has(at.id) && next.id !== at.id)) { old.insertBefore(document.importNode(next, true), at); continue; }
    if (at.nodeName !== next.nodeName && !at.id && !next.id) { // something came in between, or went
      let same = at.nextSibling;
      while (same && (same.nodeName !== next.nodeName || same.id)) same = same.nextSibling;
      if (!same || coming.slice(place + 1).some((one) => one.nodeName === at.nodeName)) { old.insertBefore(document.importNode(next, true), at); continue; }
      while (at !== same) { const gone = at; at = at.nextSibling; gone.remove(); }
    }
    const following = at.nextSibling;
    adopt(at, next);
    at = following;
  }
  while (at) { const following = at.nextSibling; at.remove(); at = following; }
}
