// The gallery's view: rows of what is in view, and nothing else, whatever the number of images.
import { Controls, clearFilters, filtered } from "./controls.js";
import { chip, make, said } from "./dom.js";
import { Enlarged } from "./enlarge.js";
import { GAP_PX, columns, fit, inView, reveal, step, track } from "./layout.js";
import { Pictures, Wire } from "./wire.js";

const OVER = 1;
const HEAD_PX = 26;
const CAPTION_PX = 20;
const PAD_PX = 10;
const MOST_CHIPS = 24;
const SIDE = 0.4; // share of a component's row that its labels take
const HELP = "Arrows, Page Up/Down, Home, End: move. Enter: enlarge. Space: select. Shift with arrows or a click: select up to there. Ctrl+A: select all shown. Esc: select nothing. / : query. v: next view.";

class View {
  constructor(model, el) {
    this.model = model;
    this.rows = new Map(); // item number → what the kernel said of it
    this.drawn = new Map(); // item number → element
    this.active = { item: 0, picture: 0 };
    this.anchor = 0;
    this.top = 0;
    this.asking = false;
    this.wire = new Wire(model, (stalled) => this.stall(stalled));
    this.pictures = new Pictures(this.wire, (rows) => this.arrived(rows));
    this.build(el);
    this.listen();
    this.resize();
  }

  build(el) {
    this.controls = new Controls(this.model);
    this.status = make("span", { class: "pv-status", role: "status", "aria-live": "polite" });
    this.chosen = make("span", { class: "pv-chosen" });
    this.problem = make("div", { class: "pv-problem", role: "alert", hidden: true });
    this.headline = make("div", { class: "pv-headline", hidden: true });
    this.track = make("div", { class: "pv-track", role: "presentation" });
    this.empty = make("div", { class: "pv-empty", hidden: true });
    this.viewport = make("div", { class: "pv-viewport", tabindex: "0", role: "listbox", "aria-multiselectable": "true", "aria-label": `images. ${HELP}` }, this.track, this.empty);
    const help = make("button", { type: "button", class: "pv-button", text: "?", title: HELP, "aria-label": `keys: ${HELP}`, onclick: () => (this.help.hidden = !this.help.hidden) });
    this.help = make("div", { class: "pv-help", text: HELP, hidden: true });
    this.root = make(
      "div",
      // Lab's own keys would cut and delete cells while a person moves through pictures.
      { class: "pv-gallery", "data-lm-suppress-shortcuts": "true", "data-pending": "1", role: "region", "aria-label": "gallery" },
      this.headline,
      this.controls.element,
      this.help,
      this.problem,
      this.viewport,
      make("div", { class: "pv-foot" }, this.status, this.chosen, help),
    );
    el.append(this.root);
    this.large = new Enlarged(this.root, {
      wire: this.wire,
      pictures: this.pictures,
      select: (message) => this.select(message),
      onClose: () => this.viewport.focus({ preventScroll: true }),
    });
    this.large.onWant = (rows) => {
      this.alsoWanted = rows;
      this.wish();
    };
    this.alsoWanted = [];
  }

  listen() {
    const on = (name, act) => {
      this.model.on(`change:${name}`, act);
      this.leave.push(() => this.model.off(`change:${name}`, act));
    };
    this.leave = [];
    on("_version", () => this.renew());
    on("_marks", () => this.askRows(true));
    on("_status", () => this.words());
    on("_problem", () => this.words());
    on("title", () => this.words());
    on("thumb_px", () => {
      this.pictures.clear();
      this.resize();
    });
    on("height_px", () => this.resize());
    this.viewport.addEventListener("scroll", () => this.scrolled());
    this.viewport.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    this.viewport.addEventListener("keydown", (event) => this.key(event));
    this.root.addEventListener("keydown", (event) => this.outerKey(event));
    this.track.addEventListener("click", (event) => this.click(event));
    this.watch = new ResizeObserver(() => this.resize());
    this.watch.observe(this.viewport);
  }

  close() {
    for (const leave of this.leave) leave();
    this.watch.disconnect();
    this.controls.close();
    this.wire.close();
    this.pictures.close();
    this.root.remove();
  }

  // Where things are.

