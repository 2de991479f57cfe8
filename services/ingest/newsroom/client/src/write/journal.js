/** Unsaved texts in the browser's own database: for hours without a network, and for a tab that was killed. */

const NAME = "presstally-newsroom";
const STORE = "texts";
const KEPT_DAYS = 14;

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
  write(text) {
    const { person, place, tab } = this;
    return this.run("readwrite", (store) => store.put({ ...text, person, place, tab, at: Date.now() }));
  }

  /** Return the texts of this person at this article, the newest first. */
  async read() {
    const range = IDBKeyRange.bound([this.person, this.place], [this.person, this.place, []]);
    const found = (await this.run("readonly", (store) => store.getAll(range))) ?? [];
    return found.sort((first, second) => second.at - first.at);
  }

  /** Return the texts of new articles of this person on a site, the newest first. */
  async readNew(site) {
    const range = IDBKeyRange.bound([this.person], [this.person, []]);
    const found = (await this.run("readonly", (store) => store.getAll(range))) ?? [];
    return found.filter((one) => one.isNew && one.site === site).sort((first, second) => second.at - first.at);
  }

  /** Forget the texts of this article, also those of other tabs that are older; and what nobody came back for. */
  async clear(before = Date.now()) {
    const all = (await this.run("readonly", (store) => store.getAll())) ?? [];
    const isOld = (one) => one.at < Date.now() - KEPT_DAYS * 86_400_000;
    const isOurs = (one) => one.person === this.person && one.place === this.place && one.at <= before;
    for (const one of all.filter((text) => isOurs(text) || isOld(text))) {
      await this.run("readwrite", (store) => store.delete([one.person, one.place, one.tab]));
    }
  }
}
