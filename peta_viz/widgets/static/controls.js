// Filters, order, view and threshold: each control is one trait of the model.
import { make } from "./dom.js";
import { suggest } from "./layout.js";

const WAIT_MS = 250;
const EMPTY = {
  label: "", label_state: "carried", head: "", flag: "", min_size: 0, max_size: 0, subset: "", result: "", query: "",
};
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

/** The tool bar. It follows the model, whoever changes it. */
export class Controls {
  constructor(model) {
    this.model = model;
    this.bound = [];
    this.element = make("div", { class: "pv-bar" });
    this.onFacts = () => this.build();
    this.onChange = () => this.follow();
    model.on("change:_facts", this.onFacts);
    model.on("change", this.onChange);
    this.build();
  }

  close() {
    this.model.off("change:_facts", this.onFacts);
    this.model.off("change", this.onChange);
  }

  build() {
    // A control in use stays as it is: the slider must survive what it causes.
    const facts = this.model.get("_facts");
    const shape = JSON.stringify({ ...facts, lowest: 0, made_at: 0 });
    if (shape === this.shape) return;
    this.shape = shape;
    const used = this.element.contains(document.activeElement) ? document.activeElement.name : null;
    const slider = this.slider;
    this.bound = [];
    this.element.replaceChildren(
      make("div", { class: "pv-line" }, this.views(facts), ...this.order(facts), this.clear()),
      make("div", { class: "pv-line" }, ...this.filters(facts)),
      ...(facts.pairs ? [slider ?? this.threshold(facts)] : []),
    );
    if (slider) this.bound.push(this.sliderFollow);
    this.follow();
    if (used) this.element.querySelector(`[name="${used}"]`)?.focus();
  }

  follow() {
    for (const follow of this.bound) follow();
  }

  set(name, value) {
    this.model.set(name, value);
    this.model.save_changes();
  }

  /** Let an element show a trait, and change it; typing waits for a pause. */
  bind(element, name, { read = (e) => e.value, write = (e, v) => (e.value = v), wait = 0, event = "change" } = {}) {
    element.name = name;
    let timer = null;
    const send = () => {
      timer = null;
      this.set(name, read(element));
    };
    element.addEventListener(event, () => {
      clearTimeout(timer);
      if (wait) timer = setTimeout(send, wait);
      else send();
    });
    this.bound.push(() => timer === null && write(element, this.model.get(name)));
    return element;
  }

  views(facts) {
    const offered = [...(facts.grouped ? ["components"] : []), "images", ...(facts.pairs ? ["pairs"] : [])];
    const buttons = offered.map((view) => {
      const button = make("button", {
        type: "button",
        class: "pv-button",
        text: VIEW_WORDS[view],
        onclick: () => this.set("view", view),
      });
      this.bound.push(() => button.setAttribute("aria-pressed", String(this.model.get("view") === view)));
      return button;
    });
    return make("span", { class: "pv-group", role: "group", "aria-label": "view" }, ...buttons);
  }

  select(name, words, values, empty) {
    const options = values.map((value) => make("option", { value, text: value }));
    const select = make("select", { "aria-label": words, title: words }, empty === undefined ? null : make("option", { value: "", text: empty }), ...options);
    return this.bind(select, name);
  }

  order(facts) {
    const sort = this.select("sort_by", "sort by", [], "as given");
    const choose = () => {
      const view = this.model.get("view");
      const names = view === "components" ? facts.component_columns : view === "images" ? facts.image_columns : [];
      const wanted = ["", ...names];
      const there = [...sort.options].map((option) => option.value);
      if (JSON.stringify(there) !== JSON.stringify(wanted))
        sort.replaceChildren(...wanted.map((value) => make("option", { value, text: value || "as given" })));
      sort.disabled = view === "pairs";
      sort.value = this.model.get("sort_by");
      if (sort.selectedIndex < 0) sort.value = "";
    };
    this.bound.push(choose);
    const way = make("button", {
      type: "button",
      class: "pv-button",
      onclick: () => this.set("descending", !this.model.get("descending")),
    });
    this.bound.push(() => {
      const down = this.model.get("descending");
      way.textContent = down ? "↓" : "↑";
      const words = down ? "largest first" : "smallest first";
      way.title = words;
      way.setAttribute("aria-label", words);
    });
    return [make("label", {}, "Sort ", sort), way];
  }

