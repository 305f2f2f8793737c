// What a person does in the gallery with keys and mouse: move, select, enlarge.
import { make } from "./dom.js";
import { step } from "./layout.js";

const KEYS = [
  ["Arrows, Page Up, Page Down, Home, End", "move"],
  ["Enter or click", "enlarge"],
  ["Space or Ctrl+click", "select the picture"],
  ["Shift+Space", "select the whole component"],
  ["Shift with arrows or click", "select up to there"],
  ["Ctrl+A", "select all that are shown"],
  ["Esc", "select nothing"],
  ["v", "next view"],
  ["/", "to the query"],
  ["?", "show or hide these keys"],
];

/** The list of keys, hidden until it is asked for. */
export function keysHelp(id) {
  const list = KEYS.flatMap(([keys, what]) => [make("dt", { text: keys }), " ", make("dd", { text: what }), " "]);
  return make("dl", { class: "pv-help", id, hidden: true }, ...list);
}

/** `gallery` offers scroller, entries, view, ask(message), enlarge(row), nextView(), toQuery(), toggleHelp(). */
export class Hands {
  constructor(gallery) {
    this.gallery = gallery;
    this.scroller = gallery.scroller;
    this.toStart();
    this.scroller.viewport.addEventListener("keydown", (event) => this.key(event));
    this.scroller.track.addEventListener("click", (event) => this.click(event));
    // A Shift-click selects images, not the text between them.
    this.scroller.track.addEventListener("mousedown", (event) => event.shiftKey && event.preventDefault());
  }

  toStart() {
    this.active = { item: 0, picture: 0 };
    this.anchor = 0;
  }

  /** Move to an item, and to the picture of a row if it is drawn there. */
  goTo(item, row) {
    if (item !== this.active.item) this.active = { item, picture: 0 };
    this.anchor = item;
    this.scroller.reveal(item);
    const frames = [...(this.scroller.drawn.get(item)?.querySelectorAll(".pv-frame") ?? [])];
    const picture = frames.findIndex((frame) => rowOf(frame) === row);
    if (picture >= 0) this.active = { item, picture };
    this.mark();
  }

  /** Show where the keys are. */
  mark() {
    const { track, viewport, drawn } = this.scroller;
    for (const one of track.querySelectorAll(".pv-active, .pv-here")) one.classList.remove("pv-active", "pv-here");
    const element = drawn.get(this.active.item);
    if (!element) {
      viewport.removeAttribute("aria-activedescendant");
      return;
    }
    element.classList.add("pv-active");
    viewport.setAttribute("aria-activedescendant", element.id);
    this.frame()?.classList.add("pv-here");
  }

  /** The picture that the keys are at, if it is drawn. */
  frame() {
    const frames = this.scroller.drawn.get(this.active.item)?.querySelectorAll(".pv-frame") ?? [];
    return frames[Math.min(this.active.picture, frames.length - 1)];
  }

  key(event) {
    if (event.target !== this.scroller.viewport || event.altKey) return;
    const control = event.ctrlKey || event.metaKey;
    if (control && event.key.toLowerCase() === "a") this.select({ how: "all" });
    else if (control) return;
    else if (event.key === "Enter") this.enlarge(this.frame());
    else if (event.key === " ") this.toggle(event.shiftKey);
    else if (event.key === "Escape") this.select({ how: "none" });
    else if (event.key === "v") this.gallery.nextView();
    else if (event.key === "/") this.gallery.toQuery();
    else if (event.key === "?") this.gallery.toggleHelp();
    else if (!this.walk(event)) return;
    event.preventDefault();
    event.stopPropagation();
  }

  walk(event) {
    const { total, perLine } = this.scroller.shape;
    if (!total) return false;
    const frames = this.scroller.drawn.get(this.active.item)?.querySelectorAll(".pv-frame").length ?? 1;
    const pictures = this.gallery.view === "components" ? Math.max(1, frames) : 0;
    const from = { ...this.active, picture: Math.max(0, Math.min(this.active.picture, frames - 1)) };
    const to = step(event.key, from, { total, perLine, linesPerPage: this.scroller.page, pictures });
    if (!to) return false;
    const start = this.frame();
    this.active = to;
    this.scroller.reveal(to.item);
    if (!event.shiftKey) this.anchor = to.item;
    else if (to.item !== from.item) this.select({ how: "add", first: this.anchor, last: to.item });
    else for (const frame of new Set([start, this.frame()])) this.select({ how: "add", row: rowOf(frame) });
    return true;
  }

  toggle(whole) {
    const { item } = this.active;
    this.anchor = item;
    if (whole || this.gallery.view !== "components") this.select({ how: "toggle", first: item, last: item });
    else if (this.frame()) this.select({ how: "toggle", row: rowOf(this.frame()) });
  }

  click(event) {
    const element = event.target.closest(".pv-item");
    if (!element) return;
    const item = Number(element.dataset.item);
    const frame = event.target.closest(".pv-frame");
    this.active = { item, picture: frame ? Number(frame.dataset.n) : 0 };
    if (!event.shiftKey) this.anchor = item;
    this.scroller.viewport.focus({ preventScroll: true });
    this.mark();
    const check = event.target.closest(".pv-check");
    if (check) event.preventDefault(); // it shows what is selected, once that is
    if (event.shiftKey) this.select({ how: "add", first: this.anchor, last: item });
    else if (check) this.select({ how: "toggle", first: item, last: item });
    else if (frame && (event.ctrlKey || event.metaKey)) this.select({ how: "toggle", row: rowOf(frame) });
    else if (frame) this.enlarge(frame);
    else if (event.target.closest(".pv-more")) this.enlargeNext(item, element);
  }

  /** Enlarge the first image that had no room. */
  enlargeNext(item, element) {
    const frames = element.querySelectorAll(".pv-frame");
    const next = this.gallery.entries.get(item)?.images[frames.length];
    this.gallery.enlarge(next ? next.row : rowOf(frames[frames.length - 1]));
  }

  enlarge(frame) {
    if (frame) this.gallery.enlarge(rowOf(frame));
  }

  select(message) {
    this.gallery.ask({ kind: "select", ...message });
  }
}

function rowOf(frame) {
  return Number(frame.dataset.row);
}
