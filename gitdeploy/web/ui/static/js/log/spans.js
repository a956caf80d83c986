// A line of output as spans: colours (ECMA-48 SGR) by class, 256 and 24-bit ones by CSSOM, made readable
// on the theme's ground; what would move a cursor is gone. As ui/ansi.py does it for the lines of a page.

const ESCAPE = /\x1b(?:\[([0-9;:]*)([@-~])|\][^\x07\x1b]*(?:\x07|\x1b\\)|\[[0-?]*[ -/]*[@-~]|[@-_])/g;
const CONTROL = /[\x00-\x08\x0b-\x1f\x7f]/g;
const MARKS = { 1: "bold", 2: "dim", 3: "slanted", 4: "under", 7: "turned", 9: "struck" };
const OFF = { 22: ["bold", "dim"], 23: ["slanted"], 24: ["under"], 27: ["turned"], 29: ["struck"] };
const STEPS = [0, 95, 135, 175, 215, 255];
const GROUND = { light: 0.95, dark: 0.012 }; // relative luminance of the log's ground

const shown = (text) => text.replace(CONTROL, (one) => one === "\x7f" ? "␡" : String.fromCharCode(0x2400 + one.charCodeAt(0)));

/** What stands behind the last carriage return that something follows. */
function last(text) {
  let end = text.length;
  while (text[end - 1] === "\r") end--;
  return text.slice(text.lastIndexOf("\r", end - 1) + 1, end);
}

/** The text without colours. */
export const plain = (text) => /[\x00-\x1f\x7f]/.test(text) ? shown(last(text).replace(ESCAPE, "")) : text;

/** The line's spans: text, classes, and colours as [r, g, b] where no class has them. */
export function spans(text) {
  if (!/[\x00-\x1f\x7f]/.test(text)) return [{ text, classes: "" }];
  text = last(text);
  const found = [];
  let marks = new Set(), front = "", back = "", at = 0;
  const add = (part) => {
    if (!part) return;
    const names = [...marks].sort();
    for (const one of [front, back]) if (typeof one === "string" && one) names.push(one);
    found.push({
      text: shown(part), classes: names.join(" "),
      front: Array.isArray(front) ? front : null, back: Array.isArray(back) ? back : null,
    });
  };
  for (const escape of text.matchAll(ESCAPE)) {
    add(text.slice(at, escape.index));
    at = escape.index + escape[0].length;
    if (escape[2] !== "m") continue;
    const codes = escape[1].slice(0, 64).split(/[;:]/).map(Number);
    while (codes.length) {
      const code = codes.shift();
      if (code === 0) { marks = new Set(); front = back = ""; }
      else if (MARKS[code]) marks.add(MARKS[code]);
      else if (OFF[code]) for (const one of OFF[code]) marks.delete(one);
      else if (code >= 30 && code <= 37 || code >= 90 && code <= 97) front = `c${code % 10 + (code >= 90 ? 8 : 0)}`;
      else if (code >= 40 && code <= 47 || code >= 100 && code <= 107) back = `b${code % 10 + (code >= 100 ? 8 : 0)}`;
      else if (code === 38) front = colour(codes, "c");
      else if (code === 48) back = colour(codes, "b");
      else if (code === 39) front = "";
      else if (code === 49) back = "";
    }
  }
  add(text.slice(at));
  return found;
}

/** The colour that 38 or 48 names; takes its numbers away. */
function colour(codes, letter) {
  if (codes[0] === 5) {
    const [, code] = codes.splice(0, 2);
    if (!(code >= 0 && code < 256)) return "";
    if (code < 16) return `${letter}${code}`;
    if (code >= 232) return Array(3).fill(8 + 10 * (code - 232));
    return [Math.floor((code - 16) / 36), Math.floor((code - 16) / 6) % 6, (code - 16) % 6].map((one) => STEPS[one]);
  }
  const [, ...rgb] = codes.splice(0, 4);
  return rgb.length === 3 && rgb.every((one) => one >= 0 && one < 256) ? rgb : "";
}

const linear = (one) => one <= 10.3 ? one / 3294.6 : ((one / 255 + 0.055) / 1.055) ** 2.4;
const luminance = ([r, g, b]) => 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
const contrast = (one, other) => (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);

/** The colour, moved towards black or white until it has 4.5:1 on what is behind it (WCAG 1.4.3). */
export function readable(rgb, back, dark) {
  const ground = back ? luminance(back) : GROUND[dark ? "dark" : "light"];
  const goal = contrast(0, ground) > contrast(1, ground) ? 0 : 255;
  let found = rgb;
  for (let part = 0.1; part < 1.05 && contrast(luminance(found), ground) < 4.5; part += 0.1) {
    found = rgb.map((one) => Math.round(one + (goal - one) * Math.min(1, part)));
  }
  return `rgb(${found.join(" ")})`;
}
