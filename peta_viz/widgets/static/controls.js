// Filters, order, view and threshold: each control is one trait of the model.
import { make } from "./dom.js";
import { suggest } from "./layout.js";

const WAIT_MS = 250;
const EMPTY = {
  label: "", label_state: "carried", head: "", flag: "", min_size: 0, max_size: 0, subset: "", result: "", query: "",
};
const LABEL_STATES = ["carried", "absent", "unknown", "contested"];
const MOST_CHARACTERS = 60;
const VIEW_WORDS = { components: "Components", images: "Images", pairs: "Pairs" };
let lists = 0;

/** True if any filter is set. */
export function filtered(model) {
  return Object.entries(EMPTY).some(([name, empty]) => name !== "label_state" && model.get(name) !== empty);
}

/** Take all filters away. */
export function clearFilters(model) {
  for (const [name, empty] of Object.entries(EMPTY)) model.set(name, empty);
  model.save_changes();
}

/** The views that there are, by what the kernel said. */
export function viewsOf(facts) {
  return [...(facts.grouped ? ["components"] : []), "images", ...(facts.pairs ? ["pairs"] : [])];
}

/** The tool bar. It follows the model, whoever changes it. */
export class Controls {
  /** `onChange` hears that a person changed something, `toView` puts the focus on the gallery. */
  constructor(model, { onChange = () => {}, toView = () => {} } = {}) {
    Object.assign(this, { model, onChange, toView });
    this.bound = [];
    this.timers = new Set();
    this.follow = () => this.bound.forEach((follow) => follow());
    // Built once: a control in use must survive what it causes.
    const facts = this.facts;
    this.element = make(
      "div",
      { class: "pv-bar" },
      make("div", { class: "pv-line" }, this.views(facts), ...this.order(), this.query(facts)),
      make("div", { class: "pv-line" }, ...this.filters(facts), this.clear()),
      facts.pairs ? this.threshold(facts) : null,
    );
    this.follow();
    model.on("change", this.follow);
  }

  close() {
    this.model.off("change", this.follow);
    for (const timer of this.timers) clearTimeout(timer);
  }

  get facts() {
    return this.model.get("_facts");
  }

  set(name, value) {
    this.model.set(name, value);
    this.model.save_changes();
    this.onChange();
  }

  /** Let an element show a trait, and change it; typing waits for a pause. */
  bind(element, name, { read = (e) => e.value, write = (e, v) => (e.value = v), wait = 0, event = "change" } = {}) {
    element.name = name;
    let timer = null;
    const send = () => {
      this.timers.delete(timer);
      timer = null;
      this.set(name, read(element));
    };
    element.addEventListener(event, () => {
      clearTimeout(timer);
      this.timers.delete(timer);
      if (!wait) return send();
      timer = setTimeout(send, wait);
      this.timers.add(timer);
    });
    this.bound.push(() => timer === null && write(element, this.model.get(name)));
    return element;
  }

  /** A bound choice; `options()` may change, `empty` is the word for none. */
  select(name, words, options, empty) {
    const select = make("select", { "aria-label": words, title: words });
    let there = null;
    this.bound.push(() => {
      const values = options();
      select.hidden = !values.length;
      const wanted = [...(empty === undefined ? [] : [""]), ...values.filter(Boolean)];
      if (JSON.stringify(wanted) === there) return;
      there = JSON.stringify(wanted);
      select.replaceChildren(...wanted.map((value) => make("option", { value, text: brief(value || empty) })));
    });
    const write = (e, v) => {
      e.value = v;
      if (e.selectedIndex < 0) e.value = "";
    };
    return this.bind(select, name, { write });
  }

  views(facts) {
    const buttons = viewsOf(facts).map((view) => {
      const button = make("button", { type: "button", class: "pv-button", text: VIEW_WORDS[view], onclick: () => this.set("view", view) });
      this.bound.push(() => button.setAttribute("aria-pressed", String(this.model.get("view") === view)));
      return button;
    });
    return make("span", { class: "pv-group", role: "group", "aria-label": "view" }, ...buttons);
  }

  order() {
    const columns = () => {
      const view = this.model.get("view");
      return view === "components" ? this.facts.component_columns : view === "images" ? this.facts.image_columns : [];
    };
    const sort = this.select("sort_by", "sort by", columns, "as given");
    const way = make("button", { type: "button", class: "pv-button", onclick: () => this.set("descending", !this.model.get("descending")) });
    const both = make("label", { class: "pv-group" }, "Sort ", sort);
    this.bound.push(() => {
      both.hidden = this.model.get("view") === "pairs";
      const down = this.model.get("descending");
      const words = down ? "largest first" : "smallest first";
      way.textContent = down ? "↓" : "↑";
      way.hidden = both.hidden || !sort.value;
      way.title = words;
      way.setAttribute("aria-label", words);
    });
    return [both, way];
  }

  clear() {
    const button = make("button", { type: "button", class: "pv-button pv-clear", text: "Clear filters", onclick: () => this.clearAll() });
    this.bound.push(() => (button.hidden = !filtered(this.model)));
    return button;
  }

