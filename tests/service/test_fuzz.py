"""Requests drawn at random from the OpenAPI document: no fault of the service, no answer beside the document.

The environment variable FUZZ says how many requests are drawn for each operation and each kind of request.
"""

from __future__ import annotations

import logging
import os
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from made_index import movie_id, reviewer_id, write_index
from served import served

schemathesis = pytest.importorskip("schemathesis")

NUM_REQUESTS = int(os.environ.get("FUZZ", "6"))
WHERE = st.sampled_from(
    ["year >= 1990", "price < 10 or title ilike '%film 1%'", "list_contains(links, 'x')", "1 = 1", "year >"]
)
KNOWN = {
    "reviewer_id": st.integers(0, 299).map(reviewer_id),
    "movie_id": st.integers(0, 399).map(movie_id),
    "where": WHERE,
    "title": st.sampled_from(["film", "Film 12", "fi1m"]),
}
"""Values that the index knows, which no document could tell; half of the requests use them."""
KNOWN_LISTS = {"reviewer_ids": KNOWN["reviewer_id"], "movie_ids": KNOWN["movie_id"]}


@pytest.fixture(scope="module")
def document(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    directory = tmp_path_factory.mktemp("fuzz") / "index"
    write_index(directory)
    with served(directory) as address:
        yield schemathesis.openapi.from_url(f"{address}/openapi.json")


def use_known(values: dict[str, Any], draw: Any) -> None:
    """Puts values that the index knows in the place of drawn ones."""
    for name in values:
        if name in KNOWN:
            values[name] = draw(KNOWN[name])
        elif name in KNOWN_LISTS:
            values[name] = draw(st.lists(KNOWN_LISTS[name], min_size=1, max_size=5))
        elif name == "ratings":
            values[name] = draw(st.dictionaries(KNOWN["movie_id"], st.integers(1, 5), min_size=1))


@pytest.mark.parametrize("kind", ["positive", "negative"])
def test_no_request_breaks_the_service_or_the_document(document: Any, kind: str) -> None:
    from schemathesis.checks import not_a_server_error
    from schemathesis.specs.openapi import checks

    checked = [
        not_a_server_error,
        checks.status_code_conformance,
        checks.content_type_conformance,
        checks.response_headers_conformance,
        checks.response_schema_conformance,
    ]
    statuses: Counter[int] = Counter()

    def ask(operation: Any) -> None:
        @settings(
            max_examples=NUM_REQUESTS,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy(schemathesis.GenerationMode(kind)), data=st.data())
        def asked(case: Any, data: st.DataObject) -> None:
            if kind == "positive" and data.draw(st.booleans()):
                for part in (case.path_parameters, case.query, case.body):
                    if isinstance(part, dict):
                        use_known(part, data.draw)
            answer = case.call()
            statuses[answer.status_code] += 1
            case.validate_response(answer, checks=checked)

        asked()

    for found in document.get_all_operations():
        operation = found.ok()
        if kind == "positive" or operation.body or operation.query:
            ask(operation)
    assert statuses.total() >= 10 * NUM_REQUESTS
    logging.getLogger("fuzz").info("%s: %d requests, by status %s", kind, statuses.total(), dict(statuses))
