"""Columns, headers and shapes of JSON: each is recognised, can be named, or is asked about."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from command_runs import Engine, Prepare
from invented_files import NUM_ROWS, ROWS, TITLES, amazon, json_lines, table, write

Case = Callable[[str], None]

RATED = "select count(*), count(rating), count(unix_review_time) from prepared"
BOOK_CROSSING = ("--columns", "reviewer=User-ID,movie=ISBN,rating=Book-Rating")


@pytest.mark.parametrize(("name", "column"), [("aws.tsv", "star_rating"), ("stars.csv", "star_rating")])
def test_unknown_rating_column_ignored(case: Case, prepare: Prepare, name: str, column: str) -> None:
    case("unknown_rating_column_ignored")
    done = prepare(name)
    assert done.counts == (480, 480, 0)
    assert done.sql(RATED) == [(480, 480, 480)]
    assert column in done.log
    if name == "aws.tsv":
        assert "vine" in done.log.partition("ignored")[2]


def test_title_column_cannot_be_named(case: Case, prepare: Prepare) -> None:
    case("title_column_cannot_be_named")
    titles = "select count(distinct title), count(title), count(*) from prepared"
    for columns in (BOOK_CROSSING[1], f"{BOOK_CROSSING[1]},title=Book-Title"):
        done = prepare("ratings.csv", "--metadata", "books.csv", "--columns", columns)
        assert done.sql(titles) == [(24, 480, 480)]
        assert done.sql("select count(brand), min(rating) from prepared")[0][1] == 0
    done = prepare("plain.csv", "--metadata", "x.item", "--columns", "movie=item_id:token")
    assert done.sql(titles) == [(24, 480, 480)]


def test_goodreads_yelp_json_no_way(case: Case, prepare: Prepare) -> None:
    case("goodreads_yelp_json_no_way")
    for more in ((), ("--columns", "reviewer=user_id,movie=book_id,rating=rating,time=date_added")):
        done = prepare("goodreads.jsonl", *more)
        assert done.counts == (480, 480, 0)
        assert done.sql(RATED) == [(480, 480, 480)]
        assert done.sql("select distinct review_time::date::varchar from prepared") == [("2017-08-25",)]


def test_headerless_csv(case: Case, prepare: Prepare) -> None:
    case("headerless_csv")
    for more in ((), ("--columns", "reviewer=1,movie=2,rating=3,time=4")):
        done = prepare("ratings_Movies.csv", *more)
        assert done.counts == (480, 480, 0)
        assert done.sql(RATED) == [(480, 480, 480)]
        assert done.sql("select count(distinct reviewer_id), count(distinct movie_id) from prepared") == [
            (60, 24)
        ]
        assert "header" in done.log


def test_headerless_csv_as_the_old_advice_said(case: Case, engine: Engine) -> None:
    case("headerless_csv")
    said = engine(
        *("prepare", "ratings_Movies.csv", "--output", "o.parquet", "--json"),
        *("--columns", Path("advice.txt").read_text().strip()),
    )
    if said.code == 0:
        assert json.loads(said.stdout)["accounting"]["read"] == 480
    else:
        assert "column 1" in said.sentence


def test_time_column_can_be_left_out(case: Case, prepare: Prepare) -> None:
    case("time_column_cannot_be_left_out")
    done = prepare("goodreads.csv", "--columns", "time=")
    assert done.counts == (480, 480, 0)
    assert done.sql(RATED) == [(480, 480, 0)]


def test_pass_movietweetings_and_2014_metadata(case: Case, prepare: Prepare) -> None:
    case("pass_movietweetings_and_2014_metadata")
    done = prepare("ratings.dat")
    assert done.counts == (480, 480, 0)
    assert done.sql("select distinct movie_id, title, category from prepared order by 1 limit 2") == [
        ("0000000", "Café 0 (1990)", "Drama | Short"),
        ("0000001", "Café 1 (1990)", None),
    ]
    done = prepare("ratings.dat", "--metadata", "meta.json")
    assert done.sql("select count(title), avg(price) from prepared") == [(480, 9.5)]


# Other inputs of the same kinds.

HEADERS = {
    "reviewerID,asin,overall,unixReviewTime": None,
    "user_id,parent_asin,rating,timestamp": None,
    "customer_id,product_id,star_rating,review_date": None,
    "User-ID,ISBN,Book-Rating,at": None,
    "user_id,business_id,stars,date": None,
    "user_id,book_id,rating,date_added": None,
    "username,product_id,score,ts": None,
    "user_id:token,item_id:token,rating:float,timestamp:float": None,
    "USER ID,MOVIE ID,Rating,Timestamp": None,
    "review/userId,product/productId,review/score,review/time": None,
    "profileName,movieId,stars,created_at": None,
    '"userId","movieId","rating","timestamp"': None,
}


def test_usual_names_are_known(prepare: Prepare) -> None:
    # Each header is of a well-known data set or export.
    for header in HEADERS:
        write("r.csv", table(ROWS, header))
        done = prepare("r.csv")
        assert (header, done.counts) == (header, (NUM_ROWS, NUM_ROWS, 0))
        assert (header, done.sql(RATED)) == (header, [(NUM_ROWS, NUM_ROWS, NUM_ROWS)])


def test_what_each_column_was_taken_for_is_said(prepare: Prepare) -> None:
    write("r.csv", table([(*row, "x") for row in ROWS], "user,movie,stars,at,note"))
    done = prepare("r.csv")
    [line] = [line for line in done.log.splitlines() if "ignored" in line]
    for part in ("user as reviewer", "movie", "stars as rating", "at as time", "note"):
        assert part in line
    assert line.index("ignored") < line.index("note")


def test_a_column_of_numbers_that_nobody_recognised_is_asked_about(engine: Engine) -> None:
    write("r.csv", table([(row.reviewer, row.movie, row.rating) for row in ROWS], "user,movie,grade"))
    said = engine("prepare", "r.csv", "--output", "o.parquet")
    assert "grade" in said.log
    assert "rating=grade" in said.log
    said = engine("prepare", "r.csv", "--output", "o.parquet", "--columns", "rating=grade")
    assert said.code == 0, said


def test_columns_can_be_left_out(prepare: Prepare) -> None:
    write("r.csv", table(ROWS))
    done = prepare("r.csv", "--columns", "time=")
    assert done.sql(RATED) == [(NUM_ROWS, NUM_ROWS, 0)]
    done = prepare("r.csv", "--columns", "rating=,time=timestamp")
    assert done.sql(RATED) == [(NUM_ROWS, 0, NUM_ROWS)]


def test_a_log_of_reviews_describes_its_movies(prepare: Prepare) -> None:
    lines = [(*row, TITLES[row.movie], "9.50", "Drama|War") for row in ROWS]
    write("r.csv", table(lines, "user_id,item_id,rating,timestamp,film,cost,genres"))
    done = prepare("r.csv", "--columns", "title=film,price=cost")
    assert done.sql("select distinct movie_id, title, price from prepared order by 1") == [
        (movie, title, 9.5) for movie, title in sorted(TITLES.items())
    ]


def test_a_name_that_no_file_has_is_refused_with_the_nearest(engine: Engine) -> None:
    write("r.csv", table(ROWS))
    said = engine("prepare", "r.csv", "--output", "o.parquet", "--columns", "rating=ratng")
    assert "rating" in said.sentence.replace("ratng", "")
    said = engine("prepare", "r.csv", "--output", "o.parquet", "--columns", "ratng=rating")
    assert "ratng" in said.sentence


@pytest.mark.parametrize("by", [",", "\t", ";"])
def test_tables_without_a_header_lose_no_row(prepare: Prepare, by: str) -> None:
    write(
        "r.csv",
        table([(f"A{row.reviewer}X", f"B0{row.movie}", float(row.rating), row.time) for row in ROWS], "", by),
    )
    done = prepare("r.csv")
    assert done.counts == (NUM_ROWS, NUM_ROWS, 0)
    assert done.sql(RATED) == [(NUM_ROWS, NUM_ROWS, NUM_ROWS)]
    assert done.sql("select count(distinct movie_id) from prepared where movie_id like 'B0%'") == [(12,)]


def test_amazon_ratings_of_2018_have_the_movie_first(prepare: Prepare) -> None:
    lines = [
        (f"000{row.movie[1:]:0>7}", f"A{10**12 + int(row.reviewer[1:]):013}", float(row.rating), row.time)
        for row in ROWS
    ]
    write("r.csv", table(lines, ""))
    done = prepare("r.csv")
    assert done.counts == (NUM_ROWS, NUM_ROWS, 0)
    assert done.sql("select count(distinct movie_id), count(distinct reviewer_id) from prepared") == [
        (12, 20)
    ]
    done = prepare("r.csv", "--columns", "movie=1,reviewer=2,rating=3,time=4")
    assert done.sql("select count(distinct movie_id), count(distinct reviewer_id) from prepared") == [
        (12, 20)
    ]


def documents() -> dict[str, str]:
    """Gives the invented reviews as JSON in shapes that are not one object a line."""
    objects = [amazon(row, reviewText='say "}{][" and \\') for row in ROWS]
    return {
        "array": json.dumps(objects),
        "array, one element a line": "[\n" + ",\n".join(map(json.dumps, objects)) + "\n]\n",
        "pretty array": json.dumps(objects, indent=2),
        "one document": json.dumps({"count": NUM_ROWS, "reviews": objects}),
        "pretty document": json.dumps({"reviews": objects}, indent=2),
        "pretty objects": "\n".join(json.dumps(one, indent=2) for one in objects),
        "objects without line ends": "".join(map(json.dumps, objects)),
        "literals": "\n".join(map(repr, objects)),
        "array of literals": repr(objects),
    }


@pytest.mark.parametrize("shape", documents())
def test_json_of_other_shapes_is_read(prepare: Prepare, shape: str) -> None:
    write("r.json", documents()[shape])
    done = prepare("r.json")
    assert done.counts == (NUM_ROWS, NUM_ROWS, 0)
    assert done.sql("select distinct review_text from prepared") == [('say "}{][" and \\',)]


@pytest.mark.parametrize("shape", ["array", "literals"])
def test_metadata_of_other_shapes_is_read(prepare: Prepare, shape: str) -> None:
    write("r.csv", table(ROWS))
    movies = [
        {"asin": movie, "title": f'{title}\'s "day"', "price": "$9.50"} for movie, title in TITLES.items()
    ]
    write("m.json", json.dumps(movies, indent=1) if shape == "array" else "\n".join(map(repr, movies)))
    done = prepare("r.csv", "--metadata", "m.json")
    assert done.sql("select distinct title, price from prepared where movie_id = 'm3'") == [
        (f'{TITLES["m3"]}\'s "day"', 9.5)
    ]


def test_fields_inside_fields_can_be_named(prepare: Prepare) -> None:
    objects = [
        {
            "user": {"id": row.reviewer},
            "business": {"id": row.movie},
            "stars": row.rating,
            "date": "2017-08-25 10:00:00",
        }
        for row in ROWS
    ]
    write("r.json", json_lines(objects))
    done = prepare("r.json", "--columns", "reviewer=user.id,movie=business.id")
    assert done.counts == (NUM_ROWS, NUM_ROWS, 0)
    assert done.sql(RATED) == [(NUM_ROWS, NUM_ROWS, NUM_ROWS)]


@pytest.mark.parametrize(
    ("names", "time"),
    [
        (("user_id", "business_id", "stars", "date"), "2017-08-25 10:00:00"),
        (("user_id", "book_id", "rating", "date_added"), "Fri Aug 25 10:00:00 -0700 2017"),
        (("username", "product_id", "hours", "date"), "2017-08-25"),
    ],
    ids=["yelp", "goodreads", "steam"],
)
def test_json_of_well_known_sets_is_read(prepare: Prepare, names: tuple[str, ...], time: str) -> None:
    objects = [dict(zip(names, (row.reviewer, row.movie, row.rating, time), strict=True)) for row in ROWS]
    write("r.json", json_lines(objects))
    done = prepare("r.json")
    assert done.counts == (NUM_ROWS, NUM_ROWS, 0)
    [(rows, _, times)] = done.sql(RATED)
    assert (rows, times) == (NUM_ROWS, NUM_ROWS)


def test_a_damaged_element_of_an_array_loses_only_itself(prepare: Prepare) -> None:
    elements = [json.dumps(amazon(row)) for row in ROWS]
    elements[5] = elements[5].replace(":", ";", 1)
    elements[9] = elements[9].replace("}", "")
    write("r.json", "[\n" + ",\n".join(elements) + "\n]\n")
    done = prepare("r.json")
    assert done.counts[0] == NUM_ROWS
    assert done.counts[1] >= NUM_ROWS - 3
