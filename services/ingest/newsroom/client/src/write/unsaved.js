/** Brings back what a person has typed and not saved: from the server, or from this browser's journal. */

import { normalizedBlocks } from "../blocks.js";
import { merge } from "../merge.js";
import { clock, dayAndClock, t } from "../texts.js";
import { composed } from "./composition.js";
import { fromFields, readForm } from "./form.js";
import { Journal } from "./journal.js";

const SAME_MS = 5_000;

const isSame = (mine, saved) => JSON.stringify(mine) === JSON.stringify(saved);

/** Return the newest unsaved text: {fields, base_version, base, at}; null without one. */
async function newest(page, journal) {
  const [local] = await journal.read();
  const { path } = page.autosave;
  const stored = path && (await page.api.call("GET", path, undefined, { quiet: true }).catch(() => null));
  if (stored) page.autosave.match = `"${stored.sequence}"`;
  const server = stored ? { ...stored, at: Date.parse(stored.saved_at) } : null;
  if (!server || !local) return server ?? local ?? null;
  const isJournalNewer = local.tab === server.tab ? local.at > server.sequence : local.at > server.at;
  return isJournalNewer ? local : server;
}

/** Return what a text was begun from: as it has it, or as the API has its version; null if neither does. */
async function formerOf(page, { base, base_version: version }) {
  if (base) return together(fromFields(base));
  const path = `/articles/${page.id}/revisions/${version}`;
  const found = await page.api.call("GET", path, undefined, { quiet: true }).catch(() => null);
  return found && { body: found.body, title: found.title, lead: found.lead };
}

const together = ({ values, body }) => ({ ...values, body });
const apart = ({ body, ...values }) => ({ values, body });
/** Return whether two texts, {values, body}, are the same to a reader. */
export const isSameText = (one, other) =>
  isSame(normalizedBlocks(one.body), normalizedBlocks(other.body)) && isSame(one.values, other.values);

/**
 * Put the unsaved text of an article into its page; a button shows the saved one. It may come late: what was typed
 * since then stays, and a word that is being composed is not touched.
 */
export async function restore(page, journal) {
  const found = await newest(page, journal);
  if (!found) return;
  const { values, body } = fromFields(found.fields);
  const { base } = page;
  const mine = { values: { ...base.values, ...values }, body };
  if (isSameText(mine, base)) return;
  const isOlder = found.base_version && found.base_version < page.version;
  const former = isOlder ? await formerOf(page, found) : null;
  await composed(() => page.isComposing);
  const begun = isOlder ? { ...base.values, ...(former ?? {}), body: former?.body ?? [] } : together(base);
  const { fields, conflicts } = merge(begun, together(mine), together(base));
  const typed = { ...readForm(page.form), body: page.editor.blocks };
  const both = merge(together(base), typed, fields);
  conflicts.push(...both.conflicts);
  const text = apart(both.fields);
  const useMine = () => page.use(text, useSaved);
  const useSaved = { label: t("use_saved"), run: () => page.use(base, { label: t("use_mine"), run: useMine }) };
  page.use(text);
  page.conflicts(conflicts, { isFocused: !page.form.contains(document.activeElement) });
  const time = clock(new Date(found.at));
  page.notify(t(isOlder ? page.texts.restored : "restored", { time, version: page.version }), useSaved);
}

/** Return the newest text of a new article, of this browser or of another one: {place, at, title, read()}; null without one. */
async function newestOfNew(page, journal) {
  const [local] = await journal.readNew(page.site);
  const query = new URLSearchParams({ site: page.site });
  const listed = await page.api.call("GET", `/autosaves?${query}`, undefined, { quiet: true }).catch(() => null);
  const stored = listed?.autosaves?.find((one) => one.key);
  const at = stored ? Date.parse(stored.saved_at) : 0;
  // What a tab has sent is in its journal, too, from a moment before.
  const isLocal = local && (local.place === stored?.key ? at - local.at < SAME_MS : local.at >= at);
  if (isLocal) return { place: local.place, at: local.at, title: local.fields.title, read: async () => local.fields };
  if (!stored) return null;
  const read = async () => (await page.api.call("GET", `/autosaves/${stored.key}`)).fields;
  return { place: stored.key, at, title: stored.title, read };
}

/** Offer the newest text of a new article that was never saved, also one that was typed at another computer. */
export async function offerNew(page, journal) {
  const found = await newestOfNew(page, journal);
  if (!found) return;
  const forget = () => {
    new Journal(journal.person, found.place, journal.tab).clear();
    page.api.call("DELETE", `/autosaves/${found.place}`, undefined, { quiet: true }).catch(() => {});
  };
  const reopen = async () => {
    const fields = await found.read();
    page.field("key").value = found.place;
    Object.assign(page.autosave, { path: `/autosaves/${found.place}`, match: "*" });
    journal.place = found.place;
    page.use(fromFields(fields));
  };
  await offerText(page, { ...found, names: ["unsaved_new", "discard"] }, { reopen, forget });
}

/** Offer a text of something new: {at, title} and the names of the line and of the button that forgets it. */
export async function offerText(page, { at, title, names: [line, discard] }, { reopen, forget }) {
  await composed(() => page.isComposing);
  const values = { time: dayAndClock(new Date(at)), title: title || t("untitled") };
  page.notify(t(line, values), { label: t("reopen"), run: reopen }, { label: t(discard), run: forget });
}