  measure() {
    const px = this.model.get("thumb_px");
    const view = this.model.get("view");
    const width = this.viewport.clientWidth || 800;
    const aspect = this.model.get("_facts").aspect ?? 0.5;
    const tile = Math.round(Math.min(2, Math.max(0.5, aspect)) * px);
    this.px = px;
    this.view = view;
    this.inner = width - 2 * PAD_PX;
    if (view === "components") {
      this.perLine = 1;
      this.linePx = px + HEAD_PX + 2 * PAD_PX;
      this.most = Math.min(80, Math.ceil((this.inner * (1 - SIDE)) / (0.25 * px)) + 1);
    } else {
      this.tilePx = view === "pairs" ? 2 * tile + GAP_PX : tile;
      this.perLine = columns(this.inner, this.tilePx);
      this.linePx = px + CAPTION_PX + GAP_PX + 6;
      this.most = 2;
    }
    this.total = this.model.get("_total");
    this.lines = Math.ceil(this.total / this.perLine);
    this.viewPx = this.viewport.clientHeight;
    this.map = track(this.lines, this.linePx, this.viewPx);
  }

  resize() {
    this.viewport.style.height = `${this.model.get("height_px")}px`;
    const before = `${this.view}/${this.inner}/${this.px}/${this.viewPx}`;
    this.measure();
    if (before === `${this.view}/${this.inner}/${this.px}/${this.viewPx}` && this.drawn.size) return;
    if (this.most > (this.mostBefore ?? 0)) this.rows.clear();
    this.mostBefore = Math.max(this.most, this.mostBefore ?? 0);
    this.redraw();
  }

  /** What is shown has changed: forget what the rows said, keep the pictures. */
  renew() {
    this.measure();
    this.rows.clear();
    this.top = 0;
    this.active = { item: 0, picture: 0 };
    this.viewport.scrollTop = 0;
    this.redraw();
  }

  redraw() {
    for (const element of this.drawn.values()) element.remove();
    this.drawn.clear();
    this.track.style.height = `${this.map.physical}px`;
    this.words();
    this.draw();
  }

  scrolled() {
    if (this.ownScroll) {
      this.ownScroll = false;
      return;
    }
    this.top = this.viewport.scrollTop * this.map.scale;
    this.draw();
  }

  /** Where the height is scaled down, a turn of the wheel must still move by a line. */
  wheel(event) {
    if (this.map.scale === 1 || event.ctrlKey || event.deltaY === 0) return;
    event.preventDefault();
    this.scrollTo(this.top + event.deltaY * (event.deltaMode === 1 ? 20 : 1));
  }

  scrollTo(top) {
    this.top = Math.max(0, Math.min(this.map.content - this.viewPx, top));
    const physical = this.top / this.map.scale;
    if (Math.abs(this.viewport.scrollTop - physical) >= 1) {
      this.ownScroll = true;
      this.viewport.scrollTop = physical;
    }
    this.draw();
  }

  // Drawing.

  draw() {
    const lines = inView(this.top, this.viewPx, this.linePx, this.lines, OVER);
    const first = lines.first * this.perLine;
    const last = Math.min(this.total, first + lines.count * this.perLine);
    for (const [item, element] of this.drawn) {
      if (item >= first && item < last) continue;
      element.remove();
      this.drawn.delete(item);
    }
    for (let item = first; item < last; item += 1) {
      let element = this.drawn.get(item);
      if (!element) {
        element = this.place(item);
        this.drawn.set(item, element);
        this.track.append(element);
      }
      const y = this.viewport.scrollTop - this.top + Math.floor(item / this.perLine) * this.linePx;
      const x = PAD_PX + (item % this.perLine) * ((this.tilePx ?? 0) + GAP_PX);
      element.style.transform = `translate(${this.view === "components" ? 0 : x}px, ${y}px)`;
    }
    this.empty.hidden = this.total > 0;
    if (!this.total) this.sayEmpty();
    this.trim();
    this.mark();
    this.askRows();
    this.wish();
  }

  place(item) {
    const row = this.rows.get(item);
    const element = make("div", { class: `pv-item pv-${this.view}`, id: `${this.name}-${item}`, "data-item": String(item), style: `height: ${this.linePx}px; ${this.view === "components" ? "" : `width: ${this.tilePx}px`}` });
    if (row) this.fill(element, row, item);
    else element.classList.add("pv-waiting");
    return element;
  }

  get name() {
    return (this.ownName ??= `pv-${Math.random().toString(36).slice(2)}`);
  }

  fill(element, row, item) {
    element.classList.remove("pv-waiting");
    element.setAttribute("role", "option");
    element.setAttribute("aria-posinset", String(item + 1));
    element.setAttribute("aria-setsize", String(this.total));
    const paint = { components: this.component, images: this.image, pairs: this.pair }[this.view];
    element.replaceChildren(...paint.call(this, row, element));
  }

