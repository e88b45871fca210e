"""Updates of an index whose vectors are in a vector database."""

from pathlib import Path

import numpy as np
from made_index import reviewer_id, write_cold_start, write_index
from vector_database import needs_milvus

from engine import Engine
from engine.artifact.layout import ADDRESS_FILE
from engine.artifact.reader import Artifact
from indexes.milvus_index import Address
from pipelines import add_reviews
from pipelines.updating.movies import add_movies
from pipelines.updating.reindex import rebuild_index


def address_of(index: Path) -> Address:
    return Address.read(Artifact.open(index).file(ADDRESS_FILE))


def test_updates_keep_or_renew_the_collection(tmp_path: Path) -> None:
    needs_milvus()
    index, reviewer = write_index(tmp_path / "index", 60), reviewer_id(3)
    write_cold_start(index)
    rebuild_index(index, kind="milvus", keep=1)
    first, engine = address_of(index), Engine.load(index)
    movie = engine.recommend(reviewer, k=1)[0].movie_id
    before = engine.recommend(reviewer, k=5, where="movie_count >= 3")

    reviews = tmp_path / "new.csv"
    reviews.write_text(f"user,item,rating,timestamp\nnew,{movie},5,1700000000\n")
    add_reviews([reviews], index=index)
    second = address_of(index)
    assert second.collection == first.collection
    assert set(first.columns) - set(second.columns) == {"movie_count", "average_rating"}
    after = Engine.load(index).recommend(reviewer, k=5, where="movie_count >= 3")
    assert [one.movie_id for one in after] == [one.movie_id for one in before]

    metadata = tmp_path / "movies.jsonl"
    metadata.write_text('{"asin": "NEWMOVIE01", "title": "A new film", "price": 4.5}\n')
    add_movies([metadata], index=index)
    third, opened = address_of(index), Engine.load(index)
    assert third.collection != first.collection
    assert third.num_vectors == first.num_vectors + 1
    assert set(third.columns) == set(first.columns)
    assert opened.similar("NEWMOVIE01", k=3)
    assert np.isfinite([one.score for one in opened.recommend(reviewer, k=5)]).all()
