// The search of a static export: the index is in files (services/render/export/search_files.py), of which a search
// loads those of its words. The rules are those of services/render/pages/search_words.py and search_query.py.

const TOKEN = /(?<!\d[.,])\d{1,3}(?:([.,\u00a0\u202f])\d{3})(?:\1\d{3})*(?!\d)|[\p{L}\p{N}]+/gu;
const Y_FOR_I = /^(?:h|k|l|m|s|t|qu)y$/u;
const WORD_CHARACTERS_MAX = 60;
const PAGE_RESULTS = 10;
const RANKED_MAX = 200;
const TONES_OF_Y = { y: "i", ỳ: "ì", ý: "í", ỷ: "ỉ", ỹ: "ĩ", ỵ: "ị" };
const NEW_TONES = new Map();
for (const [pair, tones] of [["oa", "òóỏõọ"], ["oe", "òóỏõọ"], ["uy", "ùúủũụ"]]) {
  [..."\u0300\u0301\u0309\u0303\u0323"].forEach((mark, n) => NEW_TONES.set((pair + mark).normalize("NFC"), tones[n] + pair[1]));
}

// Words

const letters = new Map([["đ", "d"], ["Đ", "d"], ["ı", "i"], ["ß", "ss"], ["ẞ", "ss"]]);
function foldCharacter(character) {
  let folded = letters.get(character);
  if (folded === undefined) {
    folded = /^\p{M}$/u.test(character)
      ? (/^[\u0300-\u036f]$/u.test(character) ? "" : character)
      : character.toLowerCase().normalize("NFD").replace(/\p{M}/gu, "");
    letters.set(character, folded);
  }
  return folded;
}

function fold(text) {
  const positions = [];
  let folded = "", index = 0;
  for (const character of text) {
    const found = foldCharacter(character);
    for (let n = 0; n < found.length; n++) positions.push(index);
    folded += found;
    index += character.length;
  }
  positions.push(text.length);
  return [folded, positions];
}

let abbreviations = new Map(); // without diacritics → with

function markedWord(folded, written) {
  if (written === folded || /^\d+$/.test(folded)) return folded;
  if (abbreviations.has(folded)) return abbreviations.get(folded);
  let lower = written.normalize("NFC").replaceAll("İ", "i").toLowerCase();
  const end = lower.slice(-2);
  if (NEW_TONES.has(end) && !(end[0] === "u" && lower.at(-3) === "q")) lower = lower.slice(0, -2) + NEW_TONES.get(end);
  if (folded.endsWith("i") && lower.at(-1) in TONES_OF_Y && Y_FOR_I.test(`${folded.slice(0, -1)}y`)) {
    lower = lower.slice(0, -1) + TONES_OF_Y[lower.at(-1)];
  }
  return [...lower].slice(0, WORD_CHARACTERS_MAX).join("");
}

// The words of a text: without diacritics, as written, and where they are.
export function words(text) {
  const [folded, positions] = fold(text);
  return [...folded.matchAll(TOKEN)].map((match) => {
    const begin = positions[match.index], end = positions[match.index + match[0].length];
    let word = match[1] ? match[0].replaceAll(match[1], "") : match[0];
    if (!match[1] && Y_FOR_I.test(word)) word = `${word.slice(0, -1)}i`;
    word = [...word].slice(0, WORD_CHARACTERS_MAX).join("");
    return { folded: word, marked: markedWord(word, text.slice(begin, end)), begin, end };
  });
}

const pairsOf = (folded) => [...new Set(folded.slice(1).map((word, n) => `${folded[n]} ${word}`))];
const hasDiacritics = (found) => found.some((word) => word.marked !== word.folded);

// The query

let forms = []; // [abbreviation, words of its full form]
const questions = { folded: null, marked: null };