  component(row, element) {
    const room = this.inner * (1 - SIDE);
    const shown = fit(row.images.map((image) => image.aspect), this.px, room, row.size);
    const contested = row.labels.filter(([, carried, known]) => carried < known).length;
    element.setAttribute("aria-label", `component ${row.id}, ${row.size} images, ${contested} contested labels`);
    element.setAttribute("aria-selected", String(row.selected === row.size));
    element.classList.toggle("pv-some", row.selected > 0);
    const words = row.figures.map(([name, value]) => make("span", { class: "pv-figure" }, said(name.replaceAll("_", " ")), " ", said(value)));
    const head = make(
      "div",
      { class: "pv-head" },
      make("input", { type: "checkbox", class: "pv-check", tabindex: "-1", checked: row.selected === row.size, indeterminate: row.selected > 0 && row.selected < row.size, "aria-label": `select component ${row.id}` }),
      make("b", {}, said(row.id)),
      make("span", { class: "pv-figure", text: row.size === 1 ? "1 image" : `${row.size} images` }),
      ...words,
      ...row.flags.map((flag) => make("span", { class: "pv-flag" }, said(flag))),
      row.note ? make("span", { class: "pv-note", title: row.note }, said(row.note)) : null,
    );
    const more = row.size - shown;
    const strip = make(
      "div",
      { class: "pv-strip" },
      ...row.images.slice(0, shown).map((image, n) => this.frame(image, n, row.weakest.includes(image.row) && row.size > 2)),
      more > 0 ? make("button", { type: "button", class: "pv-more", tabindex: "-1", text: `+${more}`, "aria-label": `${more} more images: enlarge` }) : null,
    );
    const chips = row.labels.slice(0, MOST_CHIPS).map(chip);
    if (!row.labels.length) chips.push(make("span", { class: "pv-figure", text: "no label" }));
    else if (!contested && row.size > 1) chips.unshift(make("span", { class: "pv-agree", text: "all agree" }));
    const labels = make("div", { class: "pv-labels", style: `height: ${this.px}px` }, ...chips);
    labels.dataset.more = String(row.labels.length - Math.min(row.labels.length, MOST_CHIPS) + row.more_labels);
    return [head, make("div", { class: "pv-row" }, strip, labels)];
  }

  /** Leave out the labels that have no room, and say how many. */
  trim() {
    const crowded = [...this.track.querySelectorAll(".pv-labels[data-more]")].map((labels) => {
      const room = labels.clientHeight;
      const chips = [...labels.children];
      let shown = chips.findIndex((one) => one.offsetTop + one.offsetHeight > room);
      if (shown < 0) shown = chips.length;
      return { labels, chips, shown, more: Number(labels.dataset.more) + chips.length - shown };
    });
    for (const { labels, chips, shown, more } of crowded) {
      delete labels.dataset.more;
      if (!more) continue;
      const kept = shown === chips.length ? shown : Math.max(1, shown - 1);
      for (const one of chips.slice(kept)) one.remove();
      labels.append(make("span", { class: "pv-figure", text: `+${more + shown - kept}`, title: "enlarge to see all labels" }));
    }
  }

  image(row, element) {
    element.setAttribute("aria-label", row.id);
    element.setAttribute("aria-selected", String(row.selected));
    return [this.frame(row, 0, false, this.tilePx), make("div", { class: "pv-caption", title: row.id }, said(row.id.split("/").pop()))];
  }

  pair(row, element) {
    const words = `${row.similarity} ${row.linked ? "linked" : row.joined ? "via others" : "apart"}`;
    element.setAttribute("aria-label", `${words}: ${row.images.map((image) => image.id).join(" and ")}`);
    element.setAttribute("aria-selected", String(row.images.every((image) => image.selected)));
    const width = (this.tilePx - GAP_PX) / 2;
    return [
      make("div", { class: "pv-strip" }, ...row.images.map((image, n) => this.frame(image, n, false, width))),
      make("div", { class: row.linked ? "pv-caption pv-linked" : "pv-caption", text: words }),
    ];
  }

  /** A picture's place: as wide as it will be, so that nothing moves when it comes in. */
  frame(image, n, weakest, mostPx = Infinity) {
    const width = Math.min(mostPx, Math.max(8, Math.round(image.aspect * this.px)));
    const frame = make("span", {
      class: "pv-frame",
      "data-row": String(image.row),
      "data-n": String(n),
      "data-weakest": weakest ? "true" : undefined,
      "data-selected": image.selected ? "true" : undefined,
      title: weakest ? `${image.id}: an end of the weakest link` : image.id,
      style: `width: ${width}px; height: ${this.px}px`,
    });
    frame.dataset.id = image.id;
    this.paint(frame, image.row);
    return frame;
  }

