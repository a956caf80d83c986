"""A browser without a browser: a session's cookie, same-origin forms with their token."""

from __future__ import annotations

import html
import re
from urllib.parse import urlencode

from tests.integration.web.conftest import Answer, Client

BOUNDARY = "----a-boundary-of-forms"


class Browsing:
    """Pages as a signed-in reader asks for them."""

    def __init__(self, client: Client, cookie: str) -> None:
        self.client = client
        self.cookie = cookie

    @classmethod
    async def begin(cls, client: Client) -> Browsing:
        """Sign in with the client's token."""
        stranger = client.with_token(None)
        signed_in = await stranger.ask("POST", "/ui/sign-in", f"token={client.token}".encode())
        assert signed_in.status == 303, signed_in.text
        return cls(stranger, signed_in.headers["Set-Cookie"].partition(";")[0])

    async def get(self, path: str, *, status: int = 200, **headers: str) -> Answer:
        answer = await self.client.ask(
            "GET", path, headers={"Cookie": self.cookie, "Accept": "text/html", **headers}
        )
        assert answer.status == status, (answer.status, answer.text)
        return answer

    async def token(self, path: str) -> str:
        """The form token that a page has."""
        return field(await self.get(path), "form_token")

    async def post(self, path: str, form_token: str, **fields: str) -> Answer:
        """Send a form as url-encoded fields."""
        body = urlencode({"form_token": form_token, **fields}).encode()
        return await self._send(path, body, "application/x-www-form-urlencoded")

    async def post_form(
        self, path: str, form_token: str, *, file: tuple[str, bytes] | None = None, **fields: str
    ) -> Answer:
        """Send a form as multipart/form-data, as a browser writes it."""
        parts = [
            f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
            for name, value in {"form_token": form_token, **fields}.items()
        ]
        body = "".join(parts).encode()
        if file is not None:
            head = f'name="file"; filename="{file[0]}"\r\nContent-Type: text/plain'
            body += f"--{BOUNDARY}\r\nContent-Disposition: form-data; {head}\r\n\r\n".encode()
            body += file[1] + b"\r\n"
        body += f"--{BOUNDARY}--\r\n".encode()
        return await self._send(path, body, f"multipart/form-data; boundary={BOUNDARY}")

    async def _send(self, path: str, body: bytes, media: str) -> Answer:
        return await self.client.ask(
            "POST",
            path,
            body,
            headers={
                "Cookie": self.cookie,
                "Content-Type": media,
                "Sec-Fetch-Site": "same-origin",
                "Accept": "text/html",
            },
        )


def field(answer: Answer, name: str) -> str:
    """The value of a hidden field."""
    found = re.search(rf'name="{name}" value="([^"]*)"', answer.text)
    assert found, f"no field {name}"
    return html.unescape(found[1])
