"""A client as plain as curl: one request a connection, exactly the headers that it is told."""

from __future__ import annotations

import http.client
import io
import json
import re
import time
import zipfile
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from tests.scenarios.actors import ADMIN, basic

OLDER = (
    ("triggeredwebjobs", ("triggeredwebjobs", "jobs/triggered", "triggeredjobs")),
    ("continuouswebjobs", ("continuouswebjobs", "jobs/continuous", "continuousjobs")),
    ("webjobs", ("webjobs", "jobs")),
)


class Answer(NamedTuple):
    """What came back."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Kudu:
    """The API of one app, at its base address."""

    def __init__(self, url: str, app: str) -> None:
        self.url = url
        self.app = app
        self.base = f"{url}/apps/{app}"

    def __call__(
        self,
        method: str,
        path: str,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
        *,
        expect: int | None = None,
    ) -> Answer:
        """Ask for a path below the base, or an address as it stands; `body` is bytes or JSON.

        An iterable body is sent in chunks without a length, as Kudu's clients do.
        """
        target = urlsplit(path if path.startswith("http") else self.base + path)
        assert target.hostname is not None
        if isinstance(body, dict | list | str | int):
            body = json.dumps(body).encode()
        connection = http.client.HTTPConnection(target.hostname, target.port, timeout=60)
        asked = target.path + (f"?{target.query}" if target.query else "")
        sent = {**basic(ADMIN), **(headers or {})}
        try:
            connection.request(method, asked, body=body, headers=sent)
            response = connection.getresponse()
            answer = Answer(response.status, response.headers, response.read())
        finally:
            connection.close()
        if expect is not None:
            assert answer.status == expect, (method, path, answer.status, answer.body)
        return answer

    def put_script(self, kind: str, job: str, text: str, **headers: str) -> Answer:
        """PUT one script, as Kudu's clients send it: the name unquoted, any content type."""
        sent = {
            "Content-Disposition": "attachment; filename=run.sh",
            "Content-Type": "application/octet-stream",
            **{key.replace("_", "-"): value for key, value in headers.items()},
        }
        return self("PUT", f"/api/{kind}webjobs/{job}", text.encode(), sent)

    def run(self, job: str, query: str = "") -> Any:
        """Run a job to its end; the run."""
        started = self("POST", f"/api/triggeredwebjobs/{job}/run{query}", expect=202)
        return self.ended(started.headers["Location"])

    def ended(self, location: str) -> Any:
        """The run at an address, once it has ended."""

        def run() -> Any:
            found = self("GET", location, expect=200).json
            return found if found["end_time"] else None

        return until(run)


def until(condition: Callable[[], Any], *, limit: float = 30.0) -> Any:
    """Ask until the answer is truthy and return it."""
    deadline = time.monotonic() + limit
    while not (answer := condition()):
        assert time.monotonic() < deadline, "it didn't come true"
        time.sleep(0.05)
    return answer


def spellings(path: str) -> list[str]:
    """Every way to write a path of the jobs API (kudu.md): older names, no `/api`, a slash."""
    path, mark, query = path.partition("?")
    family, slash, rest = path.removeprefix("/api/").partition("/")
    names = next((names for name, names in OLDER if name == family), (family,))
    return [
        f"{api}/{name}{slash}{rest}{end}{mark}{query}"
        for api in ("/api", "")
        for name in names
        for end in ("", "/")
    ]


def zipped(files: Mapping[str, str]) -> bytes:
    """A zip of these files."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as made:
        for name, text in files.items():
            made.writestr(name, text)
    return out.getvalue()


RFC3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")
DURATION = re.compile(r"\d\d:\d\d:\d\d\.\d{7}")
RUN_ID = re.compile(r"\d{18}")
