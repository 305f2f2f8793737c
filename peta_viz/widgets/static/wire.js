// The conversation with the kernel: numbered requests, and thumbnails by row number.

const PATIENCE_MS = 15_000;
const KEPT = 1_500;
const BATCH = 96;

/** Requests with an answer each. `onStall` hears whether the kernel keeps us waiting. */
export class Wire {
  constructor(model, onStall) {
    this.model = model;
    this.onStall = onStall;
    this.waiting = new Map();
    this.number = 0;
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
    const id = `${this.constructor.salt}-${(this.number += 1)}`;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => this.onStall(true), PATIENCE_MS);
      this.waiting.set(id, { resolve, reject, timer });
      this.model.send({ ...message, id });
    });
  }

  close() {
    this.model.off("msg:custom", this.hear);
    for (const { timer } of this.waiting.values()) clearTimeout(timer);
    this.waiting.clear();
  }
}
// Two views of one widget hear the same answers: their numbers must differ.
Wire.salt = Math.random().toString(36).slice(2);

/** Pictures by row number. One request at a time, and always for what is wanted now. */
export class Pictures {
  constructor(wire, onArrival) {
    this.wire = wire;
    this.onArrival = onArrival;
    this.kept = new Map();
    this.wanted = [];
    this.asking = false;
    this.closed = false;
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

  /** Say which rows are wanted, the most urgent first; what was wanted before is forgotten. */
  want(rows) {
    this.wanted = rows;
    this.pump();
  }

  async pump() {
    if (this.asking || this.closed) return;
    const missing = this.wanted.filter((row) => !this.kept.has(row)).slice(0, BATCH);
    if (!missing.length) return;
    this.asking = true;
    try {
      const [content, buffers] = await this.wire.ask({ kind: "thumbnails", rows: missing });
      content.rows.forEach((row, n) => {
        const blob = new Blob([buffers[n]], { type: "image/jpeg" });
        this.keep(row, { url: URL.createObjectURL(blob) });
      });
      for (const [row, problem] of content.problems) this.keep(row, { problem });
      this.asking = false;
      this.onArrival([...content.rows, ...content.problems.map(([row]) => row)]);
      this.pump();
    } catch (error) {
      this.asking = false;
      console.warn("peta-viz:", error.message);
    }
  }

  keep(row, picture) {
    this.kept.set(row, picture);
    const needed = new Set(this.wanted);
    for (const [old, { url }] of this.kept) {
      if (this.kept.size <= KEPT) break;
      if (needed.has(old)) continue;
      if (url) URL.revokeObjectURL(url);
      this.kept.delete(old);
    }
  }

  /** Forget everything, because pictures of another size are wanted. */
  clear() {
    for (const { url } of this.kept.values()) if (url) URL.revokeObjectURL(url);
    this.kept.clear();
  }

  close() {
    this.closed = true;
    this.clear();
  }
}
