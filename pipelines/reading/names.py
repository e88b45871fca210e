"""Lists the names that data sets give to the columns of reviews and movies, and finds columns by name.

MovieLens' files u.item and movies.dat have no header line; the functions `item_movie` and `dat_movie` name
the fields of a line.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence

_TYPE_ENDINGS = re.compile(r":(token|float|token_seq|float_seq|string|int|integer|long|double|boolean|date)$")
"""Matches a type that some programs append to the name of a column, such as `:token` in RecBole's
`user_id:token`."""
_MOST_DEPTH = 4
"""The largest number of keys on the path to a field of a JSON object; an object at this depth counts as one
field."""
_MOST_FIELDS = 1000
"""The largest number of fields that `field_paths` returns; without a limit, a file in which every object has
fields with new names would fill the memory."""
_NO_LETTERS = re.compile(r"[\W_]+")

_REVIEWER = """
    reviewerid reviewer userid reviewuserid user customerid customer uid custid visitorid memberid
    accountid profileid personid listenerid viewerid playerid steamid authorsteamid usersha1 userhash
    usermboxsha1 reviewerusername username userlogin profilename reviewprofilename
"""
_MOVIE = """
    movieid movie itemid item parentasin asin productid product productproductid iid filmid bookid isbn
    isbn13 titleid showid animeid mangaid seriesid episodeid videoid businessid restaurantid placeid
    venueid poiid locationid gameid appid steamappid recipeid newsid articleid docid documentid songid
    trackid artistid albumid artmbid musicbrainzartistid jokeid courseid hotelid listingid beerid
    beerbeerid skuid sku stockcode goodsid contentid tconst imdbid tmdbid
"""
_MOVIE_NOUN = """
    film book video business recipe song track artist album joke game trackname artistname artname
    gamename appname
"""
_RATING = """
    rating ratings overall starrating stars star score ratingvalue ratingval userrating userscore
    myrating bookrating movierating reviewscore reviewoverall reviewrating reviewstars overallrating
    customerrating rate recommended isrecommended votedup liked plays playcount playcounts numplays
    listens listencount hoursplayed hours playtimeforever playtime weight
"""
_TIME = """
    unixreviewtime unixtime timestamp unixtimestamp ts time reviewtime reviewdate reviewedat
    ratingtimestamp ratedat ratingtime ratingdate date datetime dateadded createdat created creationdate
    createdtime createtime timestampcreated dateposted postedat posteddate submittedat eventtime
    eventtimestamp readat watchedat watcheddate playedat listenedat purchasedate orderdate
    transactiondate tdat at when updatedat dateupdated
"""
_TITLE = """
    title movietitle producttitle booktitle itemtitle filmtitle gametitle tracktitle songtitle itemname
    productname moviename filmname gamename appname trackname songname artistname artname businessname
    name primarytitle originaltitle headline
