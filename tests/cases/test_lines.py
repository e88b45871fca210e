"""Quotes, line ends and encodings: every line of a file is a row, whatever stands in it."""

import json
from collections.abc import Callable

import pytest
from command_runs import Engine, Prepare
from invented_files import NUM_ROWS, ROWS, TITLES, amazon, json_lines, table, write

Case = Callable[[str], None]

TITLES_OF_PREPARED = "select distinct movie_id, title from prepared order by movie_id"
WITH_TEXT = "user_id,item_id,rating,timestamp,summary"


@pytest.mark.parametrize(("name", "odd"), [("one.tsv", 1), ("two.tsv", 2)])
def test_tsv_quote_swallows_rows(case: Case, prepare: Prepare, name: str, odd: int) -> None:
    case("tsv_quote_swallows_rows")
    done = prepare(name)
    assert done.counts == (480, 480, 0)
    assert done.sql("select count(*) from prepared where summary = '\"Loved it'") == [(odd,)]


def test_tsv_quote_swallows_rows_of_metadata(case: Case, prepare: Prepare) -> None:
    case("tsv_quote_swallows_rows")
    done = prepare("ratings.csv", "--metadata", "movies.tsv")
    assert done.sql("select count(distinct movie_id), count(distinct title) from prepared") == [(24, 24)]
    assert done.accounting["metadata"]["lines_read"] == 24


@pytest.mark.parametrize("name", ["cr.csv", "u.data", "wide.csv"])
def test_cr_only_traceback(case: Case, prepare: Prepare, name: str) -> None:
    case("cr_only_traceback")
    assert prepare(name).counts == (480, 480, 0)


def test_cr_only_traceback_elsewhere(case: Case, prepare: Prepare, engine: Engine) -> None:
    case("cr_only_traceback")
    done = prepare("lf.csv", "--metadata", "movies.csv")
    assert done.sql("select count(distinct title) from prepared") == [(24,)]
    assert engine("plan", "cr.csv").code == 0
    assert "480" in engine("explore", "cr.csv").stdout


@pytest.mark.parametrize("name", ["noquotes.csv", "quotes.csv", "first.csv"])
def test_line_separator_in_csv(case: Case, prepare: Prepare, name: str) -> None:
    case("line_separator_in_csv")
    done = prepare(name)
    assert done.counts == (480, 480, 0)
    if name == "quotes.csv":
        assert done.sql("select count(*) from prepared where summary = 'line\u2028sep'") == [(12,)]
        assert done.sql("select count(*) from prepared where summary = 'he said \"hi\"'") == [(1,)]


@pytest.mark.parametrize(
    ("name", "title"),
    [("movies_cp1252.csv", "Wait\u2026 (1963)"), ("movies_2028.csv", "Wait\u2028for it (1963)")],
)
def test_line_separator_in_movies(case: Case, prepare: Prepare, name: str, title: str) -> None:
    case("line_separator_in_csv")
    done = prepare("plain.csv", "--metadata", name)
    [(found,)] = done.sql("select distinct title from prepared where movie_id = 'm3'")
    assert found in (title, title.replace("\u2028", " "))
    assert done.accounting["metadata"]["lines_rejected"] == 0


def test_long_field_refuses_file(case: Case, prepare: Prepare) -> None:
    case("long_field_refuses_file")
    done = prepare("r.csv")
    assert done.counts == (480, 480, 0)
    assert done.sql("select max(length(review_text)) from prepared") == [(180_000,)]
    done = prepare("plain.csv", "--metadata", "movies.csv")
    [(length,)] = done.sql("select max(length(description)) from prepared where movie_id = 'm3'")
    assert length > 179_990


def test_mixed_encoding_mojibake(case: Case, prepare: Prepare) -> None:
    case("mixed_encoding_mojibake")
    done = prepare("ratings.csv", "--metadata", "movies.csv")
    titles = dict(done.sql(TITLES_OF_PREPARED))
    assert (titles["m3"], titles["m5"]) == ("Amélie (1963)", "Léon (1965)")


def test_utf16_called_no_text(case: Case, prepare: Prepare) -> None:
    case("utf16_called_no_text")
    assert prepare("r.csv").counts == (480, 480, 0)


def test_surrogate_rejects_row(case: Case, prepare: Prepare) -> None:
    case("surrogate_rejects_row")
    done = prepare("r.jsonl")
    assert done.counts == (480, 480, 0)
    assert done.sql("select distinct review_text from prepared where review_text is not null") == [
        ("cut \ufffd",)
    ]


def test_csv_carriage_return(engine: Engine) -> None:
    write("mac.csv", b"user,movie,rating\ru1,m1,5\ru2,m1,4\r")
    said = engine("prepare", "mac.csv", "--output", "o.parquet")
    assert "k-core" in said.sentence or "left" in said.sentence
    write("mac.csv", table(ROWS).replace("\n", "\r"))
    done = engine("prepare", "mac.csv", "--output", "o.parquet")
    assert f"{NUM_ROWS} rows read = {NUM_ROWS} kept" in done.stdout