export function useRules(rules) {
  const names = Object.keys(rules.abbreviations);
  abbreviations = new Map(names.map((name) => [fold(name)[0], name]));
  forms = names.map((name) => [fold(name)[0], words(rules.abbreviations[name]).map((word) => word.folded)]);
  for (const key of ["folded", "marked"]) {
    const keys = (text) => words(text).map((word) => word[key]);
    questions[key] = {
      phrases: rules.questions.map(keys).sort((one, other) => other.length - one.length),
      functionWords: new Set(keys(rules.function_words)),
      lastWords: new Set(keys(rules.question_words)),
    };
  }
}

const startsWith = (list, index, part) => part.every((one, n) => list[index + n] === one);
const formAt = (folded, index) => forms.find(([, form]) => startsWith(folded, index, form));

function withoutQuestion(found, endsWithMark) {
  const isMarked = hasDiacritics(found), rules = questions[isMarked ? "marked" : "folded"];
  const keys = found.map((word) => (isMarked ? word.marked : word.folded));
  const all = keys.map((_, n) => n), left = [];
  for (let index = 0; index < keys.length;) {
    const phrase = rules.phrases.find((one) => startsWith(keys, index, one));
    if (!phrase) left.push(index);
    index += phrase ? phrase.length : 1;
  }
  const isLast = isMarked && keys.length > 3 && rules.lastWords.has(keys.at(-1));
  if (left.length === keys.length && !endsWithMark && !isLast) return left;
  const said = left.filter((index) => !rules.functionWords.has(keys[index]));
  return said.length ? said : left.length ? left : all;
}

function requiredOf(found, kept, isQuoted) {
  const required = [], folded = found.map((word) => word.folded);
  for (let index = 0; index < found.length;) {
    const form = isQuoted ? undefined : formAt(folded, index), end = index + (form ? form[1].length : 1);
    if (kept.some((one) => one >= index && one < end)) {
      required.push({
        folded: form ? form[0] : found[index].folded,
        marked: form ? abbreviations.get(form[0]) : found[index].marked,
        term: found[index].term,
      });
    }
    index = end;
  }
  return required;
}

// "1 234 567" is 1234567.
export const joinedNumbers = (query) => query.replace(/(?<!\d)\d{1,3}(?:[ \u00a0\u202f]\d{3})+(?!\d)/g, (found) => found.replace(/\D/g, ""));

// Null if a query has no word to search for.
export function parse(query) {
  const cut = [...query.normalize("NFC").replace(/[“”„«»]/g, '"')].slice(0, 200).join("");
  const terms = [...cut.matchAll(/(-?)"([^"]*)"?|(-?)(\S+)/g)].map((match, n) => ({
    found: words(match[2] ?? match[4]).map((word) => ({ ...word, term: n })),
    isQuoted: match[2] !== undefined,
    isExcluded: [match[1], match[3]].includes("-"),
  })).filter((term) => term.found.length);
  const positive = terms.filter((term) => !term.isExcluded), every = positive.flatMap((term) => term.found);
  if (!every.length) return null;
  const endsWithMark = cut.trimEnd().endsWith("?"), required = [];
  for (let index = 0; index < positive.length;) {
    let end = index + 1;
    const { isQuoted } = positive[index];
    while (!isQuoted && end < positive.length && !positive[end].isQuoted) end += 1;
    const found = positive.slice(index, end).flatMap((term) => term.found);
    required.push(...requiredOf(found, isQuoted ? found.map((_, n) => n) : withoutQuestion(found, endsWithMark), isQuoted));
    index = end;
  }
  const kept = required.slice(0, 16);
  const together = kept.slice(1).flatMap((word, n) => (word.term === kept[n].term ? [`${kept[n].folded} ${word.folded}`] : []));
  return {
    required: kept.map((word) => word.folded),
    marked: hasDiacritics(every) ? kept.map((word) => word.marked) : null,
    together,
    excluded: terms.filter((term) => term.isExcluded).map((term) => term.found),
    title: every.length,
  };
}

// The index

export class SearchIndex {
  constructor(manifest, load) {
    this.manifest = manifest;
    this.files = new Map();
    this.load = (name) => {
      if (!this.files.has(name)) this.files.set(name, load(name));
      return this.files.get(name);
    };
    useRules(manifest.rules);
  }

