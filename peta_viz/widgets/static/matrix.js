// Confusion matrices: cells are buttons, and a click tells the model which one it was.
import { hideStill, make, said } from "./dom.js";

const STRONGEST = 55; // per cent of colour, so that the number stays legible
const STEPS = { ArrowRight: [0, 1], ArrowLeft: [0, -1], ArrowDown: [1, 0], ArrowUp: [-1, 0] };

class Grid {
  constructor(model, el) {
    this.model = model;
    this.bar = make("div", { class: "pv-bar" });
    this.cards = make("div", { class: "pv-cards", role: "group", "aria-label": "confusion matrices" });
    this.root = make(
      "div",
      { class: "pv-matrix", "data-lm-suppress-shortcuts": "true", role: "region", "aria-label": "confusion matrix", onkeydown: (event) => this.key(event) },
      hideStill(this.model),
      this.bar,
      this.cards,
    );
    el.append(this.root);
    this.act = { "change:_matrices": () => this.draw(), "change:cell": () => this.mark(), "change": () => this.follow() };
    for (const [name, act] of Object.entries(this.act)) model.on(name, act);
    this.controls();
    this.draw();
  }

  close() {
    for (const [name, act] of Object.entries(this.act)) this.model.off(name, act);
    this.root.remove();
  }

  set(name, value) {
    this.model.set(name, value);
    this.model.save_changes();
  }

  controls() {
    const choices = this.model.get("_choices");
    const others = choices.experiments.map((name) => [name, `minus ${name}`]);
    const same = (names) => names.map((name) => [name, name]);
    this.selects = {
      head: this.select("head", "head", same(choices.heads)),
      experiment: this.select("experiment", "experiment", same(choices.experiments)),
      against: this.select("against", "experiment that is subtracted", [["", "alone"], ...others]),
      component_size: this.select("component_size", "images in the component", choices.component_sizes.map((name) => [name, `size ${name}`])),
      image_size: this.select("image_size", "size of its images", choices.image_sizes.map((name) => [name, name === "all" ? "images of any size" : `${name} px`])),
      order: this.select("order", "order of the labels, smallest first", choices.orders.map((name) => [name, name === "as given" ? name : `by ${name}`])),
    };
    this.rates = make("input", { type: "checkbox", name: "rates", onchange: () => this.set("rates", this.rates.checked) });
    this.bar.append(make("div", { class: "pv-line" }, ...Object.values(this.selects), make("label", {}, this.rates, " shares")));
  }

  select(name, words, options) {
    const select = make("select", { name, "aria-label": words, title: words }, ...options.map(([value, text]) => make("option", { value, text })));
    select.addEventListener("change", () => this.set(name, select.value));
    return select;
  }

  follow() {
    for (const [name, select] of Object.entries(this.selects)) select.value = this.model.get(name);
    this.rates.checked = this.model.get("rates");
    this.selects.order.hidden = this.model.get("_choices").exclusive.includes(this.model.get("head"));
    this.selects.against.hidden = this.selects.experiment.options.length < 2;
    for (const option of this.selects.against.options) option.disabled = option.value === this.model.get("experiment");
  }

  draw() {
    this.follow();
    const focused = this.root.getRootNode().activeElement?.key;
    this.cards.replaceChildren(...this.model.get("_matrices").map((matrix) => this.card(matrix)));
    this.mark();
    if (focused) [...this.cards.querySelectorAll(".pv-cell")].find((button) => same(button.key, focused))?.focus();
  }

  card(matrix) {
    const top = matrix.names.map((name, n) => make("th", { scope: "col", title: `predicted ${matrix.full[n]}` }, said(name)));
    const rows = matrix.cells.map((cells, row) =>
      make(
        "tr",
        {},
        make("th", { scope: "row", title: `true ${matrix.full[row]}` }, said(matrix.names[row])),
        ...cells.map((cell, column) => make("td", {}, this.button(matrix, cell, row, column))),
      ),
    );
    return make(
      "section",
      { class: "pv-card" },
      matrix.title ? make("h4", {}, said(matrix.title)) : null,
      make("small", { text: matrix.figures }),
      make("table", { class: "pv-cells" }, make("thead", {}, make("tr", {}, make("th", { class: "pv-axes", text: "true ╲ said" }), ...top)), make("tbody", {}, ...rows)),
    );
  }

  button(matrix, cell, row, column) {
    const key = { label: matrix.label, true: matrix.full[row], predicted: matrix.full[column] };
    const button = make("button", {
      type: "button",
      class: "pv-cell",
      text: cell.text,
      title: cell.words,
      "aria-label": cell.words,
      // Tab leads from matrix to matrix, arrows from cell to cell.
      tabindex: row + column ? "-1" : "0",
      onfocus: (event) => this.stay(event.target),
      "data-good": String(cell.shade < 0 ? !cell.good : cell.good),
      style: `--pv-shade: ${Math.round(STRONGEST * Math.min(1, Math.abs(cell.shade)))}%`,
      onclick: () => this.set("cell", same(this.model.get("cell"), key) ? {} : key),
    });
    button.key = key;
    return button;
  }

  /** Let Tab come back to the cell where one was. */
  stay(button) {
    for (const other of button.closest("table").querySelectorAll(".pv-cell")) other.tabIndex = other === button ? 0 : -1;
  }

  mark() {
    const cell = this.model.get("cell");
    for (const button of this.cards.querySelectorAll(".pv-cell")) button.setAttribute("aria-pressed", String(same(button.key, cell)));
  }

  key(event) {
    const step = STEPS[event.key];
    if (event.key === "Escape" && this.model.get("cell").true !== undefined) this.set("cell", {});
    if (!step || !event.target.matches(".pv-cell")) return;
    const rows = [...event.target.closest("table").querySelectorAll("tbody tr")].map((tr) => [...tr.querySelectorAll(".pv-cell")]);
    const row = rows.findIndex((cells) => cells.includes(event.target));
    const next = rows[row + step[0]]?.[rows[row].indexOf(event.target) + step[1]];
    event.preventDefault();
    next?.focus();
  }
}

function same(a, b) {
  return a.label === b.label && a.true === b.true && a.predicted === b.predicted;
}

function render({ model, el }) {
  const grid = new Grid(model, el);
  return () => grid.close();
}

export default { render };
