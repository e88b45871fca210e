"""Types of Parquet columns, and ids: what is the same to a person is one id."""

from collections.abc import Callable

import duckdb
import pytest
from command_runs import Engine, Prepare
from invented_files import NUM_ROWS, ROWS, TITLES, amazon, json_lines, table, write

Case = Callable[[str], None]

TITLED = "select count(distinct movie_id), count(distinct title) from prepared"


def write_parquet(name: str, columns: str, source: str = "r.csv") -> None:
    """Writes the columns of a table as Parquet."""
    duckdb.sql(f"select {columns} from read_csv('{source}')").write_parquet(name)


def test_binary_parquet_metadata(case: Case, prepare: Prepare) -> None:
    case("binary_parquet_metadata")
    for reviews in ("r.parquet", "r.csv"):
        done = prepare(reviews, "--metadata", "m.parquet")
        assert done.counts == (480, 480, 0)
        assert done.sql(TITLED) == [(24, 24)]
        assert done.sql("select distinct title from prepared where movie_id = 'm1'") == [("Film 1 (1961)",)]


def test_float_ids_do_not_meet_int_ids(case: Case, prepare: Prepare) -> None:
    case("float_ids_do_not_meet_int_ids")
    done = prepare("r.parquet", "--metadata", "movies.csv")
    assert done.sql(TITLED)[0][0] == 24
    assert done.sql("select count(*) from prepared where title is null") == [(0,)]
    assert done.sql("select distinct title from prepared where movie_id = '1'") == [("Film 1 (1990)",)]


def test_nan_ids_become_one_reviewer(case: Case, prepare: Prepare) -> None:
    case("nan_ids_become_one_reviewer")
    done = prepare("r.parquet")
    assert done.counts == (480, 432, 48)
    assert done.accounting["rejected_by"] == {"no reviewer id": 48}
    assert done.sql(
        "select count(*) from prepared where reviewer_id ilike 'nan' or reviewer_id like '%.0'"
    ) == [(0,)]


def test_parquet_column_file_row_number(case: Case, prepare: Prepare) -> None:
    case("parquet_column_file_row_number")
    assert prepare("r.parquet").counts == (480, 480, 0)


def test_ids_with_spaces(case: Case, prepare: Prepare) -> None:
    case("ids_with_spaces")
    done = prepare("spaced.csv", "--metadata", "movies.csv")
    assert done.sql("select distinct title from prepared where movie_id = 'm1'") == [("Film 1 (1961)",)]
    assert done.sql(TITLED) == [(24, 24)]
    done = prepare("mixed.jsonl")
    assert done.counts == (480, 480, 0)
    assert done.sql("select count(distinct reviewer_id), count(distinct movie_id) from prepared") == [
        (60, 24)
    ]


def test_pass_parquet_types(case: Case, prepare: Prepare) -> None:
    case("pass_parquet_types")
    done = prepare("r.parquet", "--columns", "reviewer=user.id,movie=item.id,rating=review/score,time=at")
    assert done.counts == (480, 470, 10)
    assert done.accounting["rejected_by"] == {"no rating": 10}
    [(count, first, last, since, until)] = done.sql(
        "select count(distinct reviewer_id), min(reviewer_id), max(reviewer_id), "
        "min(review_time)::date::varchar, max(review_time)::date::varchar from prepared"
    )
    assert (count, first, last) == (60, "9007199254740993", "9007199254741052")
    assert since in ("2017-07-14", "2017-07-15")
    assert until == "2017-10-30"


def test_parquet_fatal(case: Case, engine: Engine) -> None:
    case("attack/parquet-fatal")
    assert "r.parquet" in engine("prepare", "r.parquet", "--output", "o.parquet").sentence


# Other inputs of the same kinds.

WHOLE = "replace(item_id, 'm', '')"
KINDS = {
    "decimal": f"user_id, {WHOLE}::decimal(18, 4) as item_id, rating::decimal(3, 1) as rating, timestamp",
    "hugeint": f"user_id, {WHOLE}::hugeint as item_id, rating::utinyint as rating, timestamp",
    "double": f"user_id, {WHOLE}::double as item_id, rating::float as rating, timestamp::double as timestamp",
    "zone": "user_id, item_id, rating, make_timestamptz(timestamp * 1000000) as timestamp",
    "date": "user_id, item_id, rating, make_timestamp(timestamp * 1000000)::date as timestamp",
    "blob": "encode(user_id) as user_id, encode(item_id) as item_id, rating, timestamp",
}


@pytest.mark.parametrize("kind", KINDS)
def test_typed_columns_are_read_as_their_values(prepare: Prepare, kind: str) -> None:
    write("r.csv", table(ROWS))
    write_parquet("r.parquet", KINDS[kind])
    movies = [
        (movie if kind in ("zone", "date", "blob") else movie[1:], title) for movie, title in TITLES.items()
    ]
    write("m.csv", table(movies, "movieId,title"))
    done = prepare("r.parquet", "--metadata", "m.csv")
    assert done.counts == (NUM_ROWS, NUM_ROWS, 0)
    assert done.sql(TITLED) == [(12, 12)]
    [(first, last)] = done.sql("select min(unix_review_time), max(unix_review_time) from prepared")
    expected = [row.time for row in ROWS]
    assert first // 86_400 == min(expected) // 86_400
    assert last // 86_400 == max(expected) // 86_400


def test_dictionaries_and_uuids_are_ids(prepare: Prepare) -> None:
    write("r.csv", table(ROWS))
    values = ", ".join(f"'u{number}'" for number in range(20))
    write_parquet("r.parquet", f"user_id::enum({values}) as user_id, item_id, rating, timestamp")
    assert prepare("r.parquet").sql("select count(distinct reviewer_id) from prepared") == [(20,)]
    write_parquet("r.parquet", "md5(user_id)::uuid as user_id, item_id, rating, timestamp")
    assert prepare("r.parquet").sql(
        "select count(distinct reviewer_id), min(length(reviewer_id)) from prepared"
    ) == [(20, 36)]