def test_csv_long_quoted_field(prepare: Prepare) -> None:
    rows = [f"u{i % 5},m{i // 5},5,{i}," for i in range(20)]
    text = "\n".join(["user,movie,rating,time,summary", *rows, f'u9,m1,5,1,"{"x" * 200_000}"'])
    write("x.csv", text)
    done = prepare("x.csv", "--min-reviews-per-reviewer", "1")
    assert done.counts == (21, 21, 0)
    assert done.sql("select max(length(summary)) from prepared") == [(200_000,)]


def test_pass_json_dirt(case: Case, prepare: Prepare) -> None:
    case("pass_json_dirt")
    done = prepare("dirt.jsonl")
    assert done.counts == (480, 476, 4)
    assert done.sql("select line from rejected order by line") == [(4,), (6,), (14,), (16,)]
    assert prepare("members.json.gz").counts == (480, 480, 0)


def test_pass_two_files_in_one(case: Case, prepare: Prepare) -> None:
    case("pass_two_files_in_one")
    done = prepare("r.csv")
    assert done.counts == (961, 480, 1)
    assert done.accounting["duplicate"] == 480


# Other inputs of the same kinds.


def texts(*odd: tuple[int, str], by: str = ",") -> str:
    """Gives the invented rows with a text each, "fine" but for the rows whose text is given."""
    given = dict(odd)
    lines = [(*row, given.get(number, "fine")) for number, row in enumerate(ROWS)]
    return table(lines, by.join(WITH_TEXT.split(",")), by)


@pytest.mark.parametrize("by", [",", "\t"])
@pytest.mark.parametrize(
    "odd",
    [
        {0: '"never closed'},
        {NUM_ROWS - 1: '"never closed'},
        {10: '"opens', 90: 'closes"'},
        {10: '"opens', 11: '"opens', 12: '"opens'},
        {5: '5" disc', 6: 'the "best" film', 7: '"best" of all', 8: '"'},
        {20: '"He said ""no""', 21: '""', 22: '"""'},
    ],
    ids=["first", "last", "far apart", "three", "inside", "doubled"],
)
def test_a_stray_quote_costs_no_other_line(prepare: Prepare, odd: dict[int, str], by: str) -> None:
    write("r.csv", texts(*odd.items(), by=by))
    done = prepare("r.csv")
    read, kept, rejected = done.counts
    assert read == NUM_ROWS
    assert kept + rejected == NUM_ROWS
    assert kept >= NUM_ROWS - len(odd)
    assert {line for (line,) in done.sql("select line from rejected")} <= {number + 2 for number in odd}


def test_a_stray_quote_in_the_first_column_costs_no_other_line(prepare: Prepare) -> None:
    lines = [
        (f'"{row.reviewer}' if number in (7, 30) else row.reviewer, *row[1:])
        for number, row in enumerate(ROWS)
    ]
    write("r.csv", table(lines))
    done = prepare("r.csv")
    assert done.counts[0] == NUM_ROWS
    assert done.counts[1] >= NUM_ROWS - 2


def test_texts_of_several_lines_are_one_record(prepare: Prepare) -> None:
    long = '"first line\n\nthird, with a comma and ""quotes""\nlast line"'
    write("r.csv", texts((3, long), (4, '"two\nlines"'), (70, '"stray')))
    done = prepare("r.csv")
    assert done.counts[0] == NUM_ROWS
    expected = long[1:-1].replace('""', '"')
    assert done.sql("select count(*) from prepared where summary = ?".replace("?", f"'{expected}'")) == [(1,)]
    assert done.sql("select count(*) from prepared where summary = 'two\nlines'") == [(1,)]


def test_texts_of_two_lines_in_every_row_are_read(prepare: Prepare) -> None:
    text = '"Great, with ""mustard""\nand more"'
    write("r.csv", texts(*((number, text) for number in range(NUM_ROWS))))
    done = prepare("r.csv")
    assert done.counts == (NUM_ROWS, NUM_ROWS, 0)
    assert done.sql("select distinct summary from prepared") == [('Great, with "mustard"\nand more',)]


def test_a_stray_quote_in_metadata_costs_no_other_title(prepare: Prepare) -> None:
    write("r.csv", table(ROWS))
    lines = [
        (movie, '"Alien' if movie == "m4" else '9 1/2" disc' if movie == "m5" else title)
        for movie, title in TITLES.items()
    ]
    write("m.csv", table(lines, "movieId,title"))
    done = prepare("r.csv", "--metadata", "m.csv")
    titles = dict(done.sql(TITLES_OF_PREPARED))
    assert done.accounting["metadata"]["lines_read"] == len(TITLES)
    assert {movie: title for movie, title in titles.items() if movie not in ("m4", "m5")} == {
        movie: title for movie, title in TITLES.items() if movie not in ("m4", "m5")
    }
    assert titles["m5"] == '9 1/2" disc'


