// How components, images and pairs look in the gallery.
import { chip, make, said } from "./dom.js";
import { GAP_PX, columns, fit, stop } from "./layout.js";

const HEAD_PX = 26;
const CAPTION_PX = 20;
const PAD_PX = 10;
const MOST_CHIPS = 60;
const MOST_FLAGS = 3;
const NARROW_PX = 700;
const PICTURES = 0.6; // share of a component's row that its pictures may take
const NARROWEST = 0.25; // of pictures, width / height, to know how many to ask for

/** Where things lie at a width: {px, inner, tilePx, perLine, linePx, left, most, room}. */
export function measured(view, px, width, aspect) {
  const inner = width - 2 * PAD_PX;
  if (view === "components") {
    const most = Math.min(80, Math.ceil((inner * PICTURES) / (NARROWEST * px)) + 1);
    const room = Math.floor(inner * PICTURES);
    return { px, inner, most, room, perLine: 1, linePx: px + HEAD_PX + 2 * PAD_PX, left: () => 0 };
  }
  const one = Math.round(Math.min(2, Math.max(0.5, aspect)) * px);
  const tilePx = Math.min(inner, view === "pairs" ? 2 * one + GAP_PX : one);
  const least = view === "pairs" ? 4 * GAP_PX : GAP_PX;
  const perLine = columns(inner, tilePx, least);
  // What is left at the end of a line goes between the tiles.
  const apart = perLine > 1 ? Math.min(2 * least + GAP_PX, (inner - perLine * tilePx) / (perLine - 1)) : 0;
  const left = (column) => PAD_PX + Math.round(column * (tilePx + apart));
  return { px, inner, tilePx, perLine, left, most: 2, room: inner, linePx: px + CAPTION_PX + PAD_PX };
}

/** Fills elements with what the kernel said of an item. */
export class Items {
  constructor(pictures, onSettled) {
    this.pictures = pictures;
    this.onSettled = onSettled;
    this.crowded = new Set();
  }

  /** An item's element before anything is known of it. */
  place(item, view, { linePx, tilePx }, id) {
    const width = tilePx ? `width: ${tilePx}px` : "";
    return make("div", { class: `pv-item pv-${view} pv-waiting`, id, role: "option", "aria-label": "loading", "aria-selected": "false", "data-item": String(item), style: `height: ${linePx}px; ${width}` });
  }

  fill(element, entry, view, shape) {
    this.shape = shape;
    this.before = new Map([...element.querySelectorAll("img.pv-picture")].map((img) => [img.parentElement.dataset.row, img]));
    element.classList.remove("pv-waiting");
    const parts = { components: this.component, images: this.image, pairs: this.pair }[view].call(this, entry, element);
    element.replaceChildren(...parts);
    this.before = null;
  }

  component(entry, element) {
    const { inner, px } = this.shape;
    const { shown, used } = fit(entry.images.map((image) => image.aspect), px, inner * PICTURES, entry.size);
    const contested = entry.labels.filter(([, carried, known]) => carried < known).length;
    const images = entry.size === 1 ? "1 image" : `${entry.size} images`;
    element.setAttribute("aria-label", [`component ${entry.id}`, images, `${contested} contested labels`, ...entry.flags, entry.note, entry.selected ? `${entry.selected} selected` : ""].filter(Boolean).join(", "));
    element.setAttribute("aria-selected", String(entry.selected === entry.size));
    element.classList.toggle("pv-some", entry.selected > 0);
    const more = entry.size - shown;
    const strip = make(
      "div",
      { class: "pv-strip" },
      ...entry.images.slice(0, shown).map((image, n) => this.frame(image, n, entry.weakest.includes(image.row) && entry.size > 2)),
      more > 0 ? make("button", { type: "button", class: "pv-more", tabindex: "-1", text: `+${more}`, "aria-label": `${more} more images: enlarge` }) : null,
    );
    const share = stop(used / inner);
    const row = make("div", { class: "pv-row", style: `grid-template-columns: ${100 * share}% 1fr` }, strip, this.labels(entry, contested));
    return [this.head(entry, images), row];
  }

  /** What matters most comes first: what has no room at the end is not seen. */
  head(entry, images) {
    const whole = entry.selected === entry.size;
    return make(
      "div",
      { class: "pv-head" },
      make("input", { type: "checkbox", class: "pv-check", tabindex: "-1", checked: whole, indeterminate: entry.selected > 0 && !whole, "aria-label": `select component ${entry.id}`, title: "select the whole component" }),
      make("b", { title: entry.id }, said(entry.id)),
      make("span", { class: "pv-figure", text: images }),
      entry.note ? make("span", { class: "pv-note", title: entry.note }, said(entry.note)) : null,
      this.flags(entry.flags),
      ...entry.figures.map(([name, value]) => make("span", { class: "pv-figure" }, said(name.replaceAll("_", " ")), " ", said(value))),
    );
  }

