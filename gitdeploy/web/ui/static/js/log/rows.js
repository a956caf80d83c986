// A list of very many rows of which only those in sight are elements. Rows are made by groups of a
// hundred; a group that was seen keeps its true height, the others have one that is estimated.

export const GROUP = 100;
const PRINTED = 20_000; // rows
const AHEAD = 800; // px above and below that are made, too

export class Rows {
  length = 0;
  #body; #list; #make; #height = 20; #heights = []; #groups = new Map(); #above; #below; #last = 0;

  /** `make(index)` gives a row's element, or null where what it shows isn't here yet. */
  constructor(body, list, make) {
    this.#body = body;
    this.#list = list;
    this.#make = make;
    this.#above = document.createElement("div");
    this.#below = document.createElement("div");
  }

  /** Begin anew with so many rows. */
  reset(length) {
    this.length = length;
    this.#heights = [];
    this.#groups.clear();
    this.#list.replaceChildren(this.#above, this.#below);
  }

  /** Forget how rows look: they will be made again. */
  again() {
    const at = this.first();
    this.#heights = [];
    this.#groups.clear();
    this.#list.replaceChildren(this.#above, this.#below);
    this.show(at);
  }

  /** More rows at the end. */
  grow(length) {
    const group = this.#groups.get(Math.floor(this.length / GROUP));
    delete this.#heights[Math.floor(this.length / GROUP)];
    if (group) group.partial = true;
    this.length = length;
  }

  /** The first row in sight. */
  first() { return this.#at(this.#body.scrollTop); }

  /** The row behind the last one in sight. */
  stop() { return Math.min(this.length, this.#at(this.#body.scrollTop + this.#body.clientHeight) + 1); }

  /** Whether the end is in sight. */
  get atEnd() { return this.#body.scrollHeight - this.#body.scrollTop - this.#body.clientHeight < 12; }

  /** Whether the reader has gone up since this list scrolled last (or down: false). */
  get wentUp() { return this.#body.scrollTop < this.#last - 1; }

  /** Remember where the list is, so that the next move is known as the reader's. */
  settle() { this.#last = this.#body.scrollTop; }

  toEnd() {
    for (let turn = 0; turn < 3; turn++) { // heights become true as rows are made
      this.#body.scrollTop = this.#body.scrollHeight;
      this.draw();
      if (this.atEnd) break;
    }
    this.#body.scrollTop = this.#body.scrollHeight;
    this.settle();
  }

  /** Scroll so that a row is in sight, a third from the top. */
  show(index) {
    const group = Math.floor(index / GROUP);
    this.#body.scrollTop = this.#top(group) + (index % GROUP) * this.#height - this.#body.clientHeight / 3;
    this.draw();
    const row = this.row(index);
    if (row) this.#body.scrollTop += row.getBoundingClientRect().top - this.#body.getBoundingClientRect().top - this.#body.clientHeight / 3;
    this.draw();
    this.settle();
  }

  /** The element of a row, if there is one. */
  row(index) { return this.#groups.get(Math.floor(index / GROUP))?.children[index % GROUP] ?? null; }

  /** Make what is in sight; returns rows [first, stop) that are made or missing. With `keep` nothing is removed, with `all` everything is made. */
  draw(keep = false, all = false) {
    const body = this.#body, count = Math.ceil(this.length / GROUP);
    const top = body.scrollTop - AHEAD, bottom = body.scrollTop + body.clientHeight + AHEAD;
    let first = 0, at = 0;
    while (first < count - 1 && at + this.#tall(first) < top) at += this.#tall(first++);
    let stop = first, end = at;
    while (stop < count && end < bottom) end += this.#tall(stop++);
    if (all) { first = 0; stop = Math.min(count, PRINTED / GROUP); }
    const seen = [...this.#groups.keys()];
    if (keep && seen.length) {
      const low = Math.min(first, ...seen), high = Math.max(stop, ...seen.map((one) => one + 1));
      if (high - low < 40) { first = low; stop = high; }
    }
    const anchor = this.#anchor();
    for (const [index, group] of this.#groups) if (index < first || index >= stop) { group.remove(); this.#groups.delete(index); }
    let before = this.#above;
    for (let index = first; index < stop; index++) {
      const group = this.#groups.get(index) ?? this.#group(index);
      if (group.partial) this.#fill(group, index);
      if (before.nextSibling !== group) before.after(group);
      before = group;
    }
    this.#list.append(this.#below);
    for (let index = first; index < stop; index++) {
      const group = this.#groups.get(index);
      if (!group.partial) this.#heights[index] = group.offsetHeight;
    }
    this.#guess();
    this.#above.style.height = `${this.#top(first)}px`;
    this.#below.style.height = `${this.#top(count) - this.#top(stop)}px`;
    if (anchor) {
      const moved = anchor.row.getBoundingClientRect().top - anchor.top;
      if (anchor.row.isConnected && Math.abs(moved) > 0.5) { body.scrollTop += moved; this.#last += moved; }
    }
    return [first * GROUP, Math.min(this.length, stop * GROUP)];
  }

  #group(index) {
    const group = document.createElement("div");
    group.className = "log-group";
    this.#groups.set(index, group);
    this.#fill(group, index);
    return group;
  }

  /** Rows behind those that the group has already; places are kept for what isn't here. */
  #fill(group, index) {
    const stop = Math.min(this.length, index * GROUP + GROUP);
    let missing = false;
    for (let row = index * GROUP; row < stop; row++) {
      const old = group.children[row - index * GROUP];
      if (old && !old.classList.contains("gone")) continue;
      const made = this.#make(row) ?? Object.assign(document.createElement("div"), { className: "l gone" });
      missing ||= made.classList.contains("gone");
      if (old) old.replaceWith(made); else group.append(made);
    }
    group.partial = missing || stop - index * GROUP < GROUP;
  }

  /** The first row in sight: it stays where it is while heights above it become true. */
  #anchor() {
    const edge = this.#body.getBoundingClientRect().top;
    for (const group of [...this.#groups.entries()].sort(([one], [other]) => one - other).map(([, one]) => one)) {
      if (group.getBoundingClientRect().bottom <= edge) continue;
      for (const row of group.children) {
        const box = row.getBoundingClientRect();
        if (box.bottom > edge) return { row, top: box.top };
      }
    }
    return null;
  }

  #rows(group) { return Math.min(GROUP, this.length - group * GROUP); }

  #tall(group) { return this.#heights[group] ?? this.#rows(group) * this.#height; }

  #guess() {
    let tall = 0, rows = 0;
    this.#heights.forEach((height, group) => { tall += height; rows += this.#rows(group); });
    if (rows) this.#height = Math.max(12, tall / rows);
  }

  #top(group) {
    let top = 0;
    for (let index = 0; index < group; index++) top += this.#tall(index);
    return top;
  }

  #at(offset) {
    let group = 0, top = 0;
    const count = Math.ceil(this.length / GROUP);
    while (group < count - 1 && top + this.#tall(group) <= offset) top += this.#tall(group++);
    const element = this.#groups.get(group);
    if (element) {
      const edge = this.#body.getBoundingClientRect().top + (offset - this.#body.scrollTop);
      const place = [...element.children].findIndex((row) => row.getBoundingClientRect().bottom > edge);
      return Math.min(this.length, group * GROUP + (place < 0 ? element.children.length : place));
    }
    return Math.min(this.length, group * GROUP + Math.floor((offset - top) / this.#height));
  }
}