  paint(frame, row) {
    const picture = this.pictures.get(row);
    if (!picture || frame.dataset.there) return;
    frame.dataset.there = "true";
    if (picture.problem) frame.append(make("span", { class: "pv-missing", title: picture.problem }, said(picture.problem)));
    else frame.append(make("img", { class: "pv-picture", src: picture.url, alt: frame.dataset.id, draggable: "false", onload: () => this.count(), onerror: () => this.count() }));
  }

  arrived(rows) {
    const came = new Set(rows.map(String));
    for (const frame of this.track.querySelectorAll(".pv-frame")) if (came.has(frame.dataset.row)) this.paint(frame, Number(frame.dataset.row));
    for (const row of rows) this.large.arrived(row);
    this.count();
  }

  // Asking the kernel.

  /** Ask for the rows in view that are not known; one request at a time. */
  async askRows(again = false) {
    if (again) this.stale = true;
    if (this.asking || !this.total) return;
    const lines = inView(this.top, this.viewPx, this.linePx, this.lines, OVER);
    let first = lines.first * this.perLine;
    let last = Math.min(this.total, first + lines.count * this.perLine);
    if (!this.stale) {
      while (first < last && this.rows.has(first)) first += 1;
      while (last > first && this.rows.has(last - 1)) last -= 1;
    }
    if (first === last) return;
    const stale = this.stale;
    this.stale = false;
    this.asking = true;
    try {
      const [content] = await this.wire.ask({ kind: "rows", first, count: last - first, most: this.most });
      if (content.version === this.model.get("_version")) this.learn(content, stale);
    } catch (error) {
      console.warn("peta-viz:", error.message);
      this.asking = false;
      return;
    }
    this.asking = false;
    this.draw();
  }

  learn({ first, rows }, stale) {
    if (this.rows.size > 4000 || stale) this.rows.clear();
    rows.forEach((row, n) => {
      this.rows.set(first + n, row);
      const element = this.drawn.get(first + n);
      if (element) this.fill(element, row, first + n);
    });
  }

  /** Wish for the pictures in view, then for those just above and below. */
  wish() {
    const inside = [];
    const around = [];
    const { first, count } = inView(this.top, this.viewPx, this.linePx, this.lines);
    for (const [item, element] of this.drawn) {
      const line = Math.floor(item / this.perLine);
      const list = line >= first && line < first + count ? inside : around;
      for (const frame of element.querySelectorAll(".pv-frame")) list.push(Number(frame.dataset.row));
    }
    this.pictures.want([...new Set([...(this.alsoWanted ?? []), ...inside, ...around])]);
    this.count();
  }

  /** Tell, on the root, how many things in view are still to come. */
  count() {
    const { first, count } = inView(this.top, this.viewPx, this.linePx, this.lines);
    let pending = 0;
    for (let line = first; line < first + count; line += 1)
      for (let item = line * this.perLine; item < Math.min(this.total, (line + 1) * this.perLine); item += 1) {
        const element = this.drawn.get(item);
        if (!element || element.classList.contains("pv-waiting")) pending += 1;
        else
          for (const frame of element.querySelectorAll(".pv-frame")) {
            const picture = frame.firstElementChild;
            if (!picture || (picture.tagName === "IMG" && !picture.complete)) pending += 1;
          }
      }
    this.root.dataset.pending = String(pending);
    this.root.dataset.loaded = String(this.track.querySelectorAll("img.pv-picture").length);
  }

  stall(stalled) {
    this.root.toggleAttribute("data-stalled", stalled);
    this.words();
  }

  words() {
    const chosen = this.model.get("_selected_count");
    const stalled = this.root.hasAttribute("data-stalled");
    this.status.textContent = stalled
      ? "The kernel does not answer: it is busy, or it was restarted (then run the cell again)."
      : this.model.get("_status");
    this.chosen.textContent = chosen ? `${chosen.toLocaleString("en")} selected` : "";
    const problem = this.model.get("_problem");
    this.problem.textContent = problem;
    this.problem.hidden = !problem;
    const title = this.model.get("title");
    this.headline.replaceChildren(said(title));
    this.headline.hidden = !title;
  }

