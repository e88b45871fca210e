"""Times, ratings, counts and prices: one value changes no scale, and one format is chosen for a column."""

import datetime as dt
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from command_runs import QUICK, Engine, Prepare
from invented_files import NUM_ROWS, ROWS, TITLES, Row, table, write

Case = Callable[[str], None]

DAYS = (
    "select min(review_time)::date::varchar, max(review_time)::date::varchar, count(review_time) "
    "from prepared"
)
TRUE_DAYS = [("2017-07-14", "2017-10-30", 480)]


def test_dates_day_first(case: Case, prepare: Prepare) -> None:
    case("dates_day_first")
    done = prepare("dmy.csv")
    assert done.counts == (480, 480, 0)
    assert done.sql(DAYS) == TRUE_DAYS


@pytest.mark.parametrize("name", ["goodreads", "words", "dots", "us_time"])
def test_time_column_cannot_be_left_out(case: Case, prepare: Prepare, name: str) -> None:
    case("time_column_cannot_be_left_out")
    done = prepare(f"{name}.csv")
    assert done.counts == (480, 480, 0)
    assert done.sql(DAYS) == TRUE_DAYS


def test_time_column_cannot_be_left_out_where_it_says_null(case: Case, prepare: Prepare) -> None:
    case("time_column_cannot_be_left_out")
    done = prepare("null.csv")
    assert done.counts == (480, 480, 0)
    assert done.sql("select count(unix_review_time) from prepared") == [(320,)]


@pytest.mark.parametrize("name", ["mixed.csv", "us.csv", "iso.csv"])
def test_pass_times(case: Case, prepare: Prepare, name: str) -> None:
    case("pass_times")
    done = prepare(name)
    assert done.counts == (480, 480, 0)
    assert done.sql("select min(review_time)::varchar, max(review_time)::varchar from prepared") == [
        ("2017-07-14 02:40:00", "2017-10-30 02:40:00")
    ]


def test_decimal_comma_price(case: Case, prepare: Prepare) -> None:
    case("decimal_comma_price")
    done = prepare("r.csv", "--metadata", "m.csv")
    prices = dict(done.sql("select movie_id, any_value(price) from prepared group by 1"))
    assert prices["m1"] in (12.99, None)
    assert prices["m2"] in (1234.5, None)
    assert prices["m3"] in (1.29, None)
    assert prices["m4"] in (1234.5, None)
    assert prices["m5"] == 5
    unread = sum(prices[movie] is None for movie in ("m1", "m2", "m3", "m4"))
    assert done.accounting["metadata"]["unreadable_fields"].get("price", 0) == unread


def test_pass_bookcrossing_zeros(case: Case, prepare: Prepare) -> None:
    case("pass_bookcrossing_zeros")
    columns = ("--columns", "reviewer=User-ID,movie=ISBN,rating=Book-Rating")
    done = prepare("r.csv", *columns, "--where", "rating > 0")
    assert done.counts == (480, 320, 0)
    assert done.accounting["filtered_by"]["where"] == 160
    [(low, high, movie)] = done.sql("select min(rating), max(rating), min(movie_id) from prepared")
    assert (low, high, movie) == (2, 10, "000000000X")


@pytest.mark.slow
def test_outlier_rating_becomes_the_like(case: Case, engine: Engine) -> None:
    case("outlier_rating_becomes_the_like")
    said = engine("build-index", "r.csv", "--output", "ix", *QUICK)
    assert said.code == 0, said
    [warning] = [line for line in said.log.splitlines() if "WARNING" in line and "50" in line]
    assert "480" in warning
    assert "like_rating" in warning
    assert "nan" not in said.stdout
    assert like_rating() in (4, 5)
    answer = json.loads(engine("recommend", "reviewer", "u1", "--index", "ix", "-k", "3", "--json").stdout)
    assert all(item["like_probability"] > 0.01 for item in answer["recommendations"])


def like_rating() -> float:
    """Gives the lowest rating that the index in the folder `ix` takes for a like."""
    [manifest] = Path("ix").glob("build-*/manifest.json")
    found = json.loads(manifest.read_text())
    return float(found["model"]["blend"]["like_rating"])


@pytest.mark.slow
def test_sentinel_date_wrecks_popularity(case: Case, engine: Engine) -> None:
    case("sentinel_date_wrecks_popularity")
    tops = []
    for name in ("clean", "r"):
        said = engine("build-index", f"{name}.csv", "--output", name, *QUICK)
        assert said.code == 0, said
        arguments = ("recommend", "reviewer", "NOBODY", "--fallback", "popular", "--index", name, "-k", "5")
        answer = json.loads(engine(*arguments, "--json").stdout)
        tops.append([item["movie_id"] for item in answer["recommendations"]])
        if name == "r":
            assert "9999" in said.log or "time" in said.log.partition("WARNING")[2]
    assert tops[0][0] == tops[1][0] == "m7"
    assert tops[0][:3] == tops[1][:3]


