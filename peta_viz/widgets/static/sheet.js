// The pictures of a component: chosen or not, dropped or not, and what each has of one label.
import { CHOICES } from "./deeds.js";
import { make, said } from "./dom.js";
import { thicken } from "./items.js";
import { arrange } from "./layout.js";

const STATES = { y: ["✓", "yes"], n: ["–", "no"], "?": ["?", "not known"] };
const NEXT = { y: "no", n: "yes", "?": "yes" };

const EDGE_PX = 10; // this, and what lies between and below pictures, is as curator.css has it
const SHAPE = { apart: 10, below: 25, narrowest: 56 };
const [LEAST, MOST] = [0.5, 1.6]; // of the usual height

/** `onCell(row, value)` hears of a click on a picture's label, `onChosen()` of every choice, `onLarge(place)` of a double click. */
export class Sheet {
  constructor(pictures, { onCell, onChosen, onLarge }) {
    Object.assign(this, { pictures, onCell, onChosen, onLarge });
    this.chosen = new Set();
    this.label = make("span", { class: "pv-asked" });
    this.choice = make("span", { class: "pv-choice", "aria-live": "polite", title: "all acts but Accept majority and This head, which are for all images" });
    const choices = CHOICES.map(({ name, text, shown, keys, words }) =>
      make("button", { type: "button", class: "pv-button", title: `${words} (${shown[0]})`, "aria-keyshortcuts": keys.join(" ").replace("Ctrl", "Control"), "data-choose": name, text, onclick: () => this.pick(name) }),
    );
    this.choices = make("span", { class: "pv-deeds pv-group", role: "toolbar", "aria-label": "choose pictures" }, ...choices);
    this.bar = make("div", { class: "pv-over" }, this.label, this.choices);
    this.element = make("div", { class: "pv-sheet", role: "group", "aria-label": "the component's images" });
  }

  /** The chosen rows, in the order of the pictures. */
  rows() {
    return this.images.map(({ row }) => row).filter((row) => this.chosen.has(row));
  }

  /** The place of the first chosen picture, or -1. */
  first() {
    return this.images.findIndex(({ row }) => this.chosen.has(row));
  }

  draw({ images }, moved) {
    this.images = images;
    this.apart = images.some(({ group }) => group > 0);
    if (moved) {
      this.chosen.clear();
      this.anchor = 0;
      this.element.replaceChildren(...images.map((image, place) => this.figure(image, place)));
      this.element.scrollTop = 0;
    }
    for (const [place, image] of images.entries()) this.dress(this.element.children[place], image);
    this.mark();
    this.fit();
  }

  /** Make the pictures as high as there is room for all of them, but neither tiny nor huge. */
  fit() {
    const { clientWidth, clientHeight, style } = this.element;
    if (!clientWidth || !this.images?.length) return;
    const width = clientWidth - 1 - 2 * EDGE_PX; // it may be rounded up
    const { px, room, widths } = arrange(this.images.map(({ aspect }) => aspect), {
      ...SHAPE,
      width,
      height: clientHeight - 2 * EDGE_PX,
      least: Math.round(LEAST * this.usual),
      most: Math.round(MOST * this.usual),
    });
    style.setProperty("--pv-picture", `${px}px`);
    style.setProperty("--pv-spare", `${width - room}px`);
    for (const [place, figure] of [...this.element.children].entries()) figure.style.width = `${widths[place]}px`;
  }

  figure(image, place) {
    const number = String(place + 1);
    return make(
      "figure",
      { "data-row": String(image.row) },
      make("button", { type: "button", class: "pv-pick", title: image.id ? `${image.id} (${number})` : number, "aria-label": `image ${number} ${image.id}`, onmousedown: (event) => event.shiftKey && event.preventDefault(), onclick: (event) => (event.shiftKey ? this.upTo(place) : this.toggle(place)), ondblclick: () => this.onLarge(place) }, make("span", { class: "pv-key", text: number })),
      make("span", { class: "pv-letter", hidden: true }),
      make("button", { type: "button", class: "pv-cell", hidden: true, onclick: () => this.onCell(image.row, NEXT[this.states[place]]) }),
    );
  }

