/** The pages with an editor: an article, its live version (`../write/live.js`), a static page (`../write/static_page.js`). */

import { setLanguage, setZone } from "../texts.js";
import { ArticlePage } from "../write/article_page.js";
import { LivePage } from "../write/live.js";
import { StaticPage } from "../write/static_page.js";

const PAGES = { write: ArticlePage, live: LivePage, page: StaticPage };

const form = document.querySelector(Object.keys(PAGES).map((id) => `form#${id}`).join());
if (form?.elements.namedItem("body")) {
  setLanguage(document.documentElement.lang);
  setZone(form.dataset.zone);
  const page = new PAGES[form.id](form);
  page.started = page.start?.();
}
