// What is looked for in a log: a text, of one stream or of all; every match is counted by the server, and
// what comes meanwhile is counted here.
import { matches } from "./row.js";

export class Finder {
  text = "";
  stream = ""; // stdout, stderr or both
  only = false; // whether nothing but matches is shown
  hits = []; // numbers of lines, the first 100,000
  count = 0;
  current = -1; // which of the hits was gone to
  marks = []; // lines on stderr
  #lines; #turn = 0;

  constructor(lines) { this.#lines = lines; }

  /** The number of the line that was gone to. */
  get hit() { return this.hits[this.current]; }

  /** What is asked of the server for the lines that are to be seen; capitals in the text are meant. */
  wanted(only = this.only) {
    const find = only ? this.text : "";
    return { find, ignore_case: find !== "" && find === find.toLowerCase(), stream: this.stream };
  }

  /** Look for a text; false where another search has begun meanwhile. */
  async search(text) {
    const turn = ++this.#turn;
    this.text = text;
    this.hits = [];
    this.count = 0;
    this.current = -1;
    if (!text) { this.only = false; return true; }
    const found = await this.#lines.search(this.wanted(true)).catch(() => ({ count: 0, lines: [] }));
    if (turn !== this.#turn) return false;
    this.hits = [...found.lines, ...behind(this.hits, found.lines)];
    this.count = Math.max(found.count, this.hits.length);
    return true;
  }

  /** The numbers of the lines to be seen, null for all of them. */
  async chosen() {
    if (this.only) return [...this.hits];
    return this.stream ? (await this.#lines.search(this.wanted(false))).lines : null;
  }

  /** Count in what came; returns the numbers of those lines that are to be seen. */
  came(found) {
    const seen = [];
    for (const [number, line] of found) {
      if (line.stderr) this.marks.push(number);
      if (this.stream && line.stderr !== (this.stream === "stderr")) continue;
      const hit = this.text !== "" && matches(line, this.text);
      if (hit) { this.hits.push(number); this.count++; }
      if (hit || !this.only) seen.push(number);
    }
    return seen;
  }

  /** Learn where lines of stderr are. */
  async findMarks() {
    const { lines } = await this.#lines.search({ stream: "stderr" }).catch(() => ({ lines: [] }));
    this.marks = [...lines, ...behind(this.marks, lines)];
  }

  /** Go from one hit to another, around at the ends. */
  step(by) { if (this.hits.length) this.current = (Math.max(this.current, by < 0 ? 0 : -1) + by + this.hits.length) % this.hits.length; }

  /** Go to the first hit from a line on. */
  stepFrom(number) {
    const next = this.hits.findIndex((one) => one >= number);
    if (this.hits.length) this.current = Math.max(0, next);
  }
}

const behind = (numbers, known) => numbers.filter((one) => one > (known.at(-1) ?? -1));
