"""Writes the metadata field `details` of a movie as a JSON object, an HTML list or a shop's HTML page."""

from __future__ import annotations

import html
from typing import NamedTuple

_LANGUAGES = ("English", "English, Spanish", "French", "English, French, Spanish", "German", "Japanese")
_AUDIENCES = ("G (General Audience)", "PG (Parental Guidance Suggested)", "PG-13", "R (Restricted)", "NR")
_STARS_SCRIPT = """
<script type="text/javascript">
  shop.when("A", "ready").execute(function (A) {{
    if (window.{name}) {{ return; }}
    window.{name} = true;
    A.declarative("stars-link-metrics", "click", {{ "allowLinkDefault" : true }}, function (event) {{
      if (window.count && 1 < 2) {{ count("stars-{movie_id}", (count("stars-{movie_id}") || 0) + 1); }}
    }});
  }});
</script>
"""
_RANK_STYLE = """
<style type="text/css">
.rank_list {{ margin: 0; padding: 0; list-style-type: none; }}
.rank_item {{ margin: 0 0 0 10px; margin-bottom: 1px; font-weight: normal; text-align: left; }}
.rank_number {{ display: inline-block; width: 80px; text-align: right; }}
</style>
"""


class Facts(NamedTuple):
    """Holds the facts about a movie that are written into the metadata field `details`."""

    movie_id: str
    format_name: str
    studio: str
    number: int
    """A random integer, 0 or more, from which all facts without a field of their own are computed, such as
    the running time and the mean rating in stars."""


def details_object(facts: Facts) -> dict[str, str]:
    """Returns the facts about a movie as a JSON object."""
    return {
        "Format:": facts.format_name,
        "Studio:": facts.studio,
        "Run Time:": f"{_minutes(facts)} minutes",
        "ASIN: ": facts.movie_id,
    }


def details_list(facts: Facts, linked: list[str]) -> str:
    """Returns an HTML list of facts about a movie, and of links to the movie and to three other movies."""
    links = "".join(f'<li><a href="/dp/{other}/ref=pd_sim">See also</a></li>' for other in linked[:3])
    return (
        f'<div class="content"><ul><li><b>Format:</b> {facts.format_name}</li>'
        f"<li><b>Studio:</b> {html.escape(facts.studio)}</li>"
        f"<li><b>Run Time:</b> {_minutes(facts)} minutes</li><li><b>ASIN:</b> {facts.movie_id}</li>"
        f'<li><a href="/dp/{facts.movie_id}">This movie</a></li>{links}</ul></div>'
    )


def details_page(facts: Facts) -> str:
    """Returns the facts about a movie as a shop's page of 2018: two kilobytes of HTML with scripts.

    The page has three links: a link to the movie's reviews, a link to the list of bestsellers, and a link
    with the target `javascript:void(0)`, which leads nowhere.
    """
    movie_id, number = facts.movie_id, facts.number
    stars = f"{3 + number % 20 / 10:.1f} out of 5 stars"
    name = f"starsLinks{number % 10_000}"
    rank = f"{number % 400_000 + 1:,}"
    return f"""
      <div class="content">\n\n\n\n\n\n\n<ul>
<li><b>Format:</b> {facts.format_name}, NTSC, Subtitled, Widescreen</li>
<li><b>Language:</b> {_LANGUAGES[number % len(_LANGUAGES)]}</li>
<li> <b>Number of discs:</b> {1 + number % 7 // 5}</li>
<li>
<b>Rated:</b>
<span class="medSprite"> {_AUDIENCES[number % len(_AUDIENCES)]} </span>
</li>
<li><b>Studio:</b> {html.escape(facts.studio)}</li>
<li><b>Run Time:</b> {_minutes(facts)} minutes</li>
<li> <b>Average Customer Review:</b>
<div class="a-section a-spacing-none" data-asin="{movie_id}" data-ref="dpx_acr_pop_">
<span class="a-declarative" data-action="stars-link-metrics" data-stars-link-metrics="{{}}">
<span class="stars-popover" title="{stars}">
<a href="javascript:void(0)" class="a-popover-trigger a-declarative">
<i class="a-icon a-icon-star a-star-{3 + number % 2}-5"><span class="a-icon-alt">{stars}</span></i>
<i class="a-icon a-icon-popover"></i></a>
</span></span>
<span class="a-letter-space"></span>
<a class="a-link-normal a-text-normal" \
href="https://shop.example/product-reviews/{movie_id}/ref=acr_dp_hist?ie=UTF8&amp;showViewpoints=1">
<span class="a-size-base">{1 + number % 900} customer reviews</span>
</a>{_STARS_SCRIPT.format(name=name, movie_id=movie_id)}</div>
</li>
<li><b>ASIN:</b> {movie_id}</li>
<li id="SalesRank">
<b>Best Sellers Rank:</b>
#{rank} in Movies &amp; TV
(<a href="https://shop.example/bestsellers/movies-tv/ref=pd_dp_ts_mov_1">See Top 100</a>)
{_RANK_STYLE.format()}</li>
</ul>
<span class="tiny"><span class="carat">&rsaquo;</span></span>
</div>
"""


def _minutes(facts: Facts) -> int:
    return 75 + facts.number % 90