  clear() {
    const button = make("button", {
      type: "button",
      class: "pv-button pv-clear",
      text: "Clear filters",
      onclick: () => clearFilters(this.model),
    });
    this.bound.push(() => (button.hidden = !filtered(this.model)));
    return button;
  }

  filters(facts) {
    const parts = [this.labels(facts), this.select("label_state", "how the label is meant", ["carried", "absent", "unknown", "contested"])];
    const state = parts[1];
    this.bound.push(() => (state.hidden = !this.model.get("label")));
    if (facts.heads.length > 1) parts.push(this.select("head", "head in which labels are contested, or the result is meant", facts.heads, "any head"));
    if (facts.flags.length) parts.push(this.select("flag", "flag of the component", facts.flags, "any flag"));
    if (facts.grouped) {
      const size = (name, words, placeholder) =>
        this.bind(make("input", { type: "number", min: "0", placeholder, "aria-label": words, title: words, class: "pv-number" }), name, {
          read: (e) => Math.max(0, Math.trunc(Number(e.value) || 0)),
          write: (e, v) => document.activeElement !== e && (e.value = v || ""),
          wait: WAIT_MS,
          event: "input",
        });
      parts.push(make("span", { class: "pv-group" }, "size ", size("min_size", "smallest component", "1"), "–", size("max_size", "largest component", "∞")));
    }
    if (facts.subsets.length) parts.push(this.select("subset", "subset", facts.subsets, "any subset"));
    if (facts.results.length) parts.push(this.select("result", "result of an experiment", facts.results, "any result"));
    const query = make("input", {
      type: "search",
      class: "pv-query",
      placeholder: "query, such as size > 3 and blur < 100  ( / )",
      "aria-label": "query over columns and labels",
      title: "As in DataFrame.query; names of columns and labels:\n" + [...facts.image_columns, ...facts.labels].join(", ").slice(0, 1500),
      spellcheck: "false",
    });
    parts.push(this.bind(query, "query", { wait: 2 * WAIT_MS, event: "input", write: (e, v) => document.activeElement !== e && (e.value = v) }));
    return parts;
  }

  labels(facts) {
    const id = `pv-labels-${(lists += 1)}`;
    const list = make("datalist", { id });
    const input = make("input", { type: "search", list: id, placeholder: "any label", "aria-label": "label", class: "pv-label-input", spellcheck: "false" });
    const offer = () => list.replaceChildren(...suggest(facts.labels, input.value).map((value) => make("option", { value })));
    input.addEventListener("focus", offer);
    input.addEventListener("input", () => {
      offer();
      const known = input.value === "" || facts.labels.includes(input.value);
      input.toggleAttribute("aria-invalid", !known);
      if (known && input.value !== this.model.get("label")) this.set("label", input.value);
    });
    input.addEventListener("blur", () => {
      input.value = this.model.get("label");
      input.removeAttribute("aria-invalid");
    });
    this.bound.push(() => document.activeElement !== input && (input.value = this.model.get("label")));
    return make("span", {}, input, list);
  }

  threshold(facts) {
    const bounds = { min: String(facts.lowest), max: "1", step: "0.005" };
    const range = make("input", { type: "range", ...bounds, class: "pv-range", "aria-label": "similarity threshold", name: "threshold" });
    const number = make("input", { type: "number", ...bounds, class: "pv-number", "aria-label": "similarity threshold, as a number" });
    const write = (e, v) => (e.value = String(Number(v.toFixed(4))));
    const given = make("button", {
      type: "button",
      class: "pv-button",
      text: "as made",
      title: "the threshold at which these components were made",
      onclick: () => this.set("threshold", this.model.get("_facts").made_at),
    });
    for (const element of [range, number])
      element.addEventListener("input", () => {
        const value = Number(element.value);
        if (element.value !== "" && value >= 0 && value <= 1) this.set("threshold", value);
      });
    this.sliderFollow = () => {
      const value = this.model.get("threshold");
      if (Math.abs(Number(range.value) - value) > 1e-6 && document.activeElement !== range) write(range, value);
      if (document.activeElement !== number) write(number, value);
      given.disabled = Math.abs(value - this.model.get("_facts").made_at) < 1e-9;
    };
    this.bound.push(this.sliderFollow);
    this.slider = make("div", { class: "pv-line" }, make("label", { class: "pv-grow" }, "Threshold ", range), number, given);
    return this.slider;
  }
}
