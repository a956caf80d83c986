// The log viewer: follows what comes without fighting the reader, finds every match, shows one stream or
// only what matches, and leads to a line by its address. What it shows is text nodes, never markup.
import { refresh } from "./live.js";
import { Finder } from "./log/finder.js";
import { Lines } from "./log/lines.js";
import { drawRuler, rowOf } from "./log/row.js";
import { Rows } from "./log/rows.js";

const MOST = 500_000; // rows at once: browsers stop at heights of some 17 million pixels
const SAID = 8000; // ms between two things that are said to a screen reader
const RETRY = 2000;
const LOOKED = 10_000; // ms between two looks at the rest of the page while the log is live
const PRINTED = 5000; // lines that are fetched for printing
const UP = new Set(["ArrowUp", "PageUp", "Home"]);

customElements.define("log-view", class extends HTMLElement {
  #lines; #rows; #finder; #parts; #words = {}; #source; #cursor = ""; #run = "";
  #low = 0; #chosen = null; #asking = false; // rows are numbers from #low on, or these numbers
  #follow = false; #live = false; #wrap = false; #times = false; #at = -1; #fresh = 0; #drawn = 0; #said = 0; #going = 0;
  #clock;

  async connectedCallback() {
    this.#parts = Object.fromEntries([...this.querySelectorAll("[data-part]")].map((one) => [one.dataset.part, one]));
    for (const word of this.#parts.words.content.querySelectorAll("[data-key]")) this.#words[word.dataset.key] = word.textContent;
    this.#lines = new Lines(this.dataset.source);
    this.#finder = new Finder(this.#lines);
    this.#live = this.hasAttribute("data-follow");
    try {
      await this.#lines.tail();
    } catch {
      this.#state("lost");
      setTimeout(() => this.connectedCallback(), RETRY);
      return;
    }
    this.#cursor = this.#lines.cursor;
    this.#wrap = (localStorage.getItem("log-wrap") ?? String(innerWidth <= 860)) === "true";
    this.#times = localStorage.getItem("log-times") === "true";
    const { body, lines } = this.#parts;
    this.#rows = new Rows(body, lines, (index) => this.#row(this.#number(index)));
    this.#listen();
    const query = new URLSearchParams(location.search);
    const asked = /^#L(\d+)$/.exec(location.hash)?.[1] ?? query.get("line");
    this.#finder.stream = ["stdout", "stderr"].find((one) => one === query.get("stream")) ?? "";
    this.#finder.only = query.has("only");
    this.#parts.find.value = this.#finder.text = query.get("find") ?? "";
    this.#follow = this.#live && !asked;
    this.#press();
    this.#view(asked ? asked - 1 : this.#lines.end);
    if (asked) {
      this.#mark(asked - 1);
      await this.#reach(Math.min(asked, this.#lines.end) - 1);
    } else {
      this.#rows.toEnd();
      this.#draw();
    }
    if (this.#parts.find.value || this.#finder.stream) this.#look(!asked);
    if (this.#live) this.#connect(); else this.#state("ended");
    this.#finder.findMarks().then(() => this.#draw());
    const { begin, end } = this.#lines; // so that printing gives all of a log that isn't long
    if (end - begin <= PRINTED) this.#lines.need(begin, end).catch(() => {});
  }

  disconnectedCallback() { this.#source?.close(); this.#live = false; }

  // ---- what is shown

  #number(index) { return this.#chosen ? this.#chosen[index] : this.#low + index; }

  #index(number) {
    if (!this.#chosen) return number - this.#low;
    let low = 0, high = this.#chosen.length;
    while (low < high) { const middle = (low + high) >> 1; if (this.#chosen[middle] < number) low = middle + 1; else high = middle; }
    return low;
  }

  /** Show all lines, or those chosen, so that the one of a number is among them. */
  #view(number) {
    const { begin, end } = this.#lines;
    this.#low = Math.max(begin, Math.min(number - MOST / 2, end - MOST));
    this.#rows.reset(this.#chosen ? this.#chosen.length : Math.min(end - this.#low, MOST));
    this.#parts.empty?.toggleAttribute("hidden", true);
    const none = !this.#rows.length;
    if (none) {
      const text = this.#chosen ? this.#words.none : this.#words[this.#live ? "waiting" : "empty"];
      this.#parts.lines.append(Object.assign(document.createElement("p"), { className: "empty", textContent: text }));
    }
    this.#stateTotal();
  }

  #row(number) {
    const line = this.#lines.get(number);
    return line && rowOf(number, line, {
      find: this.#finder.text,
      dark: this.#dark,
      time: this.#times ? this.#time(line.time / 1000) : "",
      marked: number === this.#at,
      current: number === this.#finder.hit,
    });
  }

  get #dark() {
    const { theme } = document.documentElement.dataset;
    return theme === "dark" || theme !== "light" && matchMedia("(prefers-color-scheme: dark)").matches;
  }

  #time(milliseconds) {
    const { zone, offset } = this.dataset;
    if (!zone) return new Date(milliseconds + offset * 60_000).toISOString().slice(11, 23);
    this.#clock ??= new Intl.DateTimeFormat("en-GB", { timeZone: zone, hour: "2-digit", minute: "2-digit", second: "2-digit", fractionalSecondDigits: 3, hourCycle: "h23" });
    return this.#clock.format(milliseconds);
  }

  /** Draw at the next frame, once however often it was asked for. */
  #draw() { this.#drawn ||= requestAnimationFrame(() => { this.#drawn = 0; this.#paint(); }); }

  #paint() {
    const selecting = this.#selecting;
    if (this.#follow && !selecting) this.#rows.toEnd();
    const [first, stop] = this.#rows.draw(selecting);
    this.#rows.settle();
    this.#need(first, stop);
    const { pill } = this.#parts;
    pill.hidden = this.#follow && !selecting || !this.#fresh;
    if (!pill.hidden) pill.textContent = this.#counted("new", this.#fresh);
    this.#stateTotal();
    this.#ruler();
  }

  async #need(first, stop) {
    const from = Math.max(first, this.#rows.first() - 50), to = Math.min(stop, this.#rows.stop() + 50);
    if (from >= to) return;
    try {
      if (!this.#chosen) {
        if (this.#missing(from, to).length) { await this.#lines.need(this.#number(from), this.#number(to - 1) + 1); this.#draw(); }
        return;
      }
      const [missing] = this.#missing(from, to);
      if (missing === undefined || this.#asking) return;
      this.#asking = true;
      await this.#lines.chosen(this.#finder.wanted(), missing, 300).finally(() => { this.#asking = false; });
      if (!this.#lines.get(missing)) await this.#lines.need(missing, missing + 1);
      this.#draw();
    } catch {
      setTimeout(() => this.#draw(), RETRY);
    }
  }

  #missing(from, to) {
    const found = [];
    for (let index = from; index < to; index++) {
      const number = this.#number(index);
      if (number >= this.#lines.begin && !this.#lines.get(number)) found.push(number);
    }
    return found;
  }

  get #selecting() {
    const selection = getSelection();
    return !selection.isCollapsed && this.#parts.lines.contains(selection.anchorNode);
  }

  // ---- what comes

  #connect() {
    const address = new URL(this.dataset.source, location);
    if (this.#cursor) address.searchParams.set("after", this.#cursor);
    const source = this.#source = new EventSource(address);
    source.onopen = () => this.#state("live");
    source.onmessage = (event) => {
      this.#cursor = event.lastEventId;
      const { run, blocks } = JSON.parse(event.data);
      if (this.#run && run !== this.#run) refresh();
      this.#run = run;
      this.#came(this.#lines.came(blocks));
    };
    source.addEventListener("end", () => {
      source.close();
      if (this.#follow && !this.#selecting) this.#rows.toEnd(); // what came last isn't drawn yet
      this.#live = this.#follow = false;
      this.#press();
      this.#state("ended");
      this.#draw();
      refresh();
      this.#say(this.#words.ended);
    });
    source.onerror = () => {
      this.#state("lost");
      if (source.readyState !== EventSource.CLOSED) return;
      setTimeout(() => { if (this.#live && this.#source === source) this.#connect(); }, RETRY);
    };
    addEventListener("pagehide", () => source.close(), { once: true });
  }

  #came(found) {
    if (!found.length) return;
    const seen = this.#finder.came(found);
    if (this.#chosen) {
      for (const number of seen) this.#chosen.push(number);
      this.#rows.grow(this.#chosen.length);
    } else if (this.#follow && this.#lines.end - this.#low > MOST) {
      this.#view(this.#lines.end);
    } else {
      this.#rows.grow(Math.min(this.#lines.end - this.#low, MOST));
    }
    if (seen.length) this.#parts.lines.querySelector(":scope > .empty")?.remove();
    if (!this.#follow || this.#selecting) this.#fresh += seen.length;
    this.#counts();
    if (this.#follow && performance.now() - this.#said > SAID) this.#say(this.#counted("lines", this.#lines.end));
    this.#draw();
  }

  #state(key) {
    this.#parts.dot.dataset.state = key;
    if (this.#parts.state.textContent !== this.#words[key]) this.#parts.state.textContent = this.#words[key];
  }

  #stateTotal() {
    const { begin, end } = this.#lines;
    const text = this.#counted("lines", end);
    const whole = this.#chosen || begin ? `${text} · ${this.#chosen ? this.#counted("shown", this.#chosen.length) : this.#words.from.replace("{n}", (begin + 1).toLocaleString())}` : text;
    if (this.#parts.total.textContent !== whole) this.#parts.total.textContent = whole;
  }

  #counted(key, n) { return this.#words[`${key}.${n === 1 ? "one" : "other"}`].replace("{n}", n.toLocaleString(document.documentElement.lang)); }

  #say(text) { this.#said = performance.now(); this.#parts.say.textContent = text; }

  // ---- what is looked for

  /** Count the matches of what stands in the field, and go to the next one. */
  async #look(step = true) {
    const from = this.#number(this.#rows.first());
    this.#parts.count.textContent = this.#parts.find.value && "…";
    if (!await this.#finder.search(this.#parts.find.value)) return;
    this.#press();
    this.#address();
    await this.#choose(from);
    if (step && this.#finder.count) {
      this.#finder.stepFrom(from);
      this.#hit();
    } else {
      this.#rows.again();
      this.#draw();
    }
    this.#counts();
  }

  /** The rows that the toggles want. */
  async #choose(near) {
    ++this.#going;
    this.#chosen = await this.#finder.chosen().catch(() => []);
    this.#view(near);
    const index = Math.min(this.#rows.length - 1, this.#index(near));
    if (this.#follow) this.#rows.toEnd(); else if (index >= 0) this.#rows.show(index);
    this.#draw();
  }

  /** Show the hit that was gone to. */
  #hit() {
    if (this.#finder.hit === undefined) return;
    this.#follow = false;
    this.#press();
    this.#reach(this.#finder.hit);
    this.#counts();
  }

  /** Bring a line into sight, whether it is here yet or not. */
  async #reach(number) {
    if (!this.#chosen && (number < this.#low || number >= this.#low + this.#rows.length)) this.#view(number);
    const going = ++this.#going;
    await this.#lines.need(number - 60, number + 60).catch(() => {});
    if (going !== this.#going) return; // the reader has gone elsewhere meanwhile
    this.#rows.again();
    this.#rows.show(this.#index(number));
    this.#draw();
  }

  #counts() {
    const { text, count, current } = this.#finder;
    const said = !text ? "" : !count ? this.#words.none
      : this.#words.hits.replace("{at}", current < 0 ? "–" : (current + 1).toLocaleString()).replace("{n}", count.toLocaleString());
    if (this.#parts.count.textContent !== said) this.#parts.count.textContent = said;
  }

  #ruler() {
    const style = getComputedStyle(this.#parts.ruler), rows = Math.max(1, this.#rows.length);
    const part = (number) => (this.#chosen ? this.#index(number) : number - this.#low) / rows;
    drawRuler(this.#parts.ruler, part, [[this.#finder.marks, style.color], [this.#finder.hits, style.caretColor]]);
  }

  // ---- what the reader does

  #listen() {
    const { body, find, back, on, only, times, wrap, follow, pill, full } = this.#parts;
    const pause = () => { if (this.#follow) { this.#follow = false; this.#press(); } };
    const leave = () => { ++this.#going; pause(); };
    body.addEventListener("wheel", (event) => { if (event.deltaY < 0) leave(); }, { passive: true });
    body.addEventListener("keydown", (event) => {
      if (event.target !== body) return;
      if (UP.has(event.key)) leave();
      if (event.key === "Home" && !this.#chosen && this.#low > this.#lines.begin) { event.preventDefault(); this.#reach(this.#lines.begin); }
      if (event.key === "End") { event.preventDefault(); this.#newest(); }
    });
    body.addEventListener("scroll", () => {
      if (this.#rows.wentUp) pause();
      else if (!this.#follow && this.#live && this.#rows.atEnd && !this.#chosen && this.#low + this.#rows.length >= this.#lines.end) { this.#follow = true; this.#fresh = 0; this.#press(); }
      this.#draw();
    }, { passive: true });
    body.addEventListener("click", (event) => {
      const row = event.target.closest(".l");
      if (!row || event.clientX - row.getBoundingClientRect().left > 56 || !getSelection().isCollapsed) return;
      const number = row.dataset.n - 1;
      pause();
      if (!this.#chosen) { this.#mark(number); return; }
      this.#finder.only = false; // it is seen among its neighbours
      this.#finder.stream = "";
      this.#chosen = null;
      this.#mark(number);
      this.#view(number);
      this.#press();
      this.#reach(number);
    });
    const step = (by) => { this.#finder.step(by); this.#hit(); };
    let wait;
    find.addEventListener("input", () => { clearTimeout(wait); wait = setTimeout(() => this.#look(), 150); });
    find.addEventListener("keydown", (event) => {
      if (event.key === "Enter") { event.preventDefault(); step(event.shiftKey ? -1 : 1); }
      if (event.key === "Escape" && find.value) { event.preventDefault(); find.value = ""; this.#look(); }
    });
    on.addEventListener("click", () => step(1));
    back.addEventListener("click", () => step(-1));
    only.addEventListener("click", () => {
      const near = this.#finder.hit ?? this.#number(this.#rows.first());
      this.#finder.only = !this.#finder.only && this.#finder.text !== "";
      if (!this.#finder.text) find.focus();
      this.#press();
      this.#address();
      this.#choose(near);
    });
    for (const button of this.querySelectorAll("[data-pick]")) {
      button.addEventListener("click", () => { this.#finder.stream = button.dataset.pick === "all" ? "" : button.dataset.pick; this.#look(false); });
    }
    times.addEventListener("click", () => this.#toggle("times", this.#times = !this.#times));
    wrap.addEventListener("click", () => this.#toggle("wrap", this.#wrap = !this.#wrap));
    follow.addEventListener("click", () => { if (this.#follow) pause(); else this.#newest(); });
    pill.addEventListener("click", () => { this.#newest(); body.focus(); });
    full?.addEventListener("click", () => document.fullscreenElement ? document.exitFullscreen() : this.requestFullscreen());
    document.addEventListener("fullscreenchange", () => { this.#press(); this.#draw(); });
    document.addEventListener("selectionchange", () => { if (this.#follow) this.#draw(); });
    addEventListener("hashchange", () => {
      const asked = /^#L(\d+)$/.exec(location.hash)?.[1];
      if (asked) { pause(); this.#mark(asked - 1); this.#reach(asked - 1); }
    });
    addEventListener("beforeprint", () => this.#rows.draw(false, true));
    addEventListener("afterprint", () => this.#draw());
    new ResizeObserver(() => this.#draw()).observe(body);
    addEventListener("pageshow", (event) => { if (event.persisted && this.#live) this.#connect(); });
    setInterval(() => { if (this.#live && !document.hidden) refresh(); }, LOOKED);
  }

  #toggle(name, on) {
    localStorage.setItem(`log-${name}`, on);
    this.#press();
    this.#rows.again();
    this.#draw();
  }

  /** To the newest line, and along with those that come. */
  #newest() {
    this.#fresh = 0;
    this.#follow = this.#live;
    if (!this.#chosen && this.#low + this.#rows.length < this.#lines.end) this.#view(this.#lines.end);
    this.#rows.toEnd();
    this.#press();
    this.#draw();
  }

  /** Make a line the one that the address names. */
  #mark(number) {
    this.#parts.lines.querySelector(".at")?.classList.remove("at");
    this.#at = number;
    this.querySelector(`#L${number + 1}`)?.classList.add("at");
    this.#address();
  }

  /** The address names what is seen: the line, what is looked for, which lines are shown. */
  #address() {
    const address = new URL(location), { text, stream, only } = this.#finder;
    for (const [key, value] of Object.entries({ find: text, stream, only: only ? "1" : "", line: this.#at < 0 ? "" : String(this.#at + 1) })) {
      if (value) address.searchParams.set(key, value); else address.searchParams.delete(key);
    }
    address.hash = this.#at < 0 ? "" : `L${this.#at + 1}`;
    history.replaceState(null, "", address);
  }

  /** Show what is pressed. */
  #press() {
    const pressed = (button, on) => button?.setAttribute("aria-pressed", on);
    const { times, wrap, follow, only, full } = this.#parts;
    pressed(times, this.#times);
    pressed(wrap, this.#wrap);
    pressed(follow, this.#follow);
    pressed(only, this.#finder.only);
    pressed(full, document.fullscreenElement === this);
    follow.disabled = !this.#live;
    for (const button of this.querySelectorAll("[data-pick]")) pressed(button, (button.dataset.pick === "all" ? "" : button.dataset.pick) === this.#finder.stream);
    this.classList.toggle("wrapped", this.#wrap);
    this.classList.toggle("timed", this.#times);
  }
});
