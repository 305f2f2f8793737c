// Where things lie. Pure functions: no document, no state. All lengths in CSS pixels.

// Browsers stop at about 17 million pixels for an element's height.
export const MOST_PX = 8_000_000;
export const GAP_PX = 4;

/** How content of any height is scrolled by an element of a bounded one. */
export function track(total, rowPx, viewPx) {
  const content = Math.max(total * rowPx, viewPx);
  const physical = Math.min(content, MOST_PX);
  const room = physical - viewPx;
  return { content, physical, scale: room > 0 ? (content - viewPx) / room : 1 };
}

/** Which rows are in view, with some more above and below: {first, count}. */
export function inView(top, viewPx, rowPx, total, over = 0) {
  const first = Math.max(0, Math.floor(top / rowPx) - over);
  const last = Math.min(total, Math.ceil((top + viewPx) / rowPx) + over);
  return { first, count: Math.max(0, last - first) };
}

/** How far to scroll so that a row is wholly in view; the same place if it is. */
export function reveal(top, viewPx, rowPx, row) {
  if (row * rowPx < top) return row * rowPx;
  return Math.max(top, Math.min(row * rowPx, (row + 1) * rowPx - viewPx));
}

/** How many of these pictures fit side by side, and the room they take; `size` is how many there are. */
export function fit(aspects, heightPx, roomPx, size, morePx = 44) {
  let used = 0;
  let shown = 0;
  for (const aspect of aspects) {
    const next = used + Math.max(8, Math.round(aspect * heightPx)) + GAP_PX;
    const last = shown + 1 === size;
    if (next > (last ? roomPx : roomPx - morePx) && shown > 0) break;
    used = next;
    shown += 1;
  }
  return { shown, used: shown < size ? used + morePx : used };
}

/** Where what follows the pictures begins, as a share of the width: few places, so that rows align. */
export function stop(share) {
  return [0.2, 0.4].find((place) => share <= place) ?? 0.6;
}

/** How many tiles stand in a line. */
export function columns(roomPx, tilePx, gapPx = GAP_PX) {
  return Math.max(1, Math.floor((roomPx + gapPx) / (tilePx + gapPx)));
}

/** Where a key leads from a place {item, picture}, or null if the key does not move. */
export function step(key, place, { total, perLine, linesPerPage, pictures }) {
  const at = (item) => ({ item: Math.max(0, Math.min(total - 1, item)), picture: 0 });
  const keep = (item) => {
    const there = at(item);
    return perLine === 1 ? { ...there, picture: place.picture } : there;
  };
  const rowwise = pictures > 0;
  if (key === "ArrowDown") return place.item + perLine < total ? keep(place.item + perLine) : place;
  if (key === "ArrowUp") return place.item - perLine >= 0 ? keep(place.item - perLine) : place;
  if (key === "ArrowRight" && rowwise && place.picture + 1 < pictures)
    return { item: place.item, picture: place.picture + 1 };
  if (key === "ArrowLeft" && rowwise && place.picture > 0)
    return { item: place.item, picture: place.picture - 1 };
  if (key === "ArrowRight") return rowwise ? place : at(place.item + 1);
  if (key === "ArrowLeft") return rowwise ? place : at(place.item - 1);
  if (key === "PageDown") return keep(place.item + perLine * linesPerPage);
  if (key === "PageUp") return keep(place.item - perLine * linesPerPage);
  if (key === "Home") return at(0);
  if (key === "End") return at(total - 1);
  return null;
}

/** The first few names that hold all the words, best first. */
export function suggest(names, text, most = 30) {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  const holds = (name) => words.every((word) => name.toLowerCase().includes(word));
  const starts = (name) => (name.toLowerCase().startsWith(words[0] ?? "") ? 0 : 1);
  return names.filter(holds).sort((a, b) => starts(a) - starts(b)).slice(0, most);
}

/** How many lines things of these widths, in order, take. */
export function lines(widths, room, apart) {
  let [count, used] = [1, 0];
  for (const width of widths) {
    if (used && used + width > room) [count, used] = [count + 1, 0];
    used += width + apart;
  }
  return count;
}

/**
 * The greatest height at which pictures of these shapes all fit into a room: {px, widths, room}.
 * The room is as narrow as the lines allow, so that they are about equally long.
 */
export function arrange(aspects, { width, height, least, most, narrowest, apart, below }) {
  const wide = (px) => aspects.map((aspect) => Math.min(width, Math.max(narrowest, Math.ceil(px * aspect))));
  const high = (px) => lines(wide(px), width, apart) * (px + below + apart) - apart;
  const widest = Math.max(...aspects);
  let px = most;
  while (px > least && (high(px) > height || px * widest > width)) px -= 2;
  px = Math.max(px, least);
  const widths = wide(px);
  const count = lines(widths, width, apart);
  const one = Math.max(...widths);
  let room = width;
  while (room > one && lines(widths, room - 1, apart) === count) room -= 1;
  return { px, widths, room };
}
