// The gallery's view: rows of what is in view, and nothing else, whatever the number of images.
import { Controls, filtered, viewsOf } from "./controls.js";
import { hideStill, make, said } from "./dom.js";
import { Enlarged } from "./enlarge.js";
import { Entries } from "./entries.js";
import { Hands, keysHelp } from "./hands.js";
import { Items, measured } from "./items.js";
import { Scroller } from "./scroller.js";
import { Pictures, Wire } from "./wire.js";

const UNSEEN_PX = 800; // the width where none can be measured yet
const REST_MS = 100; // in view that long, more than a place that is scrolled past
const STALLED = "The kernel does not answer: it is busy, or it was restarted (then run the cell again).";
const ONE = { components: "component", images: "image", pairs: "pair" };

class View {
  constructor(model, el) {
    this.model = model;
    this.name = `pv-${Math.random().toString(36).slice(2)}`;
    this.view = model.get("view");
    const onError = (error) => this.fail(error);
    this.wire = new Wire(model, (stalled) => this.stall(stalled));
    this.pictures = new Pictures(this.wire, { onArrival: (rows) => this.pictured(rows), onError });
    this.items = new Items(this.pictures, () => this.count());
    this.entries = new Entries(model, this.wire, {
      range: () => ({ ...this.scroller.range(), most: this.shape.most, room: this.shape.room }),
      onArrival: (changed) => this.learned(changed),
      onPictures: (pictures, buffers) => pictures.px === model.get("thumb_px") && this.pictures.receive(pictures, buffers),
      onError,
    });
    this.build(el);
    this.hands = new Hands(this);
    this.listen();
    this.resize();
  }

  build(el) {
    this.controls = new Controls(this.model, {
      onChange: () => this.ask({ kind: "ping" }), // a kernel that is gone does not say so
      toView: () => this.scroller.viewport.focus({ preventScroll: true }),
    });
    this.scroller = new Scroller({
      place: (item) => this.place(item),
      onDraw: () => this.drawn(),
      attributes: { role: "listbox", "aria-multiselectable": "true", "aria-label": this.view, "aria-describedby": `${this.name}-keys` },
    });
    this.status = make("span", { class: "pv-status", role: "status" });
    this.chosen = make("span", { class: "pv-chosen", role: "status" });
    this.problem = make("div", { class: "pv-problem", role: "alert", hidden: true });
    this.headline = make("div", { class: "pv-headline", hidden: true });
    this.help = keysHelp(`${this.name}-keys`);
    this.helpButton = make("button", { type: "button", class: "pv-button", text: "?", title: "keys", "aria-label": "keys", "aria-expanded": "false", "aria-controls": this.help.id, onclick: () => this.toggleHelp() });
    this.root = make(
      "div",
      // Lab's own keys would cut and delete cells while a person moves through pictures.
      { class: "pv-gallery", "data-lm-suppress-shortcuts": "true", "data-pending": "1", role: "region", "aria-label": "gallery" },
      hideStill(this.model),
      this.headline,
      this.controls.element,
      this.problem,
      this.scroller.viewport,
      this.help,
      make("div", { class: "pv-foot" }, this.status, this.chosen, this.helpButton),
    );
    el.append(this.root);
    this.large = new Enlarged(this.root, {
      wire: this.wire,
      pictures: this.pictures,
      view: () => this.view,
      onWant: () => this.wish(),
      onClose: (row) => this.back(row),
    });
  }

  listen() {
    const acts = {
      "change:_version": () => this.renew(),
      "change:_marks": () => this.entries.refresh(),
      "change:_status": () => this.words(),
      "change:_selected_count": () => this.words(),
      "change:_problem": () => this.words(),
      "change:title": () => this.words(),
      "change:thumb_px": () => this.resize({ pictures: true }),
      "change:height_px": () => this.resize(),
    };
    for (const [name, act] of Object.entries(acts)) this.model.on(name, act);
    this.watch = new ResizeObserver(() => this.resize());
    this.watch.observe(this.scroller.viewport);
    this.leave = () => {
      for (const [name, act] of Object.entries(acts)) this.model.off(name, act);
      this.watch.disconnect();
    };
  }

  close() {
    this.leave();
    clearTimeout(this.later);
    for (const part of [this.controls, this.large, this.wire, this.pictures]) part.close();
    this.root.remove();
  }

  // Where things are.

  /** Measure anew; nothing happens if everything is as large as before. */
  resize({ pictures = false } = {}) {
    const { viewport } = this.scroller;
    viewport.style.height = `${this.model.get("height_px")}px`;
    const size = [viewport.clientWidth, viewport.clientHeight, this.model.get("thumb_px")].join();
    if (size === this.size) return;
    this.size = size;
    if (pictures) this.pictures.clear();
    const most = this.shape?.most ?? 0;
    this.measure();
    if (this.shape.most > most) this.entries.clear(); // they name too few pictures
    this.lay();
  }

  measure() {
    const width = this.scroller.viewport.clientWidth || UNSEEN_PX;
    this.shape = measured(this.view, this.model.get("thumb_px"), width, this.model.get("_facts").aspect ?? 0.5);
  }

  lay(options) {
    this.words();
    this.sayEmpty();
    this.scroller.lay({ ...this.shape, total: this.model.get("_total") }, options);
  }

