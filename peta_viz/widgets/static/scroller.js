// A list of any length: elements for the lines in view, and for no others.
import { make } from "./dom.js";
import { inView, reveal, track } from "./layout.js";

const OVER = 1; // lines that are kept ready above and below, once what is in view is complete
const LINE_OF_WHEEL_PX = 20;

/** `place(item)` makes an item's element; `onDraw` hears when other items are in view. */
export class Scroller {
  constructor({ place, onDraw, attributes }) {
    Object.assign(this, { place, onDraw });
    this.drawn = new Map(); // item → element
    this.top = 0;
    this.over = 0;
    this.shape = { total: 0, perLine: 1, linePx: 1, left: () => 0 };
    this.track = make("div", { class: "pv-track", role: "presentation" });
    this.empty = make("div", { class: "pv-empty", hidden: true });
    this.viewport = make("div", { class: "pv-viewport", tabindex: "0", ...attributes }, this.track, this.empty);
    this.viewport.addEventListener("scroll", () => this.scrolled());
    this.viewport.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
  }

  /** Lay out anew: {total, perLine, linePx, left(column)}; the place stays unless told otherwise. */
  lay(shape, { toStart = false } = {}) {
    const item = toStart ? 0 : Math.floor(this.top / this.shape.linePx) * this.shape.perLine;
    const offset = toStart ? 0 : (this.top % this.shape.linePx) / this.shape.linePx;
    this.shape = shape;
    this.lines = Math.ceil(shape.total / shape.perLine);
    this.viewPx = this.viewport.clientHeight;
    this.map = track(this.lines, shape.linePx, this.viewPx);
    for (const element of this.drawn.values()) element.remove();
    this.drawn.clear();
    this.over = 0;
    this.track.style.height = `${this.map.physical}px`;
    this.empty.hidden = shape.total > 0;
    this.scrollTo((Math.floor(item / shape.perLine) + offset) * shape.linePx);
  }

  /** The items in view, with some more above and below: {first, last}, `last` excluded. */
  range(over = this.over) {
    const { first, count } = inView(this.top, this.viewPx, this.shape.linePx, this.lines, over);
    const { perLine, total } = this.shape;
    return { first: first * perLine, last: Math.min(total, (first + count) * perLine) };
  }

  get page() {
    return Math.max(1, Math.floor(this.viewPx / this.shape.linePx));
  }

  scrolled() {
    if (this.viewport.scrollTop === this.at) return; // it was us
    this.top = this.viewport.scrollTop * this.map.scale;
    const { first, last } = this.range(0);
    if (!this.drawn.has(first) && !this.drawn.has(last - 1)) this.over = 0; // a jump, not a walk
    this.draw();
  }

  get prepared() {
    return this.over === OVER;
  }

  /** What is in view is complete: make ready what is around it. */
  prepare() {
    if (this.prepared) return;
    this.over = OVER;
    this.draw();
  }

  /** Where the height is scaled down, a turn of the wheel must still move by a line. */
  wheel(event) {
    if (this.map.scale === 1 || event.ctrlKey || event.deltaY === 0) return;
    event.preventDefault();
    this.scrollTo(this.top + event.deltaY * (event.deltaMode === 1 ? LINE_OF_WHEEL_PX : 1));
  }

  scrollTo(top) {
    this.top = Math.max(0, Math.min(this.map.content - this.viewPx, top));
    const physical = this.top / this.map.scale;
    if (Math.abs(this.viewport.scrollTop - physical) >= 1) this.viewport.scrollTop = physical;
    this.draw();
  }

  reveal(item) {
    const line = Math.floor(item / this.shape.perLine);
    this.scrollTo(reveal(this.top, this.viewPx, this.shape.linePx, line));
  }

  draw() {
    this.at = this.viewport.scrollTop;
    const { first, last } = this.range();
    for (const [item, element] of this.drawn) {
      if (item >= first && item < last) continue;
      element.remove();
      this.drawn.delete(item);
    }
    const { perLine, linePx, left } = this.shape;
    for (let item = first; item < last; item += 1) {
      let element = this.drawn.get(item);
      if (!element) {
        element = this.place(item);
        this.drawn.set(item, element);
        this.track.append(element);
      }
      const y = this.at - this.top + Math.floor(item / perLine) * linePx;
      element.style.transform = `translate(${left(item % perLine)}px, ${y}px)`;
    }
    this.onDraw();
  }
}
