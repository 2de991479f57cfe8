/** Makes elements without HTML: nothing here is a sink of Trusted Types. */

/** Return an element. Properties: `class`, `on…` listeners, booleans, and attributes by name; null leaves one out. */
export function el(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "value") element.value = value;
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

/** Return a labelled control of a form. */
export const labelled = (text, control) => el("label", {}, el("span", {}, text), control);

const COPIED = new Set(["a", "b", "code", "i", "p", "span", "strong", "time"]);

/** Return an element of a tree of `parseHtml`: text, links and times of our own pages, nothing that runs. */
export function copyOf({ tag, attributes, children }) {
  const { class: name = null, datetime = null } = attributes;
  const href = tag === "a" && /^(\/|https?:)/.test(attributes.href ?? "") ? attributes.href : null;
  const inside = children.map((child) => (typeof child === "string" ? child : copyOf(child)));
  return el(COPIED.has(tag) ? tag : "span", { class: name, datetime, href }, ...inside);
}

/** Return an icon: the outline of a path in a box of 24 by 24. */
export function icon(path) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  const outline = document.createElementNS("http://www.w3.org/2000/svg", "path");
  outline.setAttribute("d", path);
  svg.append(outline);
  return svg;
}

/**
 * Show a modal dialog with a form and return what `read` returns, or null if it was cancelled.
 *
 * The dialog is outside of every other form. `read` gets the form and may be asynchronous; if it throws, its message is
 * shown and the dialog stays. A button with a name resolves with {button: name} at once.
 */
export function ask(title, controls, read, { submit, cancel, buttons = [], className = "" }) {
  return new Promise((resolve) => {
    const problem = el("p", { class: "problem", role: "alert" });
    const close = (value) => {
      dialog.close();
      dialog.remove();
      resolve(value);
    };
    const send = async (event) => {
      event.preventDefault();
      problem.textContent = "";
      try {
        close(await read(form));
      } catch (error) {
        problem.textContent = error.message;
      }
    };
    const form = el(
      "form",
      { method: "dialog", onsubmit: send, novalidate: true },
      el("h2", {}, title),
      ...controls,
      problem,
      el(
        "div",
        { class: "buttons" },
        submit ? el("button", { type: "submit", class: "primary" }, submit) : null,
        ...buttons.map(({ name, text }) =>
          el("button", { type: "button", onclick: () => close({ button: name }) }, text),
        ),
        cancel ? el("button", { type: "button", onclick: () => close(null) }, cancel) : null,
      ),
    );
    const dialog = el("dialog", { class: `editor-dialog ${className}`.trim(), "aria-label": title }, form);
    dialog.addEventListener("cancel", (event) => {
      event.preventDefault();
      if (cancel) close(null);
    });
    // Enter that ends a composition is not Enter.
    dialog.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && (event.isComposing || event.keyCode === 229)) event.preventDefault();
    });
    document.body.append(dialog);
    dialog.showModal();
  });
}
