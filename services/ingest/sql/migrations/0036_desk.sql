-- Lists of refused articles and of those with a problem are short: the newsroom's desk shows them.
CREATE INDEX articles_refused ON ingest.articles (number) WHERE refusal IS NOT NULL;
CREATE INDEX articles_with_problem ON ingest.articles (number) WHERE schedule_error IS NOT NULL;
