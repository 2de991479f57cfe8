/** The fields of the write form as values: of the page, of another version's page, and as fields of the API. Pure but for `read` and `fill`. */

import { el } from "../dom.js";
import { parseHtml } from "../paste/html_tree.js";

/** Names that belong to the request and not to the article. */
const OF_REQUEST = new Set(["csrf", "form_number", "version", "key", "site", "action", "body", "body_format", "tab", "has_also_in"]);
/** Fields of the API that have fields, which the form has as `source_name` and so on. */
const PARTS = ["source", "seo", "rights"];

const isField = (name, type) => name && !OF_REQUEST.has(name) && !["submit", "button", "file"].includes(type);

/** Return {name: text, or list of the chosen values of check boxes} of a form. */
export function readForm(form) {
  const values = {};
  for (const one of form.elements) {
    if (!isField(one.name, one.type)) continue;
    if (one.type === "checkbox") {
      values[one.name] ??= [];
      if (one.checked) values[one.name].push(one.value);
    } else values[one.name] = one.value.normalize("NFC");
  }
  return values;
}

/** Return whether the browser can read each field, such as a time; if not, it says so at the first one. */
export function areReadable(form) {
  const wrong = [...form.elements].find(({ validity }) => validity && !validity.valid && !validity.valueMissing);
  wrong?.closest("details")?.setAttribute("open", "");
  return wrong?.reportValidity() ?? true;
}

/** Put values into a form. */
export function fillForm(form, values) {
  for (const one of form.elements) {
    if (!isField(one.name, one.type) || !(one.name in values)) continue;
    const value = values[one.name];
    if (one.type === "checkbox") one.checked = value.includes(one.value);
    else if (one.value !== value) one.value = value;
  }
}

/**
 * Return {values, stored, part, problem, errors} of the HTML of another version's page: the fields of its form `id`, what is
 * stored, `part(id)` for the tree of an element, what the server says, and what it says of fields by name.
 */
export function readPage(html, id) {
  const { root } = parseHtml(html);
  const part = (name) => find(root, (node) => node.attributes.id === name);
  const form = part(id);
  const data = part("stored");
  const values = {};
  if (!form || !data) return null;
  each(form, (node) => {
    const { name, type = "", value = "", checked } = node.attributes;
    if (!isField(name, type)) return;
    if (type === "checkbox") {
      values[name] ??= [];
      if (checked !== undefined) values[name].push(value);
    } else if (node.tag === "textarea") values[name] = text(node).replace(/^\r?\n/, "");
    else if (node.tag === "select") values[name] = chosen(node);
    else if (node.tag === "input") values[name] = value;
  });
  const errors = {};
  each(root, (node) => {
    if (node.attributes.id?.startsWith("said-")) errors[node.attributes.id.slice("said-".length)] = text(node);
  });
  const problem = find(root, (node) => node.attributes.role === "alert" && node.attributes.class === "problem");
  return { values, stored: JSON.parse(text(data)), part, problem: problem ? text(problem) : "", errors };
}

/** Show what the server says of fields beside them, in place of what it said before. */
export function showErrors(form, errors) {
  for (const one of form.querySelectorAll(".said")) one.remove();
  for (const one of form.querySelectorAll("[aria-invalid][name]")) one.removeAttribute("aria-invalid");
  for (const [name, said] of Object.entries(errors)) {
    const field = form.elements.namedItem(name) ?? form.elements.namedItem(`${name}_name`);
    if (!field?.closest) continue;
    const id = `said-${name}`;
    const label = name === "body" ? form.querySelector(".editor-place") : (field.closest("label") ?? field);
    label?.after(el("p", { class: "said", id }, said));
    field.setAttribute("aria-invalid", "true");
    field.setAttribute("aria-describedby", id);
    field.closest("details")?.setAttribute("open", "");
  }
}

function chosen(select) {
  const options = [];
  each(select, (node) => node.tag === "option" && options.push(node));
  const option = options.find((one) => "selected" in one.attributes) ?? options[0];
  return option ? (option.attributes.value ?? text(option)) : "";
}

const text = (node) => node.children.filter((child) => typeof child === "string").join("");

function each(node, visit) {
  for (const child of node.children) {
    if (typeof child === "string") continue;
    visit(child);
    each(child, visit);
  }
}

function find(node, matches) {
  let found = null;
  each(node, (one) => {
    if (!found && matches(one)) found = one;
  });
  return found;
}

/** Return values and a body as fields of the API, as they were typed. */
export function toFields(values, body) {
  const fields = { body };
  for (const [name, value] of Object.entries(values)) {
    const part = PARTS.find((one) => name.startsWith(`${one}_`));
    if (part) (fields[part] ??= {})[name.slice(part.length + 1)] = value;
    else fields[name] = value;
  }
  return fields;
}

/** Return {values, body} of fields that `toFields` has made. */
export function fromFields({ body, ...fields }) {
  const values = {};
  for (const [name, value] of Object.entries(fields)) {
    if (PARTS.includes(name) && value && typeof value === "object") {
      for (const [part, one] of Object.entries(value)) values[`${name}_${part}`] = one;
    } else values[name] = value;
  }
  return { values, body: Array.isArray(body) ? body : [] };
}