  dress(figure, { group, kept }) {
    const letter = figure.querySelector(".pv-letter");
    letter.textContent = String.fromCharCode(65 + (group % 26));
    letter.title = group ? "split off" : "the component";
    letter.hidden = !this.apart;
    figure.dataset.group = String(group % 6);
    figure.toggleAttribute("data-apart", this.apart);
    figure.toggleAttribute("data-out", !kept);
  }

  /** Show what each picture has of a label, which is named once above, and which are doubted; without one nothing. */
  paint(label, states, doubted) {
    this.states = states;
    this.label.replaceChildren(...(label ? [make("b", {}, said(label)), " ", this.count()] : []));
    for (const [place, figure] of [...this.element.children].entries()) {
      const cell = figure.querySelector(".pv-cell");
      cell.hidden = !label;
      if (!label) continue;
      const [sign, words] = STATES[states[place]];
      cell.dataset.state = states[place];
      cell.toggleAttribute("data-doubted", doubted.has(place));
      cell.textContent = sign;
      cell.title = `${label}: ${words}${doubted.has(place) ? ", likely wrong" : ""}; click for ${NEXT[states[place]]}`;
      cell.setAttribute("aria-label", `${label} of image ${place + 1}: ${words}`);
    }
  }

  /** How many of the kept images say what. */
  count() {
    const kept = [...this.states].filter((_, place) => this.images[place].kept);
    const counts = Object.entries(STATES).map(([state, [sign]]) => [sign, kept.filter((one) => one === state).length]);
    return counts.filter(([, number]) => number).map(([sign, number]) => `${sign} ${number}`).join("  ");
  }

  toggle(place) {
    const row = this.images[place]?.row;
    if (row === undefined) return;
    if (!this.chosen.delete(row)) this.chosen.add(row);
    this.anchor = place;
    this.mark();
  }

  /** Choose all pictures from the last one that was clicked to this one, too. */
  upTo(place) {
    const [first, last] = [this.anchor, place].sort((one, other) => one - other);
    this.choose([...this.chosen, ...this.images.slice(first, last + 1).map(({ row }) => row)]);
  }

  /** Choose all, the rest, those with the label, or none; what is dropped only a click chooses. */
  pick(name) {
    const wanted = { all: () => true, rest: ({ row }) => !this.chosen.has(row), with: (_, place) => this.states[place] === "y", none: () => false }[name];
    this.choose(this.images.filter((image, place) => image.kept && wanted(image, place)).map(({ row }) => row));
  }

  choose(rows) {
    this.chosen = new Set(rows);
    this.mark();
  }

  mark() {
    for (const figure of this.element.children) figure.querySelector(".pv-pick").setAttribute("aria-pressed", String(this.chosen.has(Number(figure.dataset.row))));
    const count = this.chosen.size;
    this.choice.textContent = count ? `${count} chosen: acts are for ${count === 1 ? "this one" : "these"}` : "";
    this.bar.toggleAttribute("data-some", count > 0);
    this.onChosen();
  }

  /** Pictures came in. */
  arrived() {
    for (const figure of this.element.children) {
      const frame = figure.querySelector(".pv-pick");
      const picture = this.pictures.get(Number(figure.dataset.row));
      if (!picture || frame.querySelector("img, .pv-missing")) continue;
      if (picture.url) frame.prepend(make("img", { src: picture.url, alt: "", onload: (event) => thicken(event.target) }));
      else frame.prepend(make("span", { class: "pv-missing" }, said(picture.problem)));
    }
  }

  missing() {
    return this.element.offsetParent === null ? 0 : [...this.element.querySelectorAll(".pv-pick")].filter((frame) => !frame.querySelector("img, .pv-missing")).length;
  }
}
