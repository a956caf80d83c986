// What the viewer knows of a log's lines. They are asked for by pages of so many lines; the ones that
// weren't looked at for longest are forgotten first, so a log of gigabytes costs what is seen of it.

export const PAGE = 500;
const ASKED = 2000; // lines of one request
const KEPT = 400; // pages: 200,000 lines
const LONGEST = 10_000; // characters of a line that are shown

export class Lines {
  begin = 0;
  end = 0;
  cursor = "";
  #source; #pages = new Map(); #asked = new Map(); #carried = "";

  constructor(source) { this.#source = source; }

  /** The line of a number (from 0): text, stderr, µs; undefined where it has to be asked for. */
  get(number) { return this.#pages.get(Math.floor(number / PAGE))?.[number % PAGE]; }

  /** The newest lines: tells where the log begins and ends, and the cursor behind it. */
  async tail() {
    const part = await this.#fetch({ limit: PAGE });
    this.#window(part);
    this.cursor = part.after;
  }

  /** Ask for what is missing between two numbers; resolves when it is there. */
  need(first, stop) {
    const waits = new Set();
    for (let at = Math.max(first, this.begin); at < Math.min(stop, this.end); at++) {
      const page = Math.floor(at / PAGE);
      if (this.get(at)) { this.#use(page); continue; }
      if (!this.#asked.has(page)) this.#ask(at);
      waits.add(this.#asked.get(page));
    }
    return Promise.all(waits);
  }

  /** Take lines that came; returns those that weren't known, as [number, line]. */
  came(blocks) {
    const from = this.end, found = [];
    this.#carried = this.#put(blocks, this.#carried);
    for (let at = from; at < this.end; at++) { const line = this.get(at); if (line) found.push([at, line]); }
    return found;
  }

  /** How many lines are wanted, and the numbers of the first 100,000. */
  search(wanted) { return this.#fetch(wanted); }

  /** The texts of wanted lines from a number on. */
  async chosen(wanted, from, limit) {
    const part = await this.#fetch({ ...wanted, from, limit });
    this.#put(part.blocks, "");
  }

  #ask(at) {
    const wait = this.#fetch({ from: at, limit: ASKED }).then((part) => {
      this.#window(part);
      if (!this.get(at)) this.#keep(at, { text: "", stderr: false, time: 0 }); // never asked for again
    }).finally(() => { for (const [page, one] of this.#asked) if (one === wait) this.#asked.delete(page); });
    for (let page = Math.floor(at / PAGE); page * PAGE < at + ASKED; page++) if (!this.#asked.has(page)) this.#asked.set(page, wait);
  }

  async #fetch(query) {
    const asked = new URLSearchParams(Object.entries(query).filter(([, value]) => value !== "" && value !== false));
    const response = await fetch(`${this.#source}?${asked}`, { headers: { Accept: "application/json" } });
    if (!response.ok || response.redirected) throw new Error(String(response.status));
    return response.json();
  }

  #window(part) {
    this.begin = part.begin;
    this.end = Math.max(this.end, part.end);
    const left = this.#put(part.blocks, "");
    if (left) this.#keep(part.blocks.at(-1).n, { text: left, more: true, stderr: part.blocks.at(-1).s === 1, time: part.blocks.at(-1).t });
  }

  /** Keep the lines of blocks; `carried` is the line's part in front of them, so is what is returned. */
  #put(blocks, carried) {
    for (const { n, t, x, s = 0, c = false } of blocks) {
      if (c) { carried = (carried + x[0]).slice(0, LONGEST + 1); continue; }
      x.forEach((text, place) => {
        const whole = carried + text;
        carried = "";
        this.#keep(n + place, { text: whole.slice(0, LONGEST), more: whole.length > LONGEST, stderr: s === 1, time: t });
      });
    }
    return carried;
  }

  #keep(number, line) {
    const page = Math.floor(number / PAGE);
    const lines = this.#pages.get(page) ?? this.#use(page, []);
    lines[number % PAGE] ??= line;
    if (number >= this.end) this.end = number + 1;
  }

  #use(page, lines = this.#pages.get(page)) {
    this.#pages.delete(page);
    this.#pages.set(page, lines);
    if (this.#pages.size > KEPT) this.#pages.delete(this.#pages.keys().next().value);
    return lines;
  }
}