  // [{word as written: Map of articles to weights}], merged under "" without diacritics.
  async postings(term) {
    let hash = 0x811c9dc5;
    for (const byte of new TextEncoder().encode(term)) hash = Math.imul(hash ^ byte, 0x01000193) >>> 0;
    const names = this.manifest.words, file = await this.load(names[hash % names.length]);
    const found = file[term] ?? [], variants = new Map();
    for (const [written, list] of Array.isArray(found) ? [[term, found]] : Object.entries(found)) {
      const articles = new Map();
      let number = 0;
      for (const one of list) articles.set(number += one >> 2, one & 3);
      variants.set(written, articles);
    }
    const all = new Map();
    for (const articles of variants.values()) {
      for (const [number, weight] of articles) all.set(number, Math.max(weight, all.get(number) ?? 0));
    }
    return variants.set("", all);
  }

  async search(given) {
    const terms = parse(given.query), request = this.narrowed(given);
    if (!terms) return null;
    const neighbours = pairsOf(terms.required);
    const [table, found, near, out] = await Promise.all([
      this.load(this.manifest.table),
      Promise.all(terms.required.map((word) => this.postings(word))),
      Promise.all(neighbours.map((pair) => this.postings(pair).then((one) => one.get("")))),
      Promise.all(terms.excluded.map((term) => this.excluded(term))),
    ]);
    const fits = this.filter(table, request, out);
    const together = terms.together.map((pair) => near[neighbours.indexOf(pair)]);
    const articles = [...found.map((one) => one.get("")), ...together].sort((one, other) => one.size - other.size);
    const numbers = [...articles[0].keys()].filter((number) => articles.every((one) => one.has(number)) && fits(number));
    const isNearest = !numbers.length, joined = joinedNumbers(request.query);
    if (isNearest && joined !== request.query) return this.search({ ...request, query: joined });
    const isLetter = terms.required.every((word) => word.length === 1);
    const isNarrowed = isLetter || request.section || request.since || request.until;
    const ranked = isNearest
      ? isNarrowed ? [] : await this.nearest(terms, found, near, fits)
      : this.rank(numbers, terms, found, near, table, request.byDate);
    const page = isNearest ? 1 : request.page;
    const shown = ranked.slice((page - 1) * PAGE_RESULTS, page * PAGE_RESULTS);
    return {
      terms, isNearest, count: ranked.length, hasMore: ranked.length > page * PAGE_RESULTS,
      articles: await Promise.all(shown.map((number) => this.article(number))),
    };
  }

  async excluded(term) {
    if (term.length === 1) {
      const found = await this.postings(term[0].folded);
      return hasDiacritics(term) ? found.get(term[0].marked) ?? new Map() : found.get("");
    }
    const found = await Promise.all(pairsOf(term.map((word) => word.folded)).map((pair) => this.postings(pair)));
    return new Map([...found[0].get("")].filter(([number]) => found.every((one) => one.get("").has(number))));
  }

  // Without invalid filters, such as a section that is gone.
  narrowed(request) {
    const day = (text) => (/^\d{4}-\d\d-\d\d$/.test(text) && !Number.isNaN(Date.parse(text)) ? text : "");
    const section = this.manifest.sections.includes(request.section) ? request.section : "";
    return { ...request, section, since: day(request.since), until: day(request.until) };
  }

  filter(table, { section, since, until }, out) {
    const wanted = this.manifest.sections.indexOf(section), day = (text) => Date.parse(text) / 86400000;
    const from = since ? day(since) : -Infinity, to = until ? day(until) : Infinity;
    return (number) => (!section || table.sections[number] === wanted) && table.days[number] >= from
      && table.days[number] <= to && !out.some((one) => one.has(number));
  }

