-- Which articles offer a file: it is served while one of them is public.
CREATE FUNCTION render.files_of(content jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT jsonb_path_query_array(content, '$.body[*] ? (@.type == "file").media')
$$;
COMMENT ON FUNCTION render.files_of IS 'The ids of the files that an article offers.';
CREATE INDEX articles_files ON render.articles USING gin (render.files_of(content));
CREATE INDEX articles_files ON render_2.articles USING gin (render.files_of(content));
CREATE INDEX articles_files ON render_3.articles USING gin (render.files_of(content));