"""

REVIEW_COLUMNS: Mapping[str, Sequence[str]] = {
    "reviewer": _REVIEWER.split(),
    "movie": (*_MOVIE.split(), *_MOVIE_NOUN.split()),
    "rating": _RATING.split(),
    "time": _TIME.split(),
    "verified": ("verified", "verifiedpurchase", "isverified", "verifiedpurchaser"),
    "style": ("style",),
    "vote": (
        *("vote", "votes", "helpfulvote", "helpfulvotes", "voteshelpful", "helpfulnessnumerator"),
        *("helpful", "useful"),
    ),
    "review_text": (
        *("reviewtext", "reviewbody", "text", "body", "review", "reviewcontent", "content"),
        *("comment", "comments"),
    ),
    "summary": ("summary", "reviewsummary", "reviewheadline", "headline", "reviewtitle"),
    "reviewer_name": (
        *("reviewername", "profilename", "reviewprofilename", "username", "nickname"),
        *("customername", "displayname"),
    ),
}
"""Maps each column of a review to the names that files give the column, preferred names first, in the form
that `plain_name` returns."""

MOVIE_COLUMNS: Mapping[str, Sequence[str]] = {
    "movie": (*_MOVIE.split(), "id", *_MOVIE_NOUN.split()),
    "title": _TITLE.split(),
    "category": ("category", "categories", "genres", "genre", "productcategory", "tags", "class", "topics"),
    "main_cat": ("maincat", "maincategory", "productgroup"),
    "description": ("description", "overview", "plot", "plotsummary", "synopsis", "abstract"),
    "brand": (
        *("brand", "store", "studio", "label", "manufacturer", "developer", "publisher", "bookauthor"),
        *("author", "authors", "artist", "director", "directors"),
    ),
    "price": ("price", "productprice", "itemprice", "listprice", "finalprice"),
    "rank": ("rank", "salesrank"),
    "year": (
        *("year", "releaseyear", "movieyear", "startyear", "yearofpublication", "publicationyear"),
        *("originalpublicationyear",),
    ),
    "date": ("date", "releasedate", "publicationdate", "publisheddate"),
    "links": ("links", "link", "url", "movielink", "imdburl", "producturl", "website"),
}
"""Maps each of the engine's movie columns, such as "title", to the names under which files may hold the
column. Preferred names come first. The names have the form that `plain_name` returns."""

_OF_THE_REVIEW = {
    *("name", "description", "tags", "class", "label", "store", "author", "authors", "artist", "director"),
    *(
        "directors",
        "rank",
        "year",
        "date",
        "links",
        "link",
        "url",
        "website",
        "headline",
        "abstract",
        "topics",
    ),
}
"""Names of columns that describe the movie in a movie file, but may describe the review in a review file."""

LOG_COLUMNS: Mapping[str, Sequence[str]] = {
    **REVIEW_COLUMNS,
    **{
        column: tuple(name for name in names if name not in _OF_THE_REVIEW)
        for column, names in MOVIE_COLUMNS.items()
        if column != "movie"
    },
}
"""The columns that a review file may hold, which describe reviews or movies. The value of a column is the
list of names that files give the column."""

DESCRIBING = tuple(column for column in MOVIE_COLUMNS if column != "movie")
"""The columns that describe a movie, in the order of the list `movie_fields` in the table
`staged_reviews`."""

_GENRES = (
    "unknown", "Action", "Adventure", "Animation", "Children's", "Comedy", "Crime", "Documentary", "Drama",
    "Fantasy", "Film-Noir", "Horror", "Musical", "Mystery", "Romance", "Sci-Fi", "Thriller", "War", "Western",
)  # fmt: skip
"""The genres of MovieLens, from the file u.genre, in the order of the genre flags in a line of u.item."""

NUM_ITEM_FIELDS = 5 + len(_GENRES)
"""The number of fields in a line of u.item: id, title, two dates, address, and a 0/1 flag for each genre."""


def plain_name(name: str) -> str:
    """Simplifies a column name to lower case, without spaces, punctuation and type endings such as ":token".

    Example:
        >>> plain_name("User-ID"), plain_name("user_id:token"), plain_name("review/userId")
        ('userid', 'userid', 'reviewuserid')
    """
    lowered = name.strip().strip("\"'").casefold()
    return _NO_LETTERS.sub("", _TYPE_ENDINGS.sub("", lowered))


def match_columns(
    names: Sequence[str], given: Mapping[str, str], known: Mapping[str, Sequence[str]]
) -> dict[str, int]:
    """Finds columns among the column names of a file; returns the position, from 0, of each found column.

    `known` maps each column to the usual names of the column, as `REVIEW_COLUMNS` does. `given` maps columns
    to names that the user gave; if the file has the given name, the column's usual names are not tried. If
    the given name of a column is empty, the column is left out of the result.
    """
    chosen = {column: place_of(given[column], names) for column in known if column in given}
    found = {column: place for column, place in chosen.items() if place is not None}
    plain = [plain_name(name) for name in names]
    for column, usual in known.items():
        if column in found or (column in given and not given[column]):
            continue
        # One column of the file may be used both as the movies' ids and as the movies' titles.
        free = {*range(len(names))} - {place for other, place in found.items() if other != "movie"}
        if column != "title":
            free -= {*found.values()}
        places = (place for name in usual for place in sorted(free) if plain[place] == name)
        if (place := next(places, None)) is not None:
            found[column] = place
    return {column: found[column] for column in known if column in found}


def place_of(wanted: str, names: Sequence[str]) -> int | None:
    """Returns the position of a column that the user named, or None if no column has the name `wanted`.

    In a file without a header line, a user may name the first column "column 1" or "1", and so on.
    """
    if wanted in names:
        return list(names).index(wanted)
    numbered = f"column {wanted.strip()}"
    if numbered in names:
        return list(names).index(numbered)
    plain = [plain_name(name) for name in names]
    if wanted.strip() and plain.count(plain_name(wanted)) == 1:
        return plain.index(plain_name(wanted))
    return None


def field_paths(objects: Sequence[Mapping[str, object]]) -> dict[str, tuple[str, ...]]:
    """Maps the dotted name of each field of JSON objects, such as "user.id", to the field's path of keys.

    For a nested object, the fields inside it are listed instead, if their paths have at most `_MOST_DEPTH`
    keys.

    Example:
        >>> field_paths([{"stars": 5, "user": {"id": "A1"}}])
        {'stars': ('stars',), 'user.id': ('user', 'id')}
    """
    found: dict[str, tuple[str, ...]] = {}

    def add(item: Mapping[str, object], above: tuple[str, ...]) -> None:
        for key, value in item.items():
            path = (*above, key)
            if isinstance(value, dict) and value and len(path) < _MOST_DEPTH and key != "style":
                add(value, path)
            elif len(found) < _MOST_FIELDS:
                found.setdefault(".".join(path), path)

    for item in objects:
        add(item, ())
    return found


def field_text(item: Mapping[str, object], path: Sequence[str]) -> str | None:
    """Returns the value at a path of keys in a JSON object as text, or None if the path leads to no value.

    Example:
        >>> field_text({"user": {"id": 7}}, ("user", "id"))
        '7'
    """
    value: object = item
    for key in path:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value if value is None or isinstance(value, str) else json.dumps(value)


def pointer_to(path: Sequence[str]) -> str:
    """Returns the JSON pointer (RFC 6901) of a path of keys, such as `/user/id`."""
    return "".join("/" + key.replace("~", "~0").replace("/", "~1") for key in path)


def item_movie(fields: Sequence[str]) -> dict[str, object] | None:
    """Reads a movie from a u.item line: id, title, release date, video date, address and 19 genre flags.

    Returns None if the line does not have exactly NUM_ITEM_FIELDS fields.
    """
    if len(fields) != NUM_ITEM_FIELDS:
        return None
    movie_id, title, date, _, link, *flags = fields
    genres = [genre for genre, flag in zip(_GENRES, flags, strict=True) if flag == "1" and genre != "unknown"]
    links = [link] if link else []
    return {"asin": movie_id, "title": title, "date": date, "links": links, "category": genres}


def dat_movie(fields: Sequence[str]) -> dict[str, object] | None:
    """Reads a movie from the fields of a movies.dat line: id, title, and genres separated by vertical bars.

    Returns None if the line does not have exactly three fields.
    """
    if len(fields) != 3:
        return None
    movie_id, title, genres = fields
    return {"asin": movie_id, "title": title, "category": genres.strip().split("|")}
