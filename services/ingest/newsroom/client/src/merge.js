/** Merges two changes of an article, block by block. Pure. */

import { normalizedBlocks } from "./blocks.js";

const key = (block) => JSON.stringify(block);

/** Return pairs of indices of a longest common subsequence of two lists of keys. */
function common(first, second) {
  let start = 0;
  while (start < first.length && start < second.length && first[start] === second[start]) start += 1;
  let end = 0;
  while (
    end < first.length - start &&
    end < second.length - start &&
    first[first.length - 1 - end] === second[second.length - 1 - end]
  ) end += 1;
  const rows = first.length - start - end;
  const columns = second.length - start - end;
  const lengths = Array.from({ length: rows + 1 }, () => new Uint16Array(columns + 1));
  for (let y = rows - 1; y >= 0; y -= 1) {
    for (let x = columns - 1; x >= 0; x -= 1) {
      lengths[y][x] =
        first[start + y] === second[start + x]
          ? lengths[y + 1][x + 1] + 1
          : Math.max(lengths[y + 1][x], lengths[y][x + 1]);
    }
  }
  const pairs = Array.from({ length: start }, (_, index) => [index, index]);
  for (let y = 0, x = 0; y < rows && x < columns; ) {
    if (first[start + y] === second[start + x]) {
      pairs.push([start + y, start + x]);
      y += 1;
      x += 1;
    } else if (lengths[y + 1][x] >= lengths[y][x + 1]) y += 1;
    else x += 1;
  }
  for (let index = end; index > 0; index -= 1) pairs.push([first.length - index, second.length - index]);
  return pairs;
}

/**
 * Merge two lists of blocks that were made from `base`.
 *
 * Returns {body, conflicts}. Where both changed the same place differently, `body` has both texts, mine first; a
 * conflict is {at, mine, theirs}: the index in `body` where the two begin, and the blocks of each.
 */
export function mergeBlocks(base, mine, theirs) {
  const [baseKeys, mineKeys, theirKeys] = [base, mine, theirs].map((blocks) => normalizedBlocks(blocks).map(key));
  const inMine = new Map(common(baseKeys, mineKeys));
  const inTheirs = new Map(common(baseKeys, theirKeys));
  const body = [];
  const conflicts = [];
  let [b, m, t] = [0, 0, 0];
  const step = (baseEnd, mineEnd, theirsEnd) => {
    const [was, my, their] = [baseKeys.slice(b, baseEnd), mineKeys.slice(m, mineEnd), theirKeys.slice(t, theirsEnd)].map(key);
    const [myBlocks, theirBlocks] = [mine.slice(m, mineEnd), theirs.slice(t, theirsEnd)];
    if (their === was || my === their) body.push(...myBlocks);
    else if (my === was) body.push(...theirBlocks);
    else {
      conflicts.push({ at: body.length, mine: myBlocks, theirs: theirBlocks });
      body.push(...myBlocks, ...theirBlocks);
    }
    [b, m, t] = [baseEnd, mineEnd, theirsEnd];
  };
  // Between blocks that nobody has changed: one by one if none came or went, as neighbours of two people are no conflict.
  const flush = (baseEnd, mineEnd, theirsEnd) => {
    const size = baseEnd - b;
    if (mineEnd - m === size && theirsEnd - t === size) while (b < baseEnd) step(b + 1, m + 1, t + 1);
    else step(baseEnd, mineEnd, theirsEnd);
  };
  for (let index = 0; index < base.length; index += 1) {
    if (!inMine.has(index) || !inTheirs.has(index)) continue;
    flush(index, inMine.get(index), inTheirs.get(index));
    body.push(mine[m]);
    [b, m, t] = [index + 1, m + 1, t + 1];
  }
  flush(base.length, mine.length, theirs.length);
  return { body, conflicts };
}

/**
 * Return where each block of `base` is in `mine`: a Map of indices. Blocks that have changed are found by their place
 * between others that have not; those that were removed are not in it.
 */
export function matchBlocks(base, mine) {
  const found = new Map();
  let [from, to] = [0, 0];
  for (const [b, m] of [...common(base.map(key), mine.map(key)), [base.length, mine.length]]) {
    if (b - from === m - to) for (let step = 0; from + step < b; step += 1) found.set(from + step, to + step);
    if (b < base.length) found.set(b, m);
    [from, to] = [b + 1, m + 1];
  }
  return found;
}

const same = (first, second) => JSON.stringify(first ?? null) === JSON.stringify(second ?? null);

/**
 * Merge two changes of an article's fields, `body` among them.
 *
 * Returns {fields, conflicts}: where both changed a field differently, mine stays, and {name, mine, theirs} says so;
 * for the body, a conflict has `at` and the blocks of each.
 */
export function merge(base, mine, theirs) {
  const fields = { ...theirs, ...mine };
  const conflicts = [];
  for (const name of Object.keys(mine)) {
    if (name === "body") {
      const merged = mergeBlocks(base.body, mine.body, theirs.body);
      fields.body = merged.body;
      conflicts.push(...merged.conflicts.map((one) => ({ name, ...one })));
    } else if (same(mine[name], base[name])) fields[name] = theirs[name];
    else if (!same(theirs[name], base[name]) && !same(theirs[name], mine[name])) {
      conflicts.push({ name, mine: mine[name], theirs: theirs[name] });
    }
  }
  return { fields, conflicts };
}
