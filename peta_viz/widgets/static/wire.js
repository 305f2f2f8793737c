// The conversation with the kernel: numbered requests, and thumbnails by row number.

const PATIENCE_MS = 15_000;
const KEPT_CHARACTERS = 30_000_000; // of pictures as text
const BATCH = 240;

/** Requests with an answer each. `onStall` hears whether the kernel keeps us waiting. */
export class Wire {
  constructor(model, onStall) {
    this.model = model;
    this.onStall = onStall;
    this.waiting = new Map();
    this.number = 0;
    // All views of a widget hear all answers: their numbers must differ.
    this.salt = Math.random().toString(36).slice(2);
    this.hear = (content, buffers) => {
      const waiting = this.waiting.get(content?.id);
      if (!waiting) return;
      this.waiting.delete(content.id);
      clearTimeout(waiting.timer);
      this.onStall(false);
      if (content.error) waiting.reject(new Error(content.error));
      else waiting.resolve([content, buffers ?? []]);
    };
    model.on("msg:custom", this.hear);
  }

  ask(message) {
    const id = `${this.salt}-${(this.number += 1)}`;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => this.onStall(true), PATIENCE_MS);
      this.waiting.set(id, { resolve, reject, timer });
      try {
        this.model.send({ ...message, id });
      } catch (error) {
        // After a restart the kernel knows nothing of this widget, and Jupyter says "Cannot send".
        this.waiting.delete(id);
        clearTimeout(timer);
        this.onStall(true);
        reject(Object.assign(error, { unsent: true }));
      }
    });
  }

  close() {
    this.model.off("msg:custom", this.hear);
    for (const { timer } of this.waiting.values()) clearTimeout(timer);
    this.waiting.clear();
  }
}

/** Pictures by row number. One request at a time, and always for what is wanted now. */
export class Pictures {
  constructor(wire, { onArrival, onError }) {
    Object.assign(this, { wire, onArrival, onError });
    this.kept = new Map();
    this.urgent = this.wanted = [];
    this.asking = false;
    this.closed = false;
    this.characters = 0;
    this.size = 0; // counts the sizes that were wanted
  }

  /** The picture {url} or {problem} of a row, if it is there. */
  get(row) {
    const picture = this.kept.get(row);
    if (picture) {
      this.kept.delete(row);
      this.kept.set(row, picture);
    }
    return picture;
  }

  /** Say which rows are in view, and all that are wanted; what was wanted before is forgotten. */
  want(urgent, rows) {
    this.urgent = urgent;
    this.wanted = rows;
    this.pump();
  }

  async pump() {
    if (this.asking || this.closed) return;
    const missing = (rows) => rows.filter((row) => !this.kept.has(row)).slice(0, BATCH);
    let rows = missing(this.urgent);
    if (!rows.length) rows = missing(this.wanted);
    if (!rows.length) return;
    const size = this.size;
    this.asking = true;
    const answer = await this.wire.ask({ kind: "thumbnails", rows }).catch(this.onError);
    this.asking = false;
    if (!answer) return;
    if (size === this.size) this.take(...answer);
    this.pump();
  }

  /** Keep pictures that came, whoever asked for them. */
  receive({ rows, problems }, buffers) {
    rows.forEach((row, n) => this.keep(row, { url: dataUrl(buffers[n]) }));
    for (const [row, problem] of problems) this.keep(row, { problem });
  }

  take({ rows, problems }, buffers) {
    this.receive({ rows, problems }, buffers);
    this.onArrival([...rows, ...problems.map(([row]) => row)]);
  }

  /** Keep a picture, and let go of those that were not looked at for longest. */
  keep(row, picture) {
    this.kept.set(row, picture);
    this.characters += picture.url?.length ?? 0;
    if (this.characters <= KEPT_CHARACTERS) return;
    const needed = new Set(this.wanted);
    for (const [old, { url }] of this.kept) {
      if (this.characters <= KEPT_CHARACTERS / 2) break;
      if (needed.has(old)) continue;
      this.characters -= url?.length ?? 0;
      this.kept.delete(old);
    }
  }

  /** Forget everything, because pictures of another size are wanted. */
  clear() {
    this.size += 1;
    this.characters = 0;
    this.kept.clear();
  }

  close() {
    this.closed = true;
    this.clear();
  }
}

/** A small JPEG as its own address: for hundreds of them that is quicker than a blob each. */
function dataUrl(view) {
  const bytes = new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
  let text = "";
  for (let start = 0; start < bytes.length; start += 8192) text += String.fromCharCode(...bytes.subarray(start, start + 8192));
  return `data:image/jpeg;base64,${btoa(text)}`;
}