  sayEmpty() {
    const button = make("button", { type: "button", class: "pv-button", text: "Clear filters", onclick: () => clearFilters(this.model) });
    const what = { components: "component", images: "image", pairs: "pair" }[this.view];
    this.empty.replaceChildren(
      make("p", { text: filtered(this.model) ? `No ${what} fits these filters.` : `There is no ${what} to show.` }),
      ...(filtered(this.model) ? [button] : []),
    );
  }

  // What a person does.

  mark() {
    this.track.querySelector(".pv-active")?.classList.remove("pv-active");
    for (const frame of this.track.querySelectorAll(".pv-here")) frame.classList.remove("pv-here");
    const element = this.drawn.get(this.active.item);
    this.viewport.toggleAttribute("aria-activedescendant", false);
    if (!element) return;
    element.classList.add("pv-active");
    this.viewport.setAttribute("aria-activedescendant", element.id);
    const frames = element.querySelectorAll(".pv-frame");
    frames[Math.min(this.active.picture, frames.length - 1)]?.classList.add("pv-here");
  }

  select(message) {
    return this.wire.ask({ kind: "select", ...message });
  }

  /** The row number of the picture that the keys are at. */
  here() {
    const row = this.rows.get(this.active.item);
    if (!row) return null;
    const images = row.images ?? [row];
    return images[Math.min(this.active.picture, images.length - 1)].row;
  }

  outerKey(event) {
    if (event.key !== "/" || event.target.matches("input, select, textarea") || event.target.closest("dialog")) return;
    event.preventDefault();
    this.root.querySelector(".pv-query")?.focus();
  }

  key(event) {
    if (event.target !== this.viewport || event.altKey) return;
    const control = event.ctrlKey || event.metaKey;
    if (control && event.key.toLowerCase() === "a") this.select({ how: "all" });
    else if (control) return;
    else if (event.key === "Enter") this.enlarge(this.here());
    else if (event.key === " ") this.toggleHere();
    else if (event.key === "Escape") this.select({ how: "none" });
    else if (event.key === "v") this.nextView();
    else if (!this.walk(event)) return;
    event.preventDefault();
    event.stopPropagation();
  }

  walk(event) {
    const element = this.drawn.get(this.active.item);
    const pictures = this.view === "images" ? 0 : element ? element.querySelectorAll(".pv-frame").length : 1;
    const page = { total: this.total, perLine: this.perLine, linesPerPage: Math.max(1, Math.floor(this.viewPx / this.linePx)), pictures: this.view === "components" ? Math.max(1, pictures) : 0 };
    const next = this.total ? step(event.key, this.active, page) : null;
    if (!next) return false;
    this.active = next;
    if (event.shiftKey) this.select({ how: "add", first: this.anchor, last: next.item });
    else this.anchor = next.item;
    this.scrollTo(reveal(this.top, this.viewPx, this.linePx, Math.floor(next.item / this.perLine)));
    return true;
  }

  toggleHere() {
    this.anchor = this.active.item;
    const one = this.view === "components" ? { row: this.here() } : { first: this.active.item, last: this.active.item };
    if (this.view !== "components" || one.row !== null) this.select({ how: "toggle", ...one });
  }

  nextView() {
    const facts = this.model.get("_facts");
    const views = [...(facts.grouped ? ["components"] : []), "images", ...(facts.pairs ? ["pairs"] : [])];
    this.model.set("view", views[(views.indexOf(this.view) + 1) % views.length]);
    this.model.save_changes();
  }

  click(event) {
    const element = event.target.closest(".pv-item");
    if (!element) return;
    const item = Number(element.dataset.item);
    const frame = event.target.closest(".pv-frame");
    const before = this.anchor;
    this.anchor = item;
    this.active = { item, picture: frame ? Number(frame.dataset.n) : 0 };
    this.viewport.focus({ preventScroll: true });
    this.mark();
    if (event.shiftKey) {
      this.anchor = before;
      this.select({ how: "add", first: before, last: item });
    } else if (event.target.closest(".pv-check")) {
      event.preventDefault();
      this.select({ how: "toggle", first: item, last: item });
    } else if (frame && (event.ctrlKey || event.metaKey)) this.select({ how: "toggle", row: Number(frame.dataset.row) });
    else if (frame) this.enlarge(Number(frame.dataset.row));
    else if (event.target.closest(".pv-more")) this.enlarge(this.rows.get(item).images[element.querySelectorAll(".pv-frame").length]?.row ?? this.here());
  }

  enlarge(row) {
    if (row !== null && row !== undefined) this.large.open(row).catch((error) => console.warn("peta-viz:", error.message));
  }
}

function render({ model, el }) {
  const view = new View(model, el);
  return () => view.close();
}

export default { render };
