/** The toolbar of the editor: one stop of Tab, arrow keys within, states for screen readers. */

import { redo, redoDepth, undo, undoDepth } from "prosemirror-history";
import * as tables from "prosemirror-tables";
import { el, icon } from "../dom.js";
import { schema } from "../schema.js";
import { t } from "../texts.js";
import { ancestor, blockKind, setKind, toggle, toggleQuote } from "./commands.js";
import { editLink, editTableCaption, insertFile, insertRelated, insertTable, insertVideo } from "./dialogs.js";
import { indent, outdent, outerList, toggleList } from "./lists.js";

const KINDS = ["paragraph", "heading_2", "heading_3", "heading_4"];
const ICONS = {
  undo: "M9 7 4 12l5 5M4 12h10a6 6 0 0 1 0 8h-2",
  redo: "m15 7 5 5-5 5M20 12H10a6 6 0 0 0 0 8h2",
  strong: "M7 5h6a3.5 3.5 0 0 1 0 7H7zM7 12h7a3.5 3.5 0 0 1 0 7H7z",
  em: "M10 5h8M6 19h8M14 5l-4 14",
  sub: "m4 6 8 10M12 6 4 16M16 15.5a2 2 0 1 1 3.5 1.5L16 21h4",
  sup: "m4 8 8 10M12 8 4 18M16 4.5A2 2 0 1 1 19.5 6L16 10h4",
  link: "M10 14a4 4 0 0 0 6 0l3-3a4 4 0 0 0-6-6l-1 1M14 10a4 4 0 0 0-6 0l-3 3a4 4 0 0 0 6 6l1-1",
  bullets: "M9 6h11M9 12h11M9 18h11M4.5 6h.01M4.5 12h.01M4.5 18h.01",
  numbers: "M10 6h10M10 12h10M10 18h10M4 4.5 5 4v4M4 14h2.5L4 18h2.5",
  indent: "M4 5h16M11 10h9M11 14h9M4 19h16M4 9l3 3-3 3",
  outdent: "M4 5h16M11 10h9M11 14h9M4 19h16M7 9l-3 3 3 3",
  quote: "M5 17c3-1 4-3 4-8H4v5h3M15 17c3-1 4-3 4-8h-5v5h3",
  table: "M4 5h16v14H4zM4 10h16M4 15h16M10 5v14",
  image: "M4 5h16v14H4zM4 16l5-5 4 4 3-3 4 4M15.5 9h.01",
  library: "M7 4h14v12H7zM7 13l4-4 4 4 2-2 4 4M3 8v12h14",
  comment: "M4 5h16v11H11l-5 4v-4H4zM8 9h8M8 12h5",
  file: "M6 3h8l4 4v14H6zM14 3v4h4M9 13h6M9 17h6",
  video: "M4 5h16v14H4zM10 9l5 3-5 3z",
  related: "M4 5h16v14H4zM7 9h5v4H7zM15 9h2M15 12h2M7 16h10",
};

/** The tools: name, what it does with the view, whether it is on, and whether it can be used. */
function tools(context) {
  const command = (name, run, isOn) => ({
    name,
    run: (view) => run(view.state, view.dispatch, view),
    isOn,
    isUsable: (state) => run(state),
  });
  const mark = (name) => command(name, toggle(name), (state) => hasMark(state, schema.marks[name]));
  const inList = (ordered) => (state) => innerList(state)?.attrs.ordered === ordered;
  const dialog = (name, run) => ({ name, run, isUsable: () => true });
  return [
    { ...command("undo", undo), isUsable: (state) => undoDepth(state) > 0 },
    { ...command("redo", redo), isUsable: (state) => redoDepth(state) > 0 },
    null,
    mark("strong"),
    mark("em"),
    {
      name: "link",
      run: editLink,
      isOn: (state) => hasMark(state, schema.marks.link),
      isUsable: (state) => state.selection.$from.parent.type.allowsMarkType(schema.marks.link),
    },
    mark("sub"),
    mark("sup"),
    null,
    command("bullets", toggleList(false), inList(false)),
    command("numbers", toggleList(true), inList(true)),
    command("outdent", outdent),
    command("indent", indent),
    command("quote", toggleQuote, (state) => ancestor(state.selection.$from, schema.nodes.quote) !== null),
    null,
    dialog("image", () => context.choosePictures()),
    ...(context.openLibrary ? [dialog("library", () => context.openLibrary())] : []),
    dialog("table", insertTable),
    dialog("file", (view) => insertFile(view, context.uploadFile)),
    dialog("video", (view) => insertVideo(view)),
    ...(context.articles ? [dialog("related", (view) => insertRelated(view, context.articles.choose))] : []),
    ...(context.comment ? [null, dialog("comment", () => context.comment())] : []),
  ];
}

const TABLE_TOOLS = [
  ["row_before", tables.addRowBefore],
  ["row_after", tables.addRowAfter],
  ["column_before", tables.addColumnBefore],
  ["column_after", tables.addColumnAfter],
  ["delete_row", tables.deleteRow],
  ["delete_column", tables.deleteColumn],
  ["merge", tables.mergeCells],
  ["split", tables.splitCell],
  ["header_row", tables.toggleHeaderRow],
  ["header_column", tables.toggleHeaderColumn],
  ["header_cell", tables.toggleHeaderCell],
  ["table_caption", null],
  ["delete_table", tables.deleteTable],
];

