/** A card of another article in the editor: its title, which is not part of the text. */

import { el } from "../dom.js";
import { t } from "../texts.js";

export class RelatedView {
  /** `titleOf(id)` resolves with a title, or null. */
  constructor(node, titleOf) {
    this.node = node;
    const { article, number } = node.attrs;
    const title = el("b", {}, `№ ${number ?? ""}`);
    this.dom = el("div", { class: "atom related" }, el("small", {}, `${t("related")}: `), title);
    titleOf(article).then((text) => {
      title.textContent = text ?? t("related_unknown", { number: number ?? "" });
    });
  }

  update(node) {
    return node.sameMarkup(this.node);
  }
}
