/** Words that are being composed: nothing may act within one. */

const PAUSE_MS = 100;

/** Wait until no word is composed. */
export async function composed(isComposing) {
  while (isComposing()) await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
}
