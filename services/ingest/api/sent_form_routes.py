"""`/api/me/sent-forms`: which forms of the newsroom's pages are being processed, and what was answered to them.

A form that is sent twice, as by a double click, may reach two processes: the second one finds the first one's answer
here. The rows are those of idempotency keys, under keys that no request can have.
"""

from typing import Annotated

from fastapi import APIRouter, Path
from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from services.ingest.api.account_schemas import SentForm
from services.ingest.api.dependencies import ApiContextDep, PersonSession
from services.ingest.api.schemas import json_response, response_docs
from services.ingest.content.block_models import Input
from services.ingest.queries import SQL

router = APIRouter(tags=["Me"])
PENDING, ANSWERED = 102, 303
FormId = Annotated[str, Path(pattern="^[0-9a-f]{64}$", description="SHA-256 of the form with everything in it")]


class SentFormRequest(Input):
    """The answer; without one, the form is about to be processed."""

    answer: str | None = Field(None, max_length=4_000, pattern=r"^/[^/\\]", description="path to which it led")


def _key(form: str) -> str:
    return f"sent form {form}"  # an Idempotency-Key has no spaces


@router.put("/me/sent-forms/{form}", summary="Begin or answer a form", responses=response_docs(200, SentForm))
async def put_sent_form(
    context: ApiContextDep, session: PersonSession, form: FormId, sent: SentFormRequest
) -> Response:
    """Begin to process a form, unless another process has begun or answered it; or store what was answered to it.

    An answer is kept for 30 seconds, and a beginning without an answer for a minute.
    """
    person, key = session.caller.id, _key(form)
    async with context.pool.acquire() as connection, connection.transaction():
        await connection.execute(SQL["lock_idempotency_key"], person, key)
        await connection.execute(SQL["forget_sent_forms"], person)
        if sent.answer is not None:
            await connection.execute(SQL["delete_response"], person, key)
            await connection.execute(SQL["store_response"], person, key, b"", ANSWERED, "{}", sent.answer.encode())
            return json_response(SentForm("answered", sent.answer))
        row = await connection.fetchrow(SQL["stored_response"], person, key)
        if row is None:
            await connection.execute(SQL["store_response"], person, key, b"", PENDING, "{}", b"")
            return json_response(SentForm("begun"))
    return json_response(
        SentForm("pending") if row["status"] == PENDING else SentForm("answered", row["body"].decode())
    )


@router.delete("/me/sent-forms/{form}", status_code=204, summary="Forget a form", responses=response_docs(204))
async def delete_sent_form(request: Request, context: ApiContextDep, session: PersonSession, form: FormId) -> Response:
    """Forget a form that was not processed, as one with an error in it: it can be sent again."""
    await context.pool.execute(SQL["delete_response"], session.caller.id, _key(form))
    return Response(status_code=204)
