/** "- ", "1. ", "> " and "## " at the beginning of a paragraph. They never act within a composition. */

import { InputRule, inputRules } from "prosemirror-inputrules";
import { setKind, toggleQuote } from "./commands.js";
import { toggleList } from "./lists.js";
import { schema } from "../schema.js";

/** Return a rule that removes its mark and runs a command, in a paragraph at the top of the document. */
function atStart(pattern, commandOf) {
  return new InputRule(pattern, (state, match, start, end) => {
    const $start = state.doc.resolve(start);
    if ($start.depth !== 1 || $start.parent.type !== schema.nodes.paragraph) return null;
    const cleared = state.apply(state.tr.delete(start, end));
    let result = null;
    commandOf(match)(cleared, (tr) => {
      result = tr;
    });
    if (!result) return null;
    const tr = state.tr.delete(start, end);
    for (const step of result.steps) tr.step(step);
    return tr.setSelection(result.selection.constructor.fromJSON(tr.doc, result.selection.toJSON()));
  });
}

export const rules = inputRules({
  rules: [
    atStart(/^[-*•] $/, () => toggleList(false)),
    atStart(/^1[.)] $/, () => toggleList(true)),
    atStart(/^> $/, () => toggleQuote),
    atStart(/^(#{2,4}) $/, (match) => setKind(`heading_${match[1].length}`)),
  ],
});
