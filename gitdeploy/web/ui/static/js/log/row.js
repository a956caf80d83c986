// What a line looks like: its number, time and colours, with what is looked for marked; and where in the
// whole log the lines of a kind are.
import { plain, readable, spans } from "./spans.js";

const ALARM = /\b(?:ERROR|FATAL|CRITICAL|PANIC|Traceback|Exception)\b|^\W*(?:error|fatal|panic)\b/;
const TEXT = { dark: [234, 237, 241], light: [27, 34, 43] };

/** Where a text is found; without capitals in it, in any case. */
function places(text, find) {
  const found = [], where = find === find.toLowerCase() ? text.toLowerCase() : text;
  for (let at = where.indexOf(find); at >= 0; at = where.indexOf(find, at + find.length)) found.push(at);
  return found;
}

/** Whether a line has a text. */
export const matches = (line, find) => places(plain(line.text), find).length > 0;

/** A line's element. */
export function rowOf(number, line, { find, dark, time, marked, current }) {
  const row = document.createElement("div"), text = plain(line.text);
  row.className = line.stderr ? "l e" : "l";
  row.id = `L${number + 1}`;
  row.dataset.n = number + 1;
  row.classList.toggle("x", ALARM.test(text));
  row.classList.toggle("at", marked);
  row.classList.toggle("hit", current);
  if (time) {
    row.append(document.createElement("i"));
    row.firstChild.dataset.t = time;
  }
  const found = find ? places(text, find) : [];
  let at = 0, next = 0;
  for (const span of spans(line.text)) {
    const holder = span.classes || span.front || span.back ? document.createElement("span") : row;
    if (holder !== row) {
      holder.className = span.classes;
      if (span.front || span.back) holder.style.color = readable(span.front ?? TEXT[dark ? "dark" : "light"], span.back, dark);
      if (span.back) holder.style.backgroundColor = `rgb(${span.back.join(" ")})`;
      row.append(holder);
    }
    const end = at + span.text.length;
    while (next < found.length && found[next] < end) {
      const start = Math.max(at, found[next]), stop = Math.min(end, found[next] + find.length);
      holder.append(text.slice(at, start));
      const mark = document.createElement("mark");
      mark.textContent = text.slice(start, stop);
      holder.append(mark);
      at = stop;
      if (found[next] + find.length > end) break; // it goes on in the next span
      next++;
    }
    holder.append(text.slice(at, end));
    at = end;
  }
  if (line.more) {
    const more = document.createElement("span");
    more.className = "dim";
    more.textContent = " …";
    row.append(more);
  }
  row.append("\n"); // a line of its own when it is copied
  return row;
}

/** Mark in a canvas where lines are: `part(number)` is the place of one, from 0 to 1. */
export function drawRuler(canvas, part, kinds) {
  const { clientWidth: width, clientHeight: height } = canvas;
  if (!height) return;
  canvas.width = width;
  canvas.height = height;
  const pen = canvas.getContext("2d");
  for (const [numbers, colour] of kinds) {
    pen.fillStyle = colour;
    let last = -9;
    for (const number of numbers) {
      const place = Math.round(part(number) * height);
      if (place - last < 2) continue;
      pen.fillRect(0, Math.min(height - 2, place), width, 2);
      last = place;
    }
  }
}
