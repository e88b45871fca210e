"""Reads an invented piece of each well-known data set with the command in the documentation."""

from __future__ import annotations

import gzip
import json
import re
import shlex
from pathlib import Path

import duckdb
import pytest
from click.testing import CliRunner

from engine.cli.main import main

DOCUMENT = Path(__file__).parents[2] / "docs" / "ingestion.md"
COMMAND = re.compile(r"^\| (.+?) \| `engine build-index (.+?)`(?: \(see below\))? \|$", re.MULTILINE)
COMMANDS = dict(COMMAND.findall(DOCUMENT.read_text(encoding="utf-8")))

AMAZON = [("A1B2C3D4E5F6G7", "B000000001", 5, 1300000000), ("A1B2C3D4E5F6G7", "0000000002", 3, 1310000000)]
AMAZON += [("AZZZZZZZZZZZZ1", movie, rating, time) for _, movie, rating, time in AMAZON]
NUMBERED = [(1, 10, 5, 1300000000), (1, 20, 3, 1310000000), (2, 10, 4, 1310000000), (2, 20, 1, 1310000001)]


def json_of(*rows: dict[str, object]) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


def literals_of(*rows: dict[str, object]) -> str:
    return "".join(re.sub(r"'([^']*)'", r"u'\1'", repr(row)) + "\n" for row in rows)


def table_of(header: str, form: str, rows: list[tuple[object, ...]] | None = None) -> str:
    lines = [form.format(*row) for row in rows or NUMBERED]
    return "".join(f"{line}\n" for line in ([header] if header else []) + lines)


def amazon(*names: str) -> str:
    return json_of(*(dict(zip(names, row, strict=True)) for row in AMAZON))


