"""What the markers of a test name: ``@pytest.mark.req(id, ..., kind=...)``."""

from __future__ import annotations

import pytest

REQUIREMENTS = "capc_req"
"""The property of a report under which they travel from a worker to the controller."""


def requirements_of(item: pytest.Item) -> dict[str, str]:
    """The ids that a test's markers name, with the kind of evidence; the marker nearest to the test wins."""
    markers = reversed(list(item.iter_markers("req")))
    return {identifier: marker.kwargs.get("kind", "test") for marker in markers for identifier in marker.args}
