/** Brings back what a person has typed and not saved: from the server, or from this browser's journal. */

import { normalizedBlocks } from "../blocks.js";
import { merge } from "../merge.js";
import { clock, t } from "../texts.js";
import { fromFields } from "./form.js";
import { Journal } from "./journal.js";

const isSame = (mine, saved) => JSON.stringify(mine) === JSON.stringify(saved);

/** Return the newest unsaved text: {fields, base_version, at}; null without one. */
async function newest(page, journal) {
  const [local] = await journal.read();
  const stored = await page.api.call("GET", page.autosave.path, undefined, { quiet: true }).catch(() => null);
  if (stored) page.autosave.match = `"${stored.sequence}"`;
  const server = stored ? { ...stored, at: Date.parse(stored.saved_at) } : null;
  if (!server || !local) return server ?? local ?? null;
  const isJournalNewer = local.tab === server.tab ? local.at > server.sequence : local.at > server.at;
  return isJournalNewer ? local : server;
}

async function revision(page, version) {
  const path = `/articles/${page.id}/revisions/${version}`;
  const found = await page.api.call("GET", path, undefined, { quiet: true }).catch(() => null);
  return found && { body: found.body, title: found.title, lead: found.lead };
}

/** Put the unsaved text of an article into its page; a button shows the saved one. */
export async function restore(page, journal) {
  const found = await newest(page, journal);
  if (!found || page.isChangedEarly) return;
  const { values, body } = fromFields(found.fields);
  const { base } = page;
  const merged = { ...base.values, ...values };
  if (isSame(normalizedBlocks(body), normalizedBlocks(base.body)) && isSame(merged, base.values)) return;
  const time = clock(new Date(found.at));
  const mine = { values: merged, body };
  const useMine = () => page.use(mine, useSaved);
  const useSaved = { label: t("use_saved"), run: () => page.use(base, { label: t("use_mine"), run: useMine }) };
  if (found.base_version && found.base_version < page.version) {
    const former = await revision(page, found.base_version);
    const { fields, conflicts } = merge(
      { ...base.values, ...(former ?? {}), body: former?.body ?? [] },
      { ...merged, body },
      { ...base.values, body: base.body },
    );
    const { body: both, ...others } = fields;
    page.use({ values: others, body: both });
    page.conflicts(conflicts);
    page.notify(t("restored_both", { time, version: page.version }), useSaved);
    return;
  }
  page.use(mine);
  page.notify(t("restored", { time }), useSaved);
}

/** Offer the newest text of a new article that was never saved. */
export async function offerNew(page, journal) {
  const [found] = await journal.readNew(page.site);
  if (!found) return;
  const title = found.fields.title || t("untitled");
  const forget = () => new Journal(found.person, found.place, found.tab).clear();
  const reopen = () => {
    page.field("key").value = found.place;
    Object.assign(page.autosave, { path: `/autosaves/${found.place}`, match: "*" });
    journal.place = found.place;
    page.use(fromFields(found.fields));
  };
  const time = clock(new Date(found.at));
  page.notify(t("unsaved_new", { time, title }), { label: t("reopen"), run: reopen }, { label: t("discard"), run: forget });
}