  flags(names) {
    if (!names.length) return null;
    const most = this.shape.inner < NARROW_PX ? 1 : MOST_FLAGS;
    const flags = names.slice(0, most).map((flag) => make("span", { class: "pv-flag", title: flag }, said(flag)));
    const more = names.length > most ? make("span", { class: "pv-figure", text: `+${names.length - most}`, title: names.join("\n") }) : null;
    return make("span", { class: "pv-flags" }, ...flags, more);
  }

  labels(entry, contested) {
    const chips = entry.labels.slice(0, MOST_CHIPS).map(chip);
    if (!entry.labels.length) chips.push(make("span", { class: "pv-figure", text: "no label" }));
    else if (!contested && entry.size > 1) chips.unshift(make("span", { class: "pv-agree", text: "all agree" }));
    const labels = make("div", { class: "pv-labels", style: `height: ${this.shape.px}px` }, ...chips);
    labels.more = Math.max(0, entry.labels.length - MOST_CHIPS) + entry.more_labels;
    this.crowded.add(labels);
    return labels;
  }

  /** Leave out the labels that have no room, and say how many; all at once, to measure once. */
  trim() {
    const measures = [...this.crowded].filter((labels) => labels.isConnected).map((labels) => {
      const chips = [...labels.children];
      const over = chips.findIndex((one) => one.offsetTop + one.offsetHeight > labels.clientHeight);
      return { labels, chips, shown: over < 0 ? chips.length : over };
    });
    this.crowded.clear();
    for (const { labels, chips, shown } of measures) {
      const left = labels.more + chips.length - shown;
      if (!left) continue;
      const kept = Math.max(1, shown - 1); // the last one makes room for the number
      for (const one of chips.slice(kept)) one.remove();
      labels.append(make("span", { class: "pv-figure", text: `+${left + shown - kept}`, title: "enlarge to see all labels" }));
    }
  }

  image(entry, element) {
    element.setAttribute("aria-label", entry.id);
    element.setAttribute("aria-selected", String(entry.selected));
    const caption = entry.id.split("/").pop() || entry.id;
    return [this.frame(entry, 0, false, this.shape.tilePx), make("div", { class: "pv-caption", title: entry.id }, said(caption))];
  }

  pair(entry, element) {
    const words = `${entry.similarity} ${entry.linked ? "linked" : entry.joined ? "via others" : "apart"}`;
    element.setAttribute("aria-label", `${words}: ${entry.images.map((image) => image.id).join(" and ")}`);
    element.setAttribute("aria-selected", String(entry.images.every((image) => image.selected)));
    const width = (this.shape.tilePx - GAP_PX) / 2;
    return [
      make("div", { class: "pv-strip" }, ...entry.images.map((image, n) => this.frame(image, n, false, width))),
      make("div", { class: entry.linked ? "pv-caption pv-linked" : "pv-caption", text: words }),
    ];
  }

  /** A picture's place: as wide as it will be, so that nothing moves when it comes in. */
  frame(image, n, weakest, mostPx = Infinity) {
    const width = Math.min(mostPx, Math.max(8, Math.round(image.aspect * this.shape.px)));
    const frame = make("span", {
      class: "pv-frame",
      "data-row": String(image.row),
      "data-n": String(n),
      "data-weakest": weakest ? "true" : undefined,
      "data-selected": image.selected ? "true" : undefined,
      title: titleOf(image, weakest),
      style: `width: ${width}px; height: ${this.shape.px}px`,
    });
    frame.dataset.id = image.id;
    this.paint(frame, image.row);
    return frame;
  }

  paint(frame, row) {
    const picture = this.pictures.get(row);
    if (!picture || frame.firstChild) return;
    // A picture that was here before is not decoded again: it would flicker.
    const before = this.before?.get(String(row));
    if (before && before.src === picture.url) frame.append(before);
    else if (picture.problem) frame.append(make("span", { class: "pv-missing", title: picture.problem }, said(picture.problem)));
    else frame.append(make("img", { class: "pv-picture", src: picture.url, alt: frame.dataset.id, draggable: "false", onload: (event) => this.came(event.target), onerror: () => this.onSettled() }));
  }

  came(img) {
    thicken(img);
    this.onSettled();
  }
}

/** What is said of a picture that is pointed at. */
export const titleOf = ({ id }, weakest) => (weakest ? `${id}: an end of the weakest link (the lowest similarity that holds the component together)` : id);

/** A picture of which a side would be less than a few pixels is drawn thicker, to be seen at all. */
export function thicken(img) {
  const { naturalWidth: width, naturalHeight: height } = img;
  const scale = Math.min(img.clientWidth / width, img.clientHeight / height);
  if (height * scale < 3) img.classList.add("pv-flat");
  else if (width * scale < 3) img.classList.add("pv-slim");
}