  /** What is shown has changed: forget what the kernel said of it, keep the pictures. */
  renew() {
    this.view = this.model.get("view");
    this.scroller.viewport.setAttribute("aria-label", this.view);
    this.entries.clear();
    this.hands.toStart();
    this.measure();
    this.lay({ toStart: true });
    this.root.dataset.version = String(this.model.get("_version"));
  }

  // What comes into view.

  place(item) {
    const element = this.items.place(item, this.view, this.shape, `${this.name}-${item}`);
    element.setAttribute("aria-posinset", String(item + 1));
    element.setAttribute("aria-setsize", String(this.scroller.shape.total));
    const entry = this.entries.get(item);
    if (entry) this.items.fill(element, entry, this.view, this.shape);
    return element;
  }

  drawn() {
    this.items.trim();
    this.hands?.mark();
    this.entries.ask();
    this.wish();
  }

  learned(changed) {
    for (const item of changed) {
      const element = this.scroller.drawn.get(item);
      if (element) this.items.fill(element, this.entries.get(item), this.view, this.shape);
    }
    this.items.trim();
    this.hands.mark();
    this.wish();
    if (!this.entries.outdated) this.root.dataset.marks = String(this.model.get("_marks"));
  }

  pictured(rows) {
    const came = new Set(rows.map(String));
    for (const frame of this.scroller.track.querySelectorAll(".pv-frame")) if (came.has(frame.dataset.row)) this.items.paint(frame, Number(frame.dataset.row));
    this.large.arrived(rows);
    this.count();
  }

  /** Wish for the pictures in view, then for those just above and below. */
  wish() {
    const rows = (frames) => [...frames].map((frame) => Number(frame.dataset.row));
    const urgent = [...this.large.wanted, ...rows(this.framesInView())];
    const all = [...urgent, ...rows(this.scroller.track.querySelectorAll(".pv-frame"))];
    this.pictures.want([...new Set(urgent)], [...new Set(all)]);
    this.count();
  }

  itemsInView() {
    const { first, last } = this.scroller.range(0);
    return [...this.scroller.drawn].filter(([item]) => item >= first && item < last).map(([, element]) => element);
  }

  framesInView() {
    return framesOf(this.itemsInView());
  }

  /** Tell, on the root, how many things in view are to come; once all are, see to what is next to it. */
  count() {
    const missing = pending(this.itemsInView());
    const drawn = [...this.scroller.drawn.values()];
    this.root.dataset.pending = String(missing);
    this.root.dataset.around = String(this.scroller.prepared && !pending(drawn));
    this.root.dataset.loaded = String(this.scroller.track.querySelectorAll("img.pv-picture").length);
    clearTimeout(this.later);
    if (!missing) this.later = setTimeout(() => this.scroller.prepare(), REST_MS);
  }

  // Words.

  stall(stalled) {
    this.root.toggleAttribute("data-stalled", stalled);
    this.words();
  }

  fail(error) {
    this.root.toggleAttribute("data-failed", true);
    this.status.textContent = error.unsent ? STALLED : `The kernel could not do this: ${error.message}`;
  }

  words() {
    const chosen = this.model.get("_selected_count");
    this.root.toggleAttribute("data-failed", false);
    this.status.textContent = this.root.hasAttribute("data-stalled") ? STALLED : this.model.get("_status");
    this.chosen.textContent = chosen ? `${chosen.toLocaleString("en")} selected` : "";
    this.problem.textContent = this.model.get("_problem");
    this.problem.hidden = !this.model.get("_problem");
    this.headline.replaceChildren(said(this.model.get("title")));
    this.headline.hidden = !this.model.get("title");
  }

  sayEmpty() {
    const filters = filtered(this.model);
    const clear = make("button", { type: "button", class: "pv-button", text: "Clear filters", onclick: () => this.controls.clearAll() });
    this.scroller.empty.replaceChildren(
      make("p", { text: filters ? `No ${ONE[this.view]} fits these filters.` : `There is no ${ONE[this.view]} to show.` }),
      ...(filters ? [clear] : []),
    );
  }

  // What hands ask for.

  ask(message) {
    return this.wire.ask(message).catch((error) => this.fail(error));
  }

  enlarge(row) {
    this.large.open(row);
  }

  /** After a look at an enlarged image: the cursor goes to where one walked. */
  async back(row) {
    this.scroller.viewport.focus({ preventScroll: true });
    const [{ item }] = row === null ? [{ item: -1 }] : ((await this.ask({ kind: "place", row })) ?? [{ item: -1 }]);
    if (item >= 0 && !this.large.dialog.open) this.hands.goTo(item, row);
  }

  nextView() {
    const views = viewsOf(this.model.get("_facts"));
    this.model.set("view", views[(views.indexOf(this.view) + 1) % views.length]);
    this.model.save_changes();
  }

  toQuery() {
    this.root.querySelector(".pv-query").focus();
  }

  toggleHelp() {
    this.help.hidden = !this.help.hidden;
    this.helpButton.setAttribute("aria-expanded", String(!this.help.hidden));
  }
}

function framesOf(items) {
  return items.flatMap((element) => [...element.querySelectorAll(".pv-frame")]);
}

/** How many of these items, and of their pictures, are still to come. */
function pending(items) {
  const waiting = items.filter((element) => element.classList.contains("pv-waiting"));
  const open = framesOf(items).filter(({ firstChild: picture }) => !picture || picture.complete === false);
  return waiting.length + open.length;
}

function render({ model, el }) {
  const view = new View(model, el);
  return () => view.close();
}

export default { render };