  rank(numbers, terms, found, near, table, byDate) {
    if (byDate) return numbers.sort((one, other) => other - one);
    const forms = [[found.map((one) => one.get("")), 1]];
    if (terms.marked) forms.push([found.map((one, n) => one.get(terms.marked[n]) ?? new Map()), 2]);
    const fitness = (number) => forms.reduce((sum, [lists, factor]) => {
      const weights = lists.map((one) => one.get(number) ?? -1), least = Math.min(...weights);
      if (least < 0) return sum;
      const pairs = near.map((one) => one.get(number) ?? -1), together = Math.min(3, ...pairs);
      const share = weights.length / Math.max(table.lengths[number], 1);
      return sum + factor * ((least === 3) * (4 + share) + (least === 3 && together === 3) * 3 + (together >= 0) * 2
        + (least >= 2) + weights.reduce((all, one) => all + [0.1, 0.3, 0.5, 1][one], 0) / weights.length / 2
        + pairs.filter((one) => one >= 0).length / (pairs.length + 1));
    }, 0);
    const isTitle = (number) => table.lengths[number] === terms.title && terms.required.length === terms.title
      && found.every((one) => one.get("").get(number) === 3);
    const scores = new Map(numbers.map((number) => [number, fitness(number) + 100 * isTitle(number)]));
    return numbers.sort((one, other) => scores.get(other) - scores.get(one) || other - one).slice(0, RANKED_MAX);
  }

  // The articles with most of the words, one letter of each unknown word being wrong, and of the rarer pairs.
  async nearest(terms, found, near, fits) {
    const lists = await Promise.all(found.map(async (one, n) => {
      if (one.get("").size) return one.get("");
      const similar = await this.similar(terms.required[n]);
      const all = await Promise.all(similar.map((word) => this.postings(word)));
      return new Map(all.flatMap((variants) => [...variants.get("")]));
    }));
    const scores = new Map();
    const add = (list, weight) => {
      for (const [number, place] of list) scores.set(number, (scores.get(number) ?? 0) + weight * (1 + place / 6));
    };
    for (const list of lists) add(list, 1 / lists.length);
    for (const list of near) add(list, list.size ? 1 / Math.log(1.7 + list.size) / near.length : 0);
    const share = (number) => lists.filter((one) => one.has(number)).length / lists.length;
    return [...scores.keys()].filter((number) => share(number) >= 0.5 && fits(number))
      .sort((one, other) => scores.get(other) - scores.get(one) || other - one).slice(0, PAGE_RESULTS);
  }

  async similar(word) {
    if (word.length < 2 || /\d/.test(word)) return [];
    const known = await this.load(this.manifest.vocabulary);
    return known.split(" ").filter((one) => isOneErrorAway(one, word)).slice(0, 8);
  }

  async article(number) {
    const size = this.manifest.articles_per_file;
    const file = await this.load(this.manifest.texts[Math.floor(number / size)]);
    const [path, title, kicker, text, date, at, tags, language] = file[number % size];
    return { path, title, kicker, text, date, at, tags, language };
  }
}

// One letter too many, too few or another, or two that changed places.
export function isOneErrorAway(one, other) {
  if (Math.abs(one.length - other.length) > 1 || one === other) return false;
  let begin = 0, end = 0;
  while (begin < one.length && one[begin] === other[begin]) begin += 1;
  while (end < Math.min(one.length, other.length) - begin && one.at(-1 - end) === other.at(-1 - end)) end += 1;
  const left = one.length - begin - end, right = other.length - begin - end;
  return Math.max(left, right) <= 1
    || (left === 2 && right === 2 && one[begin] === other[begin + 1] && one[begin + 1] === other[begin]);
}

// Which parts of a text are highlighted: [begin, end].
export function hits(text, terms) {
  const found = words(text), folded = found.map((word) => word.folded), marks = new Set();
  folded.forEach((_, index) => {
    const form = formAt(folded, index);
    if (form && terms.required.includes(form[0])) form[1].forEach((_, n) => marks.add(index + n));
    const exact = !terms.marked || terms.marked.includes(found[index].marked);
    if (exact && terms.required.includes(folded[index])) marks.add(index);
  });
  return found.filter((_, index) => marks.has(index)).map(({ begin, end }) => [begin, end]);
}

// The page

