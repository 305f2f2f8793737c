// Elements without markup: all text goes in as text.

// JupyterLab looks for its own keys (x cuts the cell) at the element that has the focus first.
const FOCUSABLE = "button, input, select, summary, dialog, [tabindex]";

/** Make an element; `class`, `text`, `on…` and attributes by name, then children. */
export function make(tag, options = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(options)) {
    if (value === undefined || value === null || value === false) continue;
    if (name === "text") element.textContent = value;
    else if (name === "class") element.className = value;
    else if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name in element && typeof value !== "string") element[name] = value;
    else element.setAttribute(name, value === true ? "" : value);
  }
  if (element.matches(FOCUSABLE)) element.setAttribute("data-lm-suppress-shortcuts", "true");
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

/** Text from data: isolated, so that right-to-left names leave their neighbours in place. */
export function said(text, className) {
  return make("bdi", { text, class: className });
}

/** A label with its count; what is contested stands out, filled as far as it is carried. */
export function chip([label, carried, known]) {
  const contested = carried > 0 && carried < known;
  const share = known ? Math.round((100 * carried) / known) : 0;
  const element = make(
    "span",
    {
      class: contested ? "pv-chip pv-contested" : "pv-chip",
      title: `${label}: ${carried} of ${known}${contested ? ", contested" : ""}`,
      style: contested ? `--pv-share: ${share}%` : undefined,
    },
    said(label), // gives way where there is no room; the count, a text without an element, does not
    ` ${carried}/${known}`,
  );
  return element;
}

/** While this is in the page, the still picture of the same widget is not shown. */
export function hideStill(model) {
  const still = `[data-pv-still="${CSS.escape(model.get("_still_id"))}"]`;
  return make("style", { text: `${still}, .jp-OutputArea-child:has(${still}) { display: none !important; }` });
}
