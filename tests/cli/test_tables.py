from engine.cli.tables import cell_text, display_width, format_table, wrapped


def test_numbers_stand_to_the_right_and_text_to_the_left() -> None:
    text = format_table(["#", "title", "like"], [[1, "Laura", "93%"], [10, "M", None]])
    assert text.splitlines() == [
        " #  title  like",
        " 1  Laura   93%",
        "10  M         -",
    ]


def test_the_widest_column_gives_way_to_the_width_of_the_terminal() -> None:
    text = format_table(["id", "title"], [["A1", "A very long title " * 10]], width=30)
    assert max(map(len, text.splitlines())) == 30
    assert text.endswith("…")
    assert "A1" in text


def test_an_id_of_ten_thousand_characters_does_not_fill_the_screen() -> None:
    assert max(map(len, format_table(["id"], [["A" * 10_000]]).splitlines())) <= 60


def test_line_breaks_and_escape_sequences_are_written_out() -> None:
    assert cell_text("two\nlines") == "two\\nlines"
    assert cell_text("\x1b[31mred") == "\\x1b[31mred"
    assert len(format_table(["a"], [["x\r\n\ty"]]).splitlines()) == 2


def test_wide_letters_and_accents_are_counted_as_they_are_shown() -> None:
    assert display_width("映画") == 4
    assert display_width("e\u0301") == 1
    text = format_table(["title", "stars"], [["映画", 4], ["é", 5]])
    assert {display_width(line) for line in text.splitlines()} == {12}


def test_values_read_as_people_write_them() -> None:
    assert [cell_text(value) for value in (None, True, 1234567, 0.5, 12345.6)] == [
        "-",
        "yes",
        "1,234,567",
        "0.5000",
        "12,346",
    ]


def test_a_table_that_is_too_wide_goes_on_below_with_its_first_column() -> None:
    headings = ["model", *(f"metric {number}" for number in range(12))]
    rows = [["ncf", *(float(number) for number in range(12))], ["ease", *(0.5 for _ in range(12))]]
    text = format_table(headings, rows, width=60)
    parts = [part.splitlines() for part in text.split("\n\n")]
    assert len(parts) > 1
    assert max(map(len, text.splitlines())) <= 60
    assert [line[0].split()[0] for line in parts] == ["model"] * len(parts)
    assert " ".join(line[1].removeprefix("ncf") for line in parts).split() == [f"{n:.4f}" for n in range(12)]


def test_numbers_and_ids_are_never_cut() -> None:
    text = format_table(
        ["movie", "title", "score"], [["B000000016", "A long title of a film", 0.12345]], width=25
    )
    assert "B000000016" in text
    assert "0.1235" in text


def test_of_several_titles_in_a_cell_whole_ones_are_shown() -> None:
    text = format_table(["because of"], [[("The Matrix", "Interstellar", "Gattaca")]], width=30)
    assert text.splitlines()[1] == "The Matrix, Interstellar"


def test_intervals_are_never_cut() -> None:
    rows = [["ncf", *(f"0.{number}234 - 0.{number}567" for number in range(8))]]
    text = format_table(["model", *"abcdefgh"], rows, width=50)
    assert all(interval in text for interval in rows[0])
    assert max(map(len, text.splitlines())) <= 50


def test_a_long_line_is_broken_between_words() -> None:
    lines = wrapped("about 1,234,567 reviews " * 10, "  ").splitlines()
    assert max(map(len, lines)) <= 80
    assert {line[:2] for line in lines} == {"  "}
    assert " ".join(lines).split() == ("about 1,234,567 reviews " * 10).split()
    assert wrapped("a\nb " * 40) == "a\nb " * 40