function hasMark(state, type) {
  const { from, to, empty, $from } = state.selection;
  if (empty) return Boolean(type.isInSet(state.storedMarks ?? $from.marks()));
  return state.doc.rangeHasMark(from, to, type);
}

function innerList(state) {
  return outerList(state.selection.$from) ? ancestor(state.selection.$from, schema.nodes.list).node : null;
}

/** Let arrow keys move within a toolbar, of which one control is a stop of Tab. */
function rove(bar, view) {
  const controls = () => [...bar.querySelectorAll("button, select")].filter((one) => !one.disabled && !one.hidden);
  const stop = (chosen) => {
    for (const one of bar.querySelectorAll("button, select")) one.tabIndex = one === chosen ? 0 : -1;
  };
  bar.addEventListener("focusin", (event) => stop(event.target));
  bar.addEventListener("keydown", (event) => {
    const all = controls();
    const at = all.indexOf(document.activeElement);
    const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: all.length - 1 }[event.key];
    if (event.key === "Escape") view.focus();
    if (to === undefined || at < 0 || all.length === 0) return;
    event.preventDefault();
    all[(to + all.length) % all.length].focus();
  });
  return () => {
    const all = controls();
    if (!all.some((one) => one.tabIndex === 0) && all.length) stop(all[0]);
  };
}

export class Toolbar {
  /** `context` has choosePictures(), uploadFile(file, onProgress), and where there are such, openLibrary(), articles, comment(). */
  constructor(view, context) {
    this.view = view;
    this.tools = tools(context).filter((tool) => tool !== null);
    this.kind = el(
      "select",
      { "aria-label": t("kind"), onchange: () => this.run(setKind(this.kind.value)) },
      ...KINDS.map((kind) => el("option", { value: kind }, t(kind))),
      el("option", { value: "", hidden: true }, "—"),
    );
    const grouped = [];
    for (const tool of tools(context)) {
      if (tool === null) grouped.push(el("span", { class: "gap" }));
      else grouped.push(this.button(tool));
    }
    this.bar = el("div", { role: "toolbar", class: "tools", "aria-label": t("toolbar") }, this.kind, ...grouped);
    this.tableButtons = TABLE_TOOLS.map(([name, command]) => {
      const run = command ? () => this.run(command) : () => editTableCaption(this.view);
      return [el("button", { type: "button", tabindex: "-1", onclick: run }, t(name)), command];
    });
    const all = this.tableButtons.map(([button]) => button);
    this.tableBar = el("div", { role: "toolbar", class: "tools table-tools", "aria-label": t("table_toolbar") }, ...all);
    this.tableBar.hidden = true;
    this.dom = el("div", { class: "toolbars" }, this.bar, this.tableBar);
    this.dom.addEventListener("mousedown", (event) => {
      if (event.target.closest("button")) event.preventDefault(); // the selection stays in the text
    });
    this.settle = [rove(this.bar, view), rove(this.tableBar, view)];
    this.update(view);
  }

  button(tool) {
    const run = () => {
      tool.run(this.view);
      if (tool.isOn || ["undo", "redo", "indent", "outdent"].includes(tool.name)) this.view.focus();
    };
    const known = this.tools.find((one) => one.name === tool.name);
    known.button = el(
      "button",
      { type: "button", tabindex: "-1", title: t(tool.name), "aria-label": t(tool.name), onclick: run },
      icon(ICONS[tool.name]),
    );
    return known.button;
  }

  run(command) {
    command(this.view.state, this.view.dispatch, this.view);
    this.view.focus();
  }

  /** Focus a tool by its name. */
  show(name) {
    this.tools.find((one) => one.name === name)?.button.focus();
  }

  focus() {
    (this.bar.querySelector("[tabindex='0']") ?? this.kind).focus();
  }

  /** Show the state of the selection; called once a frame at most. */
  update() {
    const { state } = this.view;
    for (const { button, isOn, isUsable } of this.tools) {
      setAttribute(button, "aria-disabled", isUsable(state) ? null : "true");
      if (isOn) setAttribute(button, "aria-pressed", String(isOn(state)));
    }
    const kind = blockKind(state);
    const shown = KINDS.includes(kind) ? kind : "";
    if (this.kind.value !== shown) this.kind.value = shown;
    const inTable = tables.isInTable(state);
    if (this.tableBar.hidden === inTable) this.tableBar.hidden = !inTable;
    if (inTable) {
      for (const [button, command] of this.tableButtons) {
        setAttribute(button, "aria-disabled", !command || command(state) ? null : "true");
      }
    }
    for (const settle of this.settle) settle();
  }
}

function setAttribute(element, name, value) {
  if (element.getAttribute(name) === value) return;
  if (value === null) element.removeAttribute(name);
  else element.setAttribute(name, value);
}
