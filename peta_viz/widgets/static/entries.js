// What the kernel says of the items of the gallery, by their place; asked for as they come in view.

const KEPT_ENTRIES = 4_000;

/**
 * `range()` says {first, last, most, room} of what is in view; `onArrival` hears which items came.
 * With `room`, the pixels that pictures have in an item, the pictures come along: `onPictures`.
 */
export class Entries {
  constructor(model, wire, { range, onArrival, onPictures, onError }) {
    Object.assign(this, { model, wire, range, onArrival, onPictures, onError });
    this.known = new Map();
    this.asking = false;
    this.outdated = false;
  }

  get(item) {
    return this.known.get(item);
  }

  clear() {
    this.known.clear();
  }

  /** What is known may have changed, though not its order: ask again, keep the old meanwhile. */
  refresh() {
    this.outdated = true;
    this.ask();
  }

  /** Ask for the items in view that are not known; one request at a time. */
  async ask() {
    if (this.asking) return;
    let { first, last, most, room } = this.range();
    const all = this.outdated;
    if (!all) {
      while (first < last && this.known.has(first)) first += 1;
      while (last > first && this.known.has(last - 1)) last -= 1;
    }
    if (first >= last) return;
    this.outdated = false;
    this.asking = true;
    const message = { kind: "rows", first, count: last - first, most };
    if (room && !all) message.room = room;
    const answer = await this.wire.ask(message).catch(this.onError);
    this.asking = false;
    if (!answer) return;
    const [content, buffers] = answer;
    if (content.pictures) this.onPictures(content.pictures, buffers);
    if (content.version === this.model.get("_version")) this.learn(content, all);
    this.ask(); // for what came in view meanwhile
  }

  learn({ first, rows }, all) {
    const before = this.known;
    if (all || before.size > KEPT_ENTRIES) this.known = new Map();
    const changed = [];
    rows.forEach((row, n) => {
      if (JSON.stringify(before.get(first + n)) !== JSON.stringify(row)) changed.push(first + n);
      this.known.set(first + n, row);
    });
    this.onArrival(changed);
  }
}