@pytest.mark.slow
def test_pass_scales(case: Case, engine: Engine) -> None:
    case("pass_scales")
    for name in ("one", "single"):
        sentence = engine("build-index", f"{name}.csv", "--output", name, *QUICK).sentence
        assert len(sentence) < 500
    alone = ("--min-reviews-per-reviewer", "1", "--min-reviews-per-movie", "1")
    assert engine("build-index", "single.csv", "--output", "s", *QUICK, *alone).code in (0, 1)
    for name in ("binary", "jester"):
        said = engine("build-index", f"{name}.csv", "--output", name, *QUICK)
        assert said.code == 0, said
        assert engine("predict", "u1", "m1", "m2", "--index", name).code == 0


# Other inputs of the same kinds.


def day(row: Row, form: str) -> str:
    return dt.datetime.fromtimestamp(row.time, dt.UTC).strftime(form)


def dated(form: Callable[[Row], object]) -> str:
    """Gives the invented rows with their times in another form."""
    return table([(*row[:3], form(row)) for row in ROWS])


FORMS = {
    "iso basic": "%Y%m%d",
    "iso basic with time": "%Y%m%dT%H%M%S",
    "year first with slashes": "%Y/%m/%d",
    "zone": "%Y-%m-%dT%H:%M:%S+0000",
    "zulu": "%Y-%m-%dT%H:%M:%S.000Z",
    "utc": "%Y-%m-%d %H:%M:%S UTC",
    "month first": "%m/%d/%Y",
    "month first, two-digit year": "%m/%d/%y",
    "day first with dots": "%d.%m.%Y %H:%M",
    "twelve hours": "%m/%d/%Y %I:%M:%S %p",
    "month by name": "%b %d; %Y",
    "month by name in full": "%B %d %Y",
    "day, month by name": "%d-%b-%Y",
    "weekday": "%a %b %d %H:%M:%S +0000 %Y",
    "rfc 2822": "%a; %d %b %Y %H:%M:%S GMT",
    "amazon": "%m %d; %Y",
}