@pytest.mark.parametrize("column", ["[user_id]", "{'id': user_id}", "map {'id': user_id}"])
def test_a_nested_column_that_is_needed_is_refused_by_name(engine: Engine, column: str) -> None:
    write("r.csv", table(ROWS))
    write_parquet("r.parquet", f"{column} as user_id, item_id, rating, timestamp")
    sentence = engine("prepare", "r.parquet", "--output", "o.parquet").sentence
    assert "user_id" in sentence
    assert any(word in sentence.lower() for word in ("list", "struct", "nested", "map", "[]"))


def test_a_nested_column_that_is_not_needed_does_not_matter(prepare: Prepare) -> None:
    write("r.csv", table(ROWS))
    write_parquet("r.parquet", "*, [user_id, item_id] as both, {'a': 1} as more, null as nothing")
    assert prepare("r.parquet").counts == (NUM_ROWS, NUM_ROWS, 0)


def test_whole_floats_in_text_meet_integers(prepare: Prepare) -> None:
    # Pandas writes a column of integers with a gap as floats.
    write("r.csv", table([(row.reviewer, f"{row.movie[1:]}.0", row.rating, row.time) for row in ROWS]))
    write("m.csv", table([(movie[1:], title) for movie, title in TITLES.items()], "movieId,title"))
    assert prepare("r.csv", "--metadata", "m.csv").sql(TITLED) == [(12, 12)]
    write("r.csv", table([(row.reviewer, row.movie[1:], row.rating, row.time) for row in ROWS]))
    write("m.csv", table([(f"{movie[1:]}.0", title) for movie, title in TITLES.items()], "movieId,title"))
    assert prepare("r.csv", "--metadata", "m.csv").sql(TITLED) == [(12, 12)]


@pytest.mark.parametrize("space", [" ", "\t", "\u00a0", "\u2003", " \u00a0 "])
def test_ids_lose_all_whitespace_around_them(prepare: Prepare, space: str) -> None:
    reviews = [
        amazon(
            row._replace(
                reviewer=space * (number % 2) + row.reviewer, movie=row.movie + space * (number % 3 == 0)
            )
        )
        for number, row in enumerate(ROWS)
    ]
    write("r.json", json_lines(reviews))
    write(
        "m.json", json_lines({"asin": f"{space}{movie}", "title": title} for movie, title in TITLES.items())
    )
    done = prepare("r.json", "--metadata", "m.json")
    assert done.counts == (NUM_ROWS, NUM_ROWS, 0)
    assert done.sql("select count(distinct reviewer_id) from prepared") == [(20,)]
    assert done.sql(TITLED) == [(12, 12)]


@pytest.mark.parametrize(
    ("reviewed", "described", "words"),
    [
        ("1{}", "0001{}", "zero"),
        ("m{}x", "M{}X", "case|capital|upper|letter"),
        ("{}", "tt{}", "prefix|begin|tt"),
    ],
    ids=["zeros", "case", "prefix"],
)
def test_why_reviews_and_metadata_do_not_meet_is_said(
    prepare: Prepare, reviewed: str, described: str, words: str
) -> None:
    lines = [(row.reviewer, reviewed.format(row.movie[1:]), row.rating, row.time) for row in ROWS]
    write("r.csv", table(lines))
    movies = [(described.format(movie[1:]), title) for movie, title in TITLES.items()]
    write("m.csv", table(movies, "movieId,title"))
    log = prepare("r.csv", "--metadata", "m.csv").log
    [line] = [line for line in log.splitlines() if "WARNING" in line]
    assert any(word in line for word in words.split("|")), line
    assert sum(reviewed.format(n) in line and described.format(n) in line for n in range(12)) >= 2


def test_missing_ids_are_missing_in_every_form(prepare: Prepare) -> None:
    write("r.csv", table(ROWS))
    write_parquet(
        "r.parquet",
        "case item_id when 'm3' then 'nan'::double when 'm4' then null "
        "else replace(user_id, 'u', '')::double end as user_id, item_id, rating, timestamp",
    )
    missing = sum(row.movie in ("m3", "m4") for row in ROWS)
    assert prepare("r.parquet").accounting["rejected_by"] == {"no reviewer id": missing}


def test_names_of_columns_that_mean_something_to_duckdb_do_not_matter(prepare: Prepare) -> None:
    write("r.csv", table(ROWS))
    write_parquet(
        "r.parquet",
        "*, 1 as file_row_number, 2 as filename, 3 as rowid, 4 as line, 5 as reason, 6 as File",
    )
    assert prepare("r.parquet").counts == (NUM_ROWS, NUM_ROWS, 0)


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda data: data[:-200], ("Parquet",)),
        (lambda data: data[:1000] + bytes(300) + data[1300:], ("Parquet",)),
        (lambda data: data[:4] + data[-300:], ("Parquet",)),
        (lambda _: b"PAR1", ("Parquet",)),
    ],
)
def test_damaged_parquet_is_one_sentence(
    engine: Engine, damage: Callable[[bytes], bytes], words: tuple[str, ...]
) -> None:
    write("r.csv", table(ROWS))
    write_parquet("good.parquet", "*")
    with open("good.parquet", "rb") as file:  # noqa: PTH123
        write("bad.parquet", damage(file.read()))
    assert "bad.parquet" in engine("prepare", "bad.parquet", "--output", "o.parquet").sentence
    said = engine("prepare", "r.csv", "--metadata", "bad.parquet", "--output", "o.parquet")
    assert all(word in said.sentence for word in words)
