import assert from "node:assert/strict";
import test from "node:test";
import { part, seeded } from "./parts.mjs";

const { GAP_PX, MOST_PX, arrange, columns, fit, inView, lines, reveal, step, stop, suggest, track } = await part("layout.js");

test("short content is scrolled one to one", () => {
  assert.deepEqual(track(10, 100, 400), { content: 1000, physical: 1000, scale: 1 });
});

test("nothing, and what fits, cannot be scrolled", () => {
  assert.deepEqual(track(0, 100, 400), { content: 400, physical: 400, scale: 1 });
  assert.deepEqual(track(2, 100, 400), { content: 400, physical: 400, scale: 1 });
});

test("whatever the height, the track stays bounded and its end is the end", () => {
  const random = seeded(1);
  for (let n = 0; n < 500; n += 1) {
    const total = Math.floor(random() ** 4 * 1e7);
    const rowPx = 20 + Math.floor(random() * 500);
    const viewPx = 100 + Math.floor(random() * 1000);
    const { content, physical, scale } = track(total, rowPx, viewPx);
    assert.ok(physical <= Math.max(MOST_PX, viewPx));
    assert.ok(scale >= 1);
    assert.ok(Math.abs((physical - viewPx) * scale - (content - viewPx)) < 1e-3);
  }
});

test("the rows in view", () => {
  assert.deepEqual(inView(0, 400, 100, 1000), { first: 0, count: 4 });
  assert.deepEqual(inView(250, 400, 100, 1000), { first: 2, count: 5 });
  assert.deepEqual(inView(250, 400, 100, 1000, 2), { first: 0, count: 9 });
  assert.deepEqual(inView(0, 400, 100, 3), { first: 0, count: 3 });
  assert.deepEqual(inView(0, 400, 100, 0), { first: 0, count: 0 });
  assert.equal(inView(9e6, 400, 100, 10).count, 0);
});

test("every row that is seen, and no other, is in view", () => {
  const random = seeded(2);
  for (let n = 0; n < 300; n += 1) {
    const [rowPx, total, viewPx] = [10 + Math.floor(random() * 90), 1 + Math.floor(random() * 50), 200];
    const top = random() * Math.max(0, total * rowPx - viewPx);
    const { first, count } = inView(top, viewPx, rowPx, total);
    for (let row = 0; row < total; row += 1) {
      const seen = (row + 1) * rowPx > top && row * rowPx < top + viewPx;
      assert.equal(row >= first && row < first + count, seen);
    }
  }
});

test("a row is revealed by scrolling as little as may be", () => {
  assert.equal(reveal(100, 400, 100, 2), 100);
  assert.equal(reveal(100, 400, 100, 4), 100);
  assert.equal(reveal(100, 400, 100, 5), 200);
  assert.equal(reveal(100, 400, 100, 0), 0);
  assert.equal(reveal(150, 400, 100, 1), 100);
});

test("of a row that is higher than the view the top is revealed", () => {
  assert.equal(reveal(0, 50, 100, 3), 300);
  assert.equal(reveal(900, 50, 100, 3), 300);
});

test("as many pictures as fit, with room for the word how many more", () => {
  const [one, more] = [100 + GAP_PX, 50];
  assert.deepEqual(fit([1, 1, 1], 100, 3 * one, 3, more), { shown: 3, used: 3 * one });
  assert.deepEqual(fit([1, 1, 1], 100, 3 * one - 1, 3, more), { shown: 2, used: 2 * one + more });
  assert.deepEqual(fit([1, 1, 1], 100, 3 * one, 9, more), { shown: 2, used: 2 * one + more });
  assert.deepEqual(fit([1, 1, 1], 100, 10, 9, more), { shown: 1, used: one + more }); // one at least
  assert.deepEqual(fit([], 100, 1000, 0, more), { shown: 0, used: 0 });
});

test("what fits never exceeds the room, and one more would", () => {
  const random = seeded(3);
  const width = (aspects) => aspects.reduce((sum, a) => sum + Math.max(8, Math.round(a * 80)) + GAP_PX, 0);
  for (let n = 0; n < 300; n += 1) {
    const aspects = Array.from({ length: 1 + Math.floor(random() * 20) }, () => 0.05 + random() * 1.95);
    const size = aspects.length + (random() < 0.5 ? 0 : 7);
    const room = 50 + random() * 1500;
    const { shown, used } = fit(aspects, 80, room, size, 40);
    const rest = shown < size ? 40 : 0;
    assert.equal(used, width(aspects.slice(0, shown)) + rest);
    if (shown > 1) assert.ok(used <= room);
    if (shown < aspects.length) {
      const next = shown + 1;
      assert.ok(width(aspects.slice(0, next)) + (next < size ? 40 : 0) > room);
    }
  }
});

test("what follows the pictures begins at one of a few places, never over them but at the last", () => {
  const places = new Set();
  for (let share = 0; share <= 1; share += 0.01) {
    const place = stop(share);
    places.add(place);
    assert.ok(place >= share || share > 0.6);
    assert.ok(place <= 0.6);
  }
  assert.ok(places.size <= 4);
});

test("tiles in a line", () => {
  assert.equal(columns(1000, 96), 10);
  assert.equal(columns(996, 96), 10);
  assert.equal(columns(995, 96), 9);
  assert.equal(columns(10, 96), 1);
  assert.equal(columns(-5, 96), 1);
});