@pytest.mark.parametrize("name", FORMS)
def test_common_forms_of_dates_are_read(prepare: Prepare, name: str) -> None:
    form = FORMS[name]
    write("r.csv", dated(lambda row: '"{}"'.format(day(row, form).replace(";", ","))))
    done = prepare("r.csv")
    assert done.counts == (NUM_ROWS, NUM_ROWS, 0)
    found = done.sql("select reviewer_id, movie_id, unix_review_time // 86400 from prepared order by all")
    assert found == sorted((row.reviewer, row.movie, row.time // 86_400) for row in ROWS)


def test_excel_days_and_years_are_read(prepare: Prepare) -> None:
    write("r.csv", dated(lambda row: row.time // 86_400 + 25_569))
    [(first,)] = prepare("r.csv").sql("select min(review_time)::date::varchar from prepared")
    assert first == min(day(row, "%Y-%m-%d") for row in ROWS)
    write("r.csv", dated(lambda row: 2001 + row.time % 17))
    assert prepare("r.csv").sql("select min(year(review_time)), max(year(review_time)) from prepared") == [
        (min(2001 + row.time % 17 for row in ROWS), max(2001 + row.time % 17 for row in ROWS))
    ]


def test_places_in_a_sequence_stay_an_order(prepare: Prepare) -> None:
    write("r.csv", table([(*row[:3], number + 1) for number, row in enumerate(ROWS)]))
    done = prepare("r.csv")
    assert done.counts == (NUM_ROWS, NUM_ROWS, 0)
    assert done.sql("select count(distinct unix_review_time) from prepared") == [(NUM_ROWS,)]


def test_an_ambiguous_column_of_dates_is_said_and_can_be_decided(prepare: Prepare) -> None:
    write("r.csv", dated(lambda row: f"{1 + row.time % 12:02}/{1 + row.time // 7 % 12:02}/2017"))
    done = prepare("r.csv")
    assert "--time-format" in done.log
    months = "select distinct month(review_time) from prepared where reviewer_id = 'u1' order by 1"
    first = {1 + row.time % 12 for row in ROWS if row.reviewer == "u1"}
    second = {1 + row.time // 7 % 12 for row in ROWS if row.reviewer == "u1"}
    assert {month for (month,) in prepare("r.csv", "--time-format", "%m/%d/%Y").sql(months)} == first
    assert {month for (month,) in prepare("r.csv", "--time-format", "%d/%m/%Y").sql(months)} == second
    assert "--time-format" not in prepare("r.csv", "--time-format", "%d/%m/%Y").log


@pytest.mark.parametrize(
    "bad", ["", "NULL", "null", "\\N", "N/A", "nan", "0000-00-00", "not a date", "-", "9" * 400]
)
def test_a_time_that_cannot_be_read_never_costs_the_rating(prepare: Prepare, bad: str) -> None:
    write(
        "r.csv", table([(*row[:3], bad if number % 3 == 0 else row.time) for number, row in enumerate(ROWS)])
    )
    done = prepare("r.csv")
    assert done.counts == (NUM_ROWS, NUM_ROWS, 0)
    assert done.sql("select count(unix_review_time) from prepared") == [(NUM_ROWS - NUM_ROWS // 3,)]


@pytest.mark.parametrize("odd", ["9999-12-31", "2100-01-01", "0001-01-01", "1900-01-01", "253402214400"])
def test_dates_that_cannot_be_are_counted_and_never_kept(prepare: Prepare, odd: str) -> None:
    form = "%Y-%m-%d" if "-" in odd else "%s"
    days = [str(row.time) if form == "%s" else day(row, form) for row in ROWS]
    days[7] = odd
    write("r.csv", table([(*row[:3], when) for row, when in zip(ROWS, days, strict=True)]))
    done = prepare("r.csv")
    assert done.counts[0] == NUM_ROWS
    assert done.sql("select min(year(review_time)), max(year(review_time)) from prepared") == [(2017, 2017)]
    assert "WARNING" in done.log


PRICES = {
    "9,99": 9.99,
    "12,50 €": 12.5,
    "1.299,00 €": 1299,
    "1 299,00": 1299,
    "1\u00a0299,00": 1299,
    "1\u202f299,00 €": 1299,
    "EUR 7,95": 7.95,
    "0,99": 0.99,
    "1'299,00": 1299,
    "5": 5,
}


def test_prices_with_decimal_commas_are_read(prepare: Prepare) -> None:
    write("r.csv", table(ROWS, by=";", header="user_id;item_id;rating;timestamp"))
    prices = dict(zip(TITLES, PRICES, strict=False))
    lines = [(movie, title, prices.get(movie, "3,50")) for movie, title in TITLES.items()]
    write("m.csv", table(lines, "movieId;title;price", ";"))
    found = dict(prepare("r.csv", "--metadata", "m.csv").sql("select distinct movie_id, price from prepared"))
    assert {prices[movie]: found[movie] for movie in prices} == PRICES


def test_prices_with_decimal_points_stay_as_they_were(prepare: Prepare) -> None:
    write("r.csv", table(ROWS))
    given = {
        "m1": "$1,234.50",
        "m2": "1,299",
        "m3": "$5.00 - $9.00",
        "m4": "12.99",
        "m5": "free?",
        "m6": "1'299.00",
    }
    lines = [(movie, title, given.get(movie, "$3.50")) for movie, title in TITLES.items()]
    write("m.csv", table(lines, "movieId\ttitle\tprice", "\t"))
    found = dict(prepare("r.csv", "--metadata", "m.csv").sql("select distinct movie_id, price from prepared"))
    assert [found[movie] for movie in given] == [1234.5, 1299, 5, 12.99, None, 1299]


def test_ratings_with_decimal_commas_are_numbers(prepare: Prepare) -> None:
    write(
        "r.csv",
        table([(*row[:2], f"{row.rating},5", row.time) for row in ROWS], "user;item;rating;time", ";"),
    )
    done = prepare("r.csv")
    assert done.counts == (NUM_ROWS, NUM_ROWS, 0)
    assert done.sql("select min(rating), max(rating) from prepared") == [(1.5, 5.5)]


def likes_by(engine: Engine, *arguments: object) -> tuple[float, str]:
    """Gives the lowest rating of a like by `engine evaluate`, which trains nothing here, and the warnings."""
    said = engine("evaluate", *arguments, "--models", "constants", "--json")
    assert said.code == 0, said
    warnings = "\n".join(line for line in said.log.splitlines() if "WARNING" in line)
    return json.loads(said.stdout)["like_rating"], warnings


@pytest.mark.parametrize(("odd", "step"), [(99, 3), (-1, 5), (1000, 100), (50, NUM_ROWS)])
def test_codes_among_the_ratings_do_not_set_the_scale(engine: Engine, odd: int, step: int) -> None:
    lines = [
        (*row[:2], odd if number % step == 0 else row.rating, row.time) for number, row in enumerate(ROWS)
    ]
    write("r.csv", table(lines))
    like, warnings = likes_by(engine, "r.csv")
    assert 3 <= like <= 5
    assert str(odd) in warnings


def test_play_counts_are_strengths_and_not_stars(engine: Engine) -> None:
    plays = [round(1.9 ** (2.2 * row.rating)) + number % 7 for number, row in enumerate(ROWS)]
    plays[3] = 7840
    lines = [(row.reviewer, row.movie, count) for row, count in zip(ROWS, plays, strict=True)]
    write("r.csv", table(lines, "user_id,item_id,plays"))
    like, _ = likes_by(engine, "r.csv", "--columns", "rating=plays", "--protocol", "random")
    assert sum(count >= like for count in plays) > NUM_ROWS // 20


def test_ordinary_scales_keep_their_like_without_a_warning(engine: Engine) -> None:
    for name, change, expected in (
        ("stars", lambda rating: rating, 4),
        ("halves", lambda rating: rating / 2, 2.0),
        ("tens", lambda rating: 2 * rating, 8),
        ("percent", lambda rating: 20 * rating, 80),
        ("thumbs", lambda rating: int(rating > 3), 1),
        ("around zero", lambda rating: rating - 3, 1),
    ):
        write("r.csv", table([(*row[:2], change(row.rating), row.time) for row in ROWS]))
        assert (name, *likes_by(engine, "r.csv")) == (name, expected, "")