  clearAll() {
    clearFilters(this.model);
    this.onChange();
    this.toView(); // the button hides, and the focus with it
  }

  filters(facts) {
    const state = this.select("label_state", "how the label is meant", () => (this.model.get("label") ? LABEL_STATES : []));
    const heads = facts.heads.length > 1 ? facts.heads : [];
    return [
      this.labels(facts),
      state,
      this.select("head", "head in which labels are contested, or the result is meant", () => heads, "any head"),
      this.select("flag", "flag of the component", () => this.facts.flags, "any flag"),
      facts.grouped ? this.sizes() : null,
      this.select("subset", "subset", () => facts.subsets, "any subset"),
      this.select("result", "result of an experiment", () => this.facts.results, "any result"),
    ];
  }

  sizes() {
    const size = (name, words, placeholder) =>
      this.bind(make("input", { type: "number", min: "0", placeholder, "aria-label": words, title: words, class: "pv-number" }), name, {
        read: (e) => Math.max(0, Math.trunc(Number(e.value) || 0)),
        write: (e, v) => inUse(e) || (e.value = v || ""),
        wait: WAIT_MS,
        event: "input",
      });
    return make("span", { class: "pv-group" }, "size ", size("min_size", "smallest component", "1"), "–", size("max_size", "largest component", "∞"));
  }

  query(facts) {
    const names = [...facts.image_columns, ...facts.labels].map(brief).join(", ");
    const query = make("input", {
      type: "search",
      class: "pv-query",
      placeholder: "query, such as size > 3 and width < 100",
      "aria-label": "query over columns and labels",
      title: `As in DataFrame.query; names of columns and labels:\n${names.slice(0, 1500)}`,
      spellcheck: "false",
    });
    this.bound.push(() => query.toggleAttribute("data-wrong", Boolean(this.model.get("_problem"))));
    return this.bind(query, "query", { wait: 2 * WAIT_MS, event: "input", write: (e, v) => inUse(e) && v || (e.value = v) });
  }

  labels(facts) {
    const list = make("datalist", { id: `pv-labels-${(lists += 1)}` });
    const input = make("input", { type: "search", list: list.id, placeholder: "any label", "aria-label": "label", class: "pv-label-input", spellcheck: "false", name: "label" });
    // A field holds no line breaks.
    const known = new Map([["", ""], ...facts.labels.map((label) => [label.replace(/[\r\n]/g, ""), label])]);
    const offer = () => list.replaceChildren(...suggest([...known.keys()], input.value).filter(Boolean).map((value) => make("option", { value })));
    input.addEventListener("focus", offer);
    input.addEventListener("input", () => {
      offer();
      const label = known.get(input.value);
      input.setAttribute("aria-invalid", String(label === undefined));
      if (label !== undefined && label !== this.model.get("label")) this.set("label", label);
    });
    // Enter, or leaving the field: what differs only in upper and lower case will do.
    input.addEventListener("change", () => {
      const typed = input.value.toLowerCase();
      const meant = [...known].filter(([name]) => name.toLowerCase() === typed);
      if (known.get(input.value) === undefined && meant.length === 1) this.set("label", meant[0][1]);
    });
    input.addEventListener("blur", () => {
      input.value = this.model.get("label");
      input.removeAttribute("aria-invalid");
    });
    this.bound.push(() => {
      const typing = inUse(input) && (this.model.get("label") || !known.has(input.value));
      if (!typing) input.value = this.model.get("label");
    });
    return make("span", {}, input, list);
  }

  threshold(facts) {
    const bounds = { min: String(facts.lowest), max: "1", step: "any" };
    const range = make("input", { type: "range", ...bounds, step: "0.001", class: "pv-range", "aria-label": "similarity threshold", name: "threshold" });
    const number = make("input", { type: "number", ...bounds, class: "pv-number", "aria-label": "similarity threshold, as a number" });
    const given = make("button", {
      type: "button",
      class: "pv-button",
      text: "as made",
      title: "the threshold at which these components were made",
      onclick: () => {
        this.set("threshold", this.facts.made_at);
        range.focus(); // the button is disabled now
      },
    });
    range.addEventListener("input", () => this.set("threshold", Number(range.value)));
    // A number half typed is another number: it counts after Enter, or on leaving the field.
    number.addEventListener("change", () => {
      const value = Number(number.value);
      if (number.value !== "" && value >= facts.lowest && value <= 1) this.set("threshold", value);
      else number.value = shown();
    });
    const shown = () => String(Number(this.model.get("threshold").toFixed(4)));
    this.bound.push(() => {
      const value = this.model.get("threshold");
      for (const element of [range, number]) if (!inUse(element)) element.value = shown();
      given.disabled = Math.abs(value - this.facts.made_at) < 1e-9;
    });
    return make("div", { class: "pv-line" }, make("label", { class: "pv-grow" }, "Threshold ", range), number, given);
  }
}

/** Whether a person is at it: then what was typed stands. */
function inUse(element) {
  return element.getRootNode().activeElement === element;
}

/** A name that fits a list. */
function brief(text) {
  return text.length > MOST_CHARACTERS ? `${text.slice(0, MOST_CHARACTERS)}…` : text;
}