const LIST = { total: 10, perLine: 1, linesPerPage: 4, pictures: 3 };
const GRID = { total: 23, perLine: 5, linesPerPage: 2, pictures: 0 };
const at = (item, picture = 0) => ({ item, picture });

test("keys among components", () => {
  assert.deepEqual(step("ArrowDown", at(2, 1), LIST), at(3, 1));
  assert.deepEqual(step("ArrowUp", at(2, 1), LIST), at(1, 1));
  assert.deepEqual(step("ArrowRight", at(2, 1), LIST), at(2, 2));
  assert.deepEqual(step("ArrowRight", at(2, 2), LIST), at(2, 2));
  assert.deepEqual(step("ArrowLeft", at(2, 1), LIST), at(2, 0));
  assert.deepEqual(step("ArrowLeft", at(2, 0), LIST), at(2, 0));
  assert.deepEqual(step("ArrowUp", at(0), LIST), at(0));
  assert.deepEqual(step("ArrowDown", at(9), LIST), at(9));
  assert.deepEqual(step("PageDown", at(1, 2), LIST), at(5, 2));
  assert.deepEqual(step("PageDown", at(8), LIST), at(9));
  assert.deepEqual(step("PageUp", at(2), LIST), at(0));
  assert.deepEqual(step("Home", at(7, 2), LIST), at(0));
  assert.deepEqual(step("End", at(7, 2), LIST), at(9));
});

test("keys in a grid", () => {
  assert.deepEqual(step("ArrowRight", at(4), GRID), at(5));
  assert.deepEqual(step("ArrowLeft", at(5), GRID), at(4));
  assert.deepEqual(step("ArrowDown", at(7), GRID), at(12));
  assert.deepEqual(step("ArrowUp", at(7), GRID), at(2));
  assert.deepEqual(step("ArrowUp", at(3), GRID), at(3));
  assert.deepEqual(step("PageDown", at(3), GRID), at(13));
  assert.deepEqual(step("End", at(3), GRID), at(22));
});

test("other keys do not move", () => {
  for (const key of ["Enter", " ", "a", "Tab", "Escape"]) assert.equal(step(key, at(1), GRID), null);
});

test("no key leads out", () => {
  const random = seeded(4);
  const keys = ["ArrowDown", "ArrowUp", "ArrowLeft", "ArrowRight", "PageDown", "PageUp", "Home", "End"];
  for (let n = 0; n < 50; n += 1) {
    const total = 1 + Math.floor(random() * 40);
    const list = random() < 0.5;
    const page = { total, perLine: list ? 1 : 1 + Math.floor(random() * 7), linesPerPage: 3, pictures: list ? 1 + Math.floor(random() * 4) : 0 };
    let place = at(0);
    for (let m = 0; m < 100; m += 1) {
      place = step(keys[Math.floor(random() * keys.length)], place, page);
      assert.ok(place.item >= 0 && place.item < total, JSON.stringify({ place, page }));
      assert.ok(place.picture >= 0 && place.picture <= Math.max(0, page.pictures - 1));
    }
  }
});

test("names that hold all the words, those that start with the first one before", () => {
  const names = ["upperBodyRed", "hairLong", "upperHair", "hairShort", "HairRed", "<b>x</b>"];
  assert.deepEqual(suggest(names, "hair"), ["hairLong", "hairShort", "HairRed", "upperHair"]);
  assert.deepEqual(suggest(names, "hair red"), ["HairRed"]);
  assert.deepEqual(suggest(names, "RED upper"), ["upperBodyRed"]);
  assert.deepEqual(suggest(names, ""), names);
  assert.deepEqual(suggest(names, "  ", 2), names.slice(0, 2));
  assert.deepEqual(suggest(names, ".*"), []);
  assert.deepEqual(suggest(names, "<b>"), ["<b>x</b>"]);
  assert.deepEqual(names[0], "upperBodyRed");
});

const SHEET = { width: 880, height: 540, least: 130, most: 416, narrowest: 56, apart: 10, below: 25 };

test("pictures fit into the room whole, and could not be higher", () => {
  const random = seeded(3);
  for (let n = 0; n < 300; n += 1) {
    const aspects = Array.from({ length: 1 + Math.floor(random() * 30) }, () => 0.2 + random() * (n % 3 ? 0.4 : 2));
    const { px, widths, room } = arrange(aspects, SHEET);
    const high = (height, wide) => lines(aspects.map((one) => Math.max(56, Math.ceil(height * one))), wide, 10) * (height + 35) - 10;
    assert.ok(widths.every((width) => width <= room && room <= SHEET.width));
    assert.ok(px >= SHEET.least && px <= SHEET.most);
    if (px > SHEET.least) assert.ok(high(px, room) <= SHEET.height);
    if (px < SHEET.most && n % 3) assert.ok(high(px + 2, SHEET.width) > SHEET.height);
  }
});

test("lines of pictures are about equally long", () => {
  const { px, widths, room } = arrange(Array(7).fill(0.5), { ...SHEET, width: 660 });
  assert.equal(lines(widths, 660, 10), 2);
  assert.equal(room, 4 * widths[0] + 3 * 10); // four and three, not six and one
  assert.ok(px > 200);
});

test("a picture wider than the room is as wide as it", () => {
  assert.deepEqual(arrange([9], SHEET).widths, [880]);
});