def test_quotes_escaped_by_backslashes_are_read(prepare: Prepare) -> None:
    write("r.csv", texts((3, r'"he said \"hi\", and left"'), (4, r'"a path C:\\"'), (5, '"ok"')))
    done = prepare("r.csv")
    assert done.counts == (NUM_ROWS, NUM_ROWS, 0)
    [(text,)] = done.sql("select summary from prepared where summary like 'he said%'")
    assert text == 'he said "hi", and left'


@pytest.mark.parametrize("quote", ["", '"'])
def test_no_odd_character_ends_a_line_or_a_field(prepare: Prepare, quote: str) -> None:
    odd = "\x00\x0b\x0c\x1c\x1d\x1e\x1f\x85\u2028\u2029\ufeff"
    given = [(3 + number, f"{quote}a{character}b{quote}") for number, character in enumerate(odd)]
    write("r.csv", texts(*given, (99, '"x ""y"""')))
    done = prepare("r.csv")
    assert done.counts == (NUM_ROWS, NUM_ROWS, 0)
    assert done.sql("select count(*) from prepared where summary like 'a_b'") == [(len(odd),)]


@pytest.mark.parametrize(
    ("form", "end"), [("csv", "\r"), ("json", "\r"), ("tsv", "\r"), ("csv", "\n\r\n"), ("json", "\r\n")]
)
def test_line_ends_make_no_difference(prepare: Prepare, form: str, end: str) -> None:
    text = json_lines(map(amazon, ROWS)) if form == "json" else texts(by="\t" if form == "tsv" else ",")
    write("r", text.replace("\n", end))
    assert prepare("r").counts == (NUM_ROWS, NUM_ROWS, 0)


@pytest.mark.parametrize(
    ("form", "encoding"),
    [
        ("csv", "utf-8-sig"),
        ("csv", "utf-16-be"),
        ("json", "utf-16"),
        ("json", "utf-16-le"),
        ("u.data", "utf-16-le"),
    ],
)
def test_encodings_make_no_difference(prepare: Prepare, form: str, encoding: str) -> None:
    text = {
        "csv": texts((3, "é, 映画".replace(", ", " "))),
        "json": "".join(json.dumps(amazon(row, summary="é 映画"), ensure_ascii=False) + "\n" for row in ROWS),
        "u.data": table(ROWS, "", "\t"),
    }[form]
    write("r", text.encode(encoding))
    done = prepare("r")
    assert done.counts == (NUM_ROWS, NUM_ROWS, 0)
    if form != "u.data":
        assert done.sql("select distinct summary from prepared where summary <> 'fine'") == [("é 映画",)]


@pytest.mark.parametrize("form", ["csv", "json"])
def test_a_line_in_latin_1_changes_no_other_line(prepare: Prepare, form: str) -> None:
    if form == "csv":
        data = texts((3, "Amélie"), (4, "LEON")).encode()
    else:
        summaries = {3: "Amélie", 4: "LEON"}
        data = "".join(
            json.dumps(amazon(row, summary=summaries.get(number, "fine")), ensure_ascii=False) + "\n"
            for number, row in enumerate(ROWS)
        ).encode()
    write("r", data.replace(b"LEON", b"L\xe9on \x80"))
    done = prepare("r")
    assert done.counts == (NUM_ROWS, NUM_ROWS, 0)
    found = {text for (text,) in done.sql("select distinct summary from prepared")}
    assert found == {"fine", "Amélie", "Léon €"}


def test_a_short_or_long_row_loses_only_itself(prepare: Prepare) -> None:
    lines = table(ROWS).splitlines()
    lines[5] = "u1,m1"
    lines[9] += ",more,and,more"
    lines[12] += ","
    write("r.csv", "\n".join(lines))
    done = prepare("r.csv")
    assert done.counts == (NUM_ROWS, NUM_ROWS - 2, 2)
    assert done.sql("select line from rejected order by line") == [(6,), (10,)]


def test_broken_unicode_in_json_costs_only_the_text(prepare: Prepare) -> None:
    texts = [r"half \ud83d", r"\udc00 half", r"\ud83d\ud83d\ude00", r"nul \u0000", "raw \x01 control"]
    lines = json_lines(map(amazon, ROWS)).splitlines()
    for number, text in enumerate(texts):
        lines[number] = lines[number][:-1] + f', "summary": "{text}"}}'
    write("r.jsonl", "\n".join(lines))
    read, kept, _ = prepare("r.jsonl").counts
    assert read == NUM_ROWS
    assert kept >= NUM_ROWS - 1  # a raw control character is no JSON
