"""`metrics_public = true`."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.web.conftest import Client


@pytest.fixture
def options() -> dict[str, Any]:
    return {"metrics_public": True}


async def test_public_metrics_need_no_token(admin: Client) -> None:
    assert (await admin.with_token(None).get("/metrics")).status == 200
    assert (await admin.with_token(None).get("/api/apps")).status == 401
