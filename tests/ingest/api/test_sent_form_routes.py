"""Which forms of pages are being processed, and where they have led: for a person, and for a while."""

from typing import Any

from tests.ingest.conftest import Newsroom


async def make_older(pool: Any, seconds: float) -> None:
    """Make what is stored of forms as old as that."""
    rows = await pool.fetch("DELETE FROM ingest.idempotency_keys RETURNING token, key, fingerprint, status, body")
    await pool.executemany(
        "INSERT INTO ingest.idempotency_keys (token, key, fingerprint, status, body, headers, created_at)"
        " VALUES ($1, $2, $3, $4, $5, '{}', now() - make_interval(secs => $6))",
        [(*row, seconds) for row in rows],
    )


async def test_form_is_processed_again_once_its_process_answers_nothing(newsroom: Newsroom) -> None:
    """What another process has begun is waited for; a minute later the form is one that can be sent again."""
    editor = await newsroom.browser("publish:haihau", name="Minh")
    form = f"/me/sent-forms/{'a' * 64}"
    sent = [(await editor.call("PUT", form, {})).json() for _ in range(2)]
    assert [one["state"] for one in sent] == ["begun", "pending"]
    await make_older(newsroom.api.context.pool, 61)
    assert (await editor.call("PUT", form, {})).json() == {"state": "begun"}
    assert (await editor.call("DELETE", form)).status == 204
    assert (await editor.call("PUT", form, {})).json() == {"state": "begun"}
    answered = {"state": "answered", "answer": "/ban-bien-tap/?done=save"}
    bodies: tuple[dict[str, str], ...] = ({"answer": answered["answer"]}, {})
    for body in bodies:
        assert (await editor.call("PUT", form, body)).json() == answered
    other = await newsroom.browser("publish:haihau", name="Lan")
    assert (await other.call("PUT", form, {})).json() == {"state": "begun"}, "a person's forms are their own"
    for answer in ("https://evil.example", "//evil.example", "/\\evil.example", "", "/" + "a" * 4_000):
        assert (await editor.call("PUT", form, {"answer": answer})).status == 422, answer
    await make_older(newsroom.api.context.pool, 31)
    assert (await editor.call("PUT", form, {})).json() == {"state": "begun"}
