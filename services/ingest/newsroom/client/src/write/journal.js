/** Unsaved texts in the browser's own stores: for hours without a network, and for a tab that was killed or left. */

const NAME = "presstally-newsroom";
const STORE = "texts";
const KEPT_DAYS = 14;
const LEFT = "presstally-newsroom-left ";

/** The store that has a text before the call returns; null where a browser has none. */
const atOnce = (() => {
  try {
    return localStorage;
  } catch {
    return null;
  }
})();

/** Return the texts of pages that were left before the database had them, each with its `key`. */
function left() {
  const keys = Object.keys(atOnce ?? {}).filter((key) => key.startsWith(LEFT));
  return keys.map((key) => ({ ...JSON.parse(atOnce.getItem(key)), key }));
}

/** Return the database, or null where a browser has none, as in some private windows. */
function open() {
  return new Promise((resolve) => {
    let request;
    try {
      request = indexedDB.open(NAME, 1);
    } catch {
      resolve(null);
      return;
    }
    request.onupgradeneeded = () => request.result.createObjectStore(STORE, { keyPath: ["person", "place", "tab"] });
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => resolve(null);
    request.onblocked = () => resolve(null);
  });
}

export class Journal {
  /** `person` is who writes, `place` the article, or the key of a new one. */
  constructor(person, place, tab) {
    Object.assign(this, { person, place, tab });
    this.database = open();
  }

  async run(mode, act) {
    const database = await this.database;
    if (!database) return null;
    return new Promise((resolve) => {
      const transaction = database.transaction(STORE, mode);
      const request = act(transaction.objectStore(STORE));
      transaction.oncomplete = () => resolve(request?.result ?? null);
      transaction.onabort = () => resolve(null); // a full disk: the server's copy remains
    });
  }

  /** Store the text of this tab. */
  async write(text) {
    const entry = this.entry(text);
    const stored = await this.run("readwrite", (store) => store.put(entry));
    if (stored && this.leftAt <= entry.at) atOnce?.removeItem(this.key);
  }

  /** Store the text of this tab before this call returns: its page may never run again, and the database takes longer. */
  writeAtOnce(text) {
    const entry = this.entry(text);
    try {
      atOnce?.setItem(this.key, JSON.stringify(entry));
      this.leftAt = entry.at;
    } catch {
      // full: what the database and the server have remains
    }
  }

  get key() {
    return LEFT + JSON.stringify([this.person, this.place, this.tab]);
  }

  entry(text) {
    const { person, place, tab } = this;
    return { ...text, person, place, tab, at: Date.now() };
  }

  /** Return the texts of this person at this article, the newest first. */
  async read() {
    const range = IDBKeyRange.bound([this.person, this.place], [this.person, this.place, []]);
    const stored = (await this.run("readonly", (store) => store.getAll(range))) ?? [];
    const isOurs = (one) => one.person === this.person && one.place === this.place;
    return [...stored, ...left().filter(isOurs)].sort((first, second) => second.at - first.at);
  }

  /** Return the texts of new articles of this person on a site, the newest first. */
  async readNew(site) {
    const range = IDBKeyRange.bound([this.person], [this.person, []]);
    const stored = (await this.run("readonly", (store) => store.getAll(range))) ?? [];
    const found = [...stored, ...left().filter((one) => one.person === this.person)];
    return found.filter((one) => one.isNew && one.site === site).sort((first, second) => second.at - first.at);
  }

  /** Forget the texts of this article, also those of other tabs that are older; and what nobody came back for. */
  async clear(before = Date.now()) {
    const all = (await this.run("readonly", (store) => store.getAll())) ?? [];
    const isOld = (one) => one.at < Date.now() - KEPT_DAYS * 86_400_000;
    const isOurs = (one) => one.person === this.person && one.place === this.place && one.at <= before;
    const isForgotten = (one) => isOurs(one) || isOld(one);
    for (const { key } of left().filter(isForgotten)) atOnce.removeItem(key);
    for (const one of all.filter(isForgotten)) {
      await this.run("readwrite", (store) => store.delete([one.person, one.place, one.tab]));
    }
  }
}
