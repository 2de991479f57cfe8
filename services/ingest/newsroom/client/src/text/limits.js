/** Limits of the article model: those of shared/articles.py, with which a test compares them. */

export const TITLE_CHARACTERS_MAX = 255;
export const LEAD_CHARACTERS_MAX = 1_000;
export const TEXT_CHARACTERS_MAX = 10_000;
export const CAPTION_CHARACTERS_MAX = 500;
export const ALT_CHARACTERS_MAX = 300;
export const BLOCKS_MAX = 500;
export const LIST_DEPTH_MAX = 4;
export const IMAGES_MAX = 200;
export const URL_CHARACTERS_MAX = 2_000;

/** Return the beginning of a text: characters as the server counts them, none of which is halved. */
export const beginning = (text, characters) => [...text].slice(0, characters).join("");