FILES = {
    "Movies_and_TV.jsonl.gz": amazon("user_id", "parent_asin", "rating", "timestamp"),
    "meta_Movies_and_TV.jsonl.gz": json_of({"parent_asin": "B000000001", "title": "One"}),
    "Movies_and_TV.json.gz": amazon("reviewerID", "asin", "overall", "unixReviewTime"),
    "meta_Movies_and_TV.json.gz": literals_of({"asin": "B000000001", "title": "One", "price": 9.5}),
    "reviews_Movies_and_TV_5.json.gz": amazon("reviewerID", "asin", "overall", "unixReviewTime"),
    "ratings_Movies_and_TV.csv": table_of("", "{1},{0},{2}.0,{3}", AMAZON),
    "amazon_reviews_us_Video_DVD_v1_00.tsv.gz": table_of(
        "marketplace\tcustomer_id\treview_id\tproduct_id\tproduct_parent\tproduct_title\tproduct_category\t"
        "star_rating\thelpful_votes\ttotal_votes\tvine\tverified_purchase\treview_headline\treview_body\treview_date",
        "US\t{0}\tR{3}\t{1}\t9\tOne\tVideo DVD\t{2}\t0\t0\tN\tY\tFine\tA \"fine\" film\t2015-08-31",
    ),
    "Reviews.csv": table_of(
        "Id,ProductId,UserId,ProfileName,HelpfulnessNumerator,HelpfulnessDenominator,Score,Time,Summary,Text",
        '{3},B{1},A{0},Ann,1,2,{2},{3},Fine,"It is fine, really"',
    ),
    "u.data": table_of("", "{}\t{}\t{}\t{}"),
    "u.item": f"10|One (1995)|01-Jan-1995||http://a|{'|'.join('0' * 19)}\n",
    "ratings.dat": table_of("", "{}::{}::{}::{}"),
    "movies.dat": "10::One (1995)::Comedy|Drama\n",
    "ratings.csv": table_of("userId,movieId,rating,timestamp", "{},{},{},{}"),
    "movies.csv": 'movieId,title,genres\n10,"One, The (1995)",Comedy|Drama\n',
    "netflix.csv": table_of("movie,user,rating,date", "{1},{0},{2},2005-09-06"),
    "movie_titles.csv": "10,2003,One\n20,2004,Two: The Return\n",
    "goodreads_reviews_dedup.json.gz": json_of(
        *(
            {"user_id": f"u{u}", "book_id": str(b), "review_id": "x", "rating": r, "review_text": "Words.",
             "date_added": "Fri Aug 25 13:55:02 -0700 2017", "n_votes": 0}
            for u, b, r, _ in NUMBERED
        )
    ),
    "goodreads_books.json.gz": json_of(
        {"isbn": "", "book_id": "10", "title": "One", "publisher": "Verlag", "authors": [{"author_id": "1"}]}
    ),
    "goodreads_interactions.csv": table_of("user_id,book_id,is_read,rating,is_reviewed", "{0},{1},1,{2},0"),
    "goodbooks/ratings.csv": table_of("user_id,book_id,rating", "{},{},{}"),
    "goodbooks/books.csv": "book_id,isbn,authors,original_title,title\n10,1,Ann,One,One (A)\n",
    "BX-Book-Ratings.csv": table_of('"User-ID";"ISBN";"Book-Rating"', '"{0}";"{1:09d}X";"{2}"'),
    "BX-Books.csv": '"ISBN";"Book-Title";"Book-Author"\n"000000010X";"One &amp; Two";"Ann"\n',
    "yelp_academic_dataset_review.json": json_of(
        *(
            {"review_id": "x", "user_id": f"u{u}", "business_id": f"b{b}", "stars": float(r), "useful": 0,
             "text": "Words.", "date": "2018-07-07 22:09:11"}
            for u, b, r, _ in NUMBERED
        )
    ),
    "yelp_academic_dataset_business.json": json_of(
        {"business_id": "b10", "name": "One", "stars": 4.5, "attributes": {"x": "y"}}
    ),
    "steam_reviews.json.gz": literals_of(
        *(
            {"username": f"u{u}", "product_id": str(b), "hours": 5.0 * r, "date": "2017-12-17"}
            for u, b, r, _ in NUMBERED
        )
    ),
    "steam_games.json.gz": literals_of({"id": "10", "app_name": "One", "genres": ["Action"], "price": 4.99}),
    "recommendations.csv": table_of(
        "app_id,helpful,date,is_recommended,hours,user_id,review_id", "{1},0,2022-12-12,true,36.{2},{0},{3}"
    ),
    "games.csv": "app_id,title,date_release,price_final\n10,One,2008-06-06,9.99\n",
    "user_artists.dat": table_of("userID\tartistID\tweight", "{0}\t{1}\t{2}883"),
    "artists.dat": "id\tname\turl\tpictureURL\n10\tOne\thttp://a\thttp://b\n",
    "usersha1-artmbid-artname-plays.tsv": table_of("", "{0:040d}\t{1}-af\tOne\t{2}137"),
    "jester_ratings.dat": table_of("", "{0}\t\t{1}\t\t{2}.219"),
    "movietweetings/ratings.dat": table_of("", "{0}::{1:07d}::{2}::{3}"),
    "movietweetings/movies.dat": "0000010::One (1995)::Comedy|Drama\n",
    "rating.csv": table_of("user_id,anime_id,rating", "{},{},{}"),
    "anime.csv": "anime_id,name,genre,type,episodes,rating,members\n10,One,Drama,Movie,1,9.3,200630\n",
    "beer_reviews.csv": table_of(
        "brewery_id,brewery_name,review_time,review_overall,review_profilename,beer_style,beer_name,beer_beerid",
        "1,Vecchio,{3},{2},u{0},Lager,One,{1}",
    ),
    "ml-100k.inter": table_of("user_id:token\titem_id:token\trating:float\ttime:float", "{}\t{}\t{}\t{}"),
    "ml-100k.item": "item_id:token\tmovie_title:token_seq\tclass:token_seq\n10\tOne\tDrama War\n",
}  # fmt: skip
WITHOUT_TIMES = {
    *("Goodreads, interactions", "goodbooks-10k", "Book-Crossing", "Last.fm 2K (HetRec)", "Last.fm 360K"),
    *("Jester", "Anime (Kaggle)"),
}
WITHOUT_TITLES = {
    *(
        "Amazon, ratings only",
        "Amazon Fine Food (Kaggle)",
        "Goodreads, interactions",
        "Jester",
        "BeerAdvocate",
    ),
}


def test_the_documentation_has_a_command_for_each_data_set() -> None:
    assert len(COMMANDS) == 24


@pytest.mark.parametrize("name", COMMANDS)
def test_one_command_reads_a_well_known_data_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    arguments = shlex.split(COMMANDS[name])
    needed = {*(word for word in arguments if word in FILES)}
    beside = {"u.data": "u.item", "ratings.dat": "movies.dat", "ratings.csv": "movies.csv"}
    beside["movietweetings/ratings.dat"] = "movietweetings/movies.dat"
    for file in needed | {beside[file] for file in needed & beside.keys()}:
        path = tmp_path / file
        path.parent.mkdir(exist_ok=True)
        data = FILES[file].encode()
        path.write_bytes(gzip.compress(data) if file.endswith(".gz") else data)
    monkeypatch.chdir(tmp_path)
    least = ["--min-reviews-per-reviewer", "1", "--min-reviews-per-movie", "1", "--output", "out.parquet"]
    done = CliRunner().invoke(main, ["prepare", *arguments, *least])
    assert done.exit_code == 0, done.output
    counted = "count(*), count(rating), count(unix_review_time), count(title), count(distinct movie_id)"
    rows, ratings, times, titles, movies = duckdb.sql(f"select {counted} from 'out.parquet'").fetchall()[0]
    assert (rows, ratings, movies) == (4, 4, 2), done.output
    assert times == (0 if name in WITHOUT_TIMES else 4), done.output
    assert bool(titles) == (name not in WITHOUT_TITLES), done.output
