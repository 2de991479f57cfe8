-- The vector of pairs has more: builders write all rows again (PROJECTION_VERSION), and rows of before stay readable.
COMMENT ON COLUMN render.search.pairs IS
    'What an index finds besides words: pairs of neighbouring folded words, words as written, and =TITLE.';
COMMENT ON COLUMN render_2.search.pairs IS
    'What an index finds besides words: pairs of neighbouring folded words, words as written, and =TITLE.';
COMMENT ON COLUMN render_3.search.pairs IS
    'What an index finds besides words: pairs of neighbouring folded words, words as written, and =TITLE.';
