/** What each page with an editor hands to it: uploads, the library and other articles of the site. */

import { choosePictures } from "./library.js";
import { OtherArticles } from "./related.js";

/**
 * @param {{api: Api, transfers: Transfers, site: string, id: string | null, notify: Function}} page What the page has;
 *   `id` is that of its article, null of a new one.
 */
export function editorOptions({ api, transfers, site, id, notify }) {
  const others = new OtherArticles(api, site, id);
  return {
    sendPicture: (file, onProgress) => transfers.sendPicture(file, onProgress),
    sendFile: (file, onProgress) => transfers.sendFile(file, onProgress),
    notify,
    chooseStored: () => choosePictures(api, site),
    articles: { choose: (known) => others.choose(known), titleOf: (article) => others.title(article) },
  };
}