const element = (name, content = [], attributes = {}) => {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...[content].flat());
  return made;
};

function highlighted(text, terms) {
  const parts = [];
  let done = 0;
  for (const [begin, end] of hits(text, terms)) {
    parts.push(text.slice(done, begin), element("mark", text.slice(begin, end)));
    done = end;
  }
  return [...parts, text.slice(done)];
}

function shownArticle(article, terms, texts) {
  const parts = [], its = article.language ? { lang: article.language } : {}; // if it is another one than the page's
  if (article.kicker) parts.push(element("p", highlighted(article.kicker, terms), { class: "kicker", ...its }));
  parts.push(element("h2", element("a", highlighted(article.title, terms), { href: article.path }), its));
  if (article.date) parts.push(element("p", element("time", article.date, { datetime: article.at }), { class: "date" }));
  parts.push(element("p", highlighted(article.text, terms), { class: "gist", ...its }));
  const enough = Math.min(2, new Set(terms.required).size);
  const tags = article.tags.filter(([name]) => hits(name, terms).length >= enough);
  if (tags.length) {
    const links = tags.flatMap(([name, href], n) => [n ? ", " : "", element("a", highlighted(name, terms), { href })]);
    parts.push(element("p", [`${texts.tags}: `, ...links], { class: "found-tags" }));
  }
  return element("li", element("div", parts));
}

function pager(request, hasMore, texts) {
  if (request.page === 1 && !hasMore) return [];
  const link = (page, text, rel) => {
    const query = new URLSearchParams(location.search);
    query.set("trang", page);
    return element("a", text, { rel, href: `?${query}` });
  };
  return [element("nav", [
    ...(request.page > 1 ? [link(request.page - 1, `← ${texts.newer}`, "prev"), " "] : []),
    element("span", `${texts.page} ${request.page}`),
    ...(hasMore ? [" ", link(request.page + 1, `${texts.older} →`, "next")] : []),
  ], { class: "pager", "aria-label": texts.page })];
}

async function start(place) {
  const texts = JSON.parse(place.dataset.texts), form = document.querySelector("form.search");
  const query = new URLSearchParams(location.search), say = (...parts) => place.replaceChildren(...parts);
  const request = {
    query: (query.get("q") ?? "").trim(), section: query.get("chuyen-muc") ?? "", since: query.get("tu") ?? "",
    until: query.get("den") ?? "", byDate: query.get("sap-xep") === "ngay",
    page: Math.max(1, Math.min(500, Number.parseInt(query.get("trang") ?? "1", 10) || 1)),
  };
  for (const [name, value] of query) {
    const field = form.elements.namedItem(name);
    if (field && "value" in field) field.value = value;
    if (field?.selectedIndex === -1) field.selectedIndex = 0;
  }
  form.querySelector("details").open = Boolean(request.section || request.since || request.until || request.byDate);
  if (!request.query) return;
  say(element("p", texts.searching, { role: "status" }));
  const folder = place.dataset.index.replace(/[^/]*$/, "");
  const load = async (url) => {
    const answer = await fetch(url);
    if (!answer.ok) throw new Error(`${url}: ${answer.status}`);
    return answer.json();
  };
  try {
    const index = new SearchIndex(await load(place.dataset.index), (name) => load(`${folder}${name}.json`));
    const result = await index.search(request);
    if (!result?.articles.length) {
      say(element("p", texts.no_results, { role: "status" }), element("p", texts.try_again, { class: "gist" }));
      return;
    }
    const count = texts.count.replace("{count}", result.count + (result.count >= RANKED_MAX && !request.byDate ? "+" : ""));
    say(
      element("p", result.isNearest ? texts.nearest : count, { class: "date", role: "status" }),
      element("ol", result.articles.map((one) => shownArticle(one, result.terms, texts)), { class: "articles" }),
      ...pager(request, result.hasMore, texts),
    );
  } catch {
    say(element("p", texts.failed, { role: "alert" }));
  }
}

if (typeof document !== "undefined") {
  const place = document.querySelector("[data-index]");
  if (place) start(place);
}
