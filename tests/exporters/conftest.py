"""Heads that every exporter test runs on: the synthetic one, and the one that ships."""

from __future__ import annotations

import pytest

from lifemask import Avatar, Head, load_head_model
from packages import make_avatar
from synthetic import make_head


@pytest.fixture(scope="session", params=["synthetic", "shipped"])
def head(request) -> Head:
    if request.param == "synthetic":
        return make_head()
    model = load_head_model()
    # Not the mean: whatever a fitted identity does to the joints must come through.
    return model.head([1.0, -1.0, 0.5])


@pytest.fixture(scope="session")
def avatar(head) -> Avatar:
    return make_avatar(head=head, size=256)
