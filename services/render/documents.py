"""A document as it is served: its bytes, their strong tag, and the same compressed. Pure."""

import gzip
import hashlib
from dataclasses import dataclass
from functools import cached_property

COMPRESSED_FROM_BYTES = 600
HTML = "text/html; charset=utf-8"


@dataclass(frozen=True)
class Document:
    """What one URL serves. Equal bytes have equal tags, whoever made them and when."""

    body: bytes
    media_type: str = HTML

    @cached_property
    def tag(self) -> str:
        """The strong entity tag of the bytes, without quotes."""
        return hashlib.sha256(self.body).hexdigest()[:20]

    @cached_property
    def gzipped(self) -> bytes | None:
        """The same compressed; None when it is too small to gain anything."""
        if len(self.body) < COMPRESSED_FROM_BYTES:
            return None
        return gzip.compress(self.body, 6, mtime=0)
