"""Builds are kept, listed, rolled back to, refused and removed; readers see a whole build throughout."""

from __future__ import annotations

import json
import os
import shutil
import threading
from pathlib import Path

import numpy as np
import pytest

from engine import ArtifactError, ConfigError
from engine.artifact import builds
from engine.artifact.builds import changing_live, kept_builds, live_build, roll_back
from engine.artifact.files import checksum
from engine.artifact.layout import BEFORE_ENTRY, CURRENT, KEEP_ENTRY, MANIFEST
from engine.artifact.reader import Artifact
from engine.artifact.writer import ArtifactWriter


def write_build(
    directory: Path, mark: int = 1, *, keep: int | None = None, refused: str | None = None
) -> str:
    with ArtifactWriter(directory, keep=keep) as writer:
        writer.add_array("movie_vectors", np.full((5, 3), mark, dtype=np.float32))
        if refused is not None:
            writer.refuse(refused)
    return writer.build_directory.name


def live_mark(directory: Path) -> int:
    return int(Artifact.open(directory).array("movie_vectors")[0, 0])


def names(directory: Path) -> list[str]:
    return [build.name for build in kept_builds(directory)]


def test_as_many_builds_are_kept_as_the_last_command_was_told_to(tmp_path: Path) -> None:
    first, second, third = (write_build(tmp_path, mark) for mark in (1, 2, 3))
    assert names(tmp_path) == [third, second]
    made = [write_build(tmp_path, mark, keep=4 if mark == 4 else None) for mark in (4, 5, 6, 7)]
    assert names(tmp_path) == list(reversed(made))
    last = write_build(tmp_path, 8, keep=1)
    assert names(tmp_path) == [last]
    assert not (tmp_path / first).exists()


@pytest.mark.parametrize("keep", [0, -1])
def test_a_directory_keeps_at_least_the_live_build(tmp_path: Path, keep: int) -> None:
    with pytest.raises(ConfigError, match="keep must be at least 1 build"):
        ArtifactWriter(tmp_path / "index", keep=keep)


def test_a_rollback_goes_back_along_the_builds_that_were_live(tmp_path: Path) -> None:
    first, second, third = (write_build(tmp_path, mark, keep=4) for mark in (1, 2, 3))
    chosen, before = roll_back(tmp_path)
    assert (chosen.name, before, live_mark(tmp_path)) == (second, third, 2)
    assert names(tmp_path) == [second, first, third]
    assert roll_back(tmp_path)[0].name == first
    with pytest.raises(ArtifactError, match=f"no build before the live {first}, so nothing was changed"):
        roll_back(tmp_path)
    assert live_mark(tmp_path) == 1
    assert roll_back(str(tmp_path), to=third)[0].name == third
    assert live_mark(tmp_path) == 3


def test_the_build_after_a_rollback_has_the_good_build_before_it(tmp_path: Path) -> None:
    """A second rollback must not lead to the build that was bad, although it is newer."""
    good, bad = (write_build(tmp_path, mark, keep=3) for mark in (1, 2))
    roll_back(tmp_path)
    after = write_build(tmp_path, 3)
    assert names(tmp_path) == [after, good, bad]
    assert roll_back(tmp_path)[0].name == good
    newest = write_build(tmp_path, 4, keep=2)
    assert names(tmp_path) == [newest, good]


@pytest.mark.parametrize(
    ("to", "said"),
    [
        ("build-20200101T000000-aaaaaa", "has no build 'build-2020"),
        ("../elsewhere", r"has no build '\.\./elsewhere'"),
        ("", "no build before"),
    ],
)
def test_a_rollback_to_what_is_not_there_changes_nothing(tmp_path: Path, to: str, said: str) -> None:
    only = write_build(tmp_path)
    with pytest.raises(ArtifactError, match=said):
        roll_back(tmp_path, to or None)
    with pytest.raises(ArtifactError, match=r"is the live build of .* already"):
        roll_back(tmp_path, only)
    assert live_build(tmp_path) == only


def test_a_rollback_where_no_index_is_writes_nothing(tmp_path: Path) -> None:
    for place in (tmp_path, tmp_path / "absent"):
        with pytest.raises(ArtifactError, match="There is no index"):
            roll_back(place)
    assert list(tmp_path.iterdir()) == []


def test_a_build_that_cannot_be_opened_does_not_become_live(tmp_path: Path) -> None:
    first, second = write_build(tmp_path, 1), write_build(tmp_path, 2)
    os.truncate(tmp_path / first / "movie_vectors.npy", 10)
    with pytest.raises(ArtifactError, match="is damaged"):
        roll_back(tmp_path)
    assert (live_build(tmp_path), live_mark(tmp_path)) == (second, 2)


@pytest.mark.parametrize("damage", ["manifest", "folder", "pointer"])
def test_a_rollback_helps_where_the_live_build_is_damaged(tmp_path: Path, damage: str) -> None:
    first, second = write_build(tmp_path, 1), write_build(tmp_path, 2)
    if damage == "manifest":
        (tmp_path / second / MANIFEST).write_text("{")
    elif damage == "folder":
        shutil.rmtree(tmp_path / second)
    else:
        shutil.rmtree(tmp_path / second)
        (tmp_path / CURRENT).write_text("nonsense")
    assert roll_back(tmp_path)[0].name == first
    assert live_mark(tmp_path) == 1


def test_builds_of_older_versions_go_back_by_their_age(tmp_path: Path) -> None:
    first, second = write_build(tmp_path, 1), write_build(tmp_path, 2)
    for number, name in enumerate((first, second)):
        manifest = json.loads((tmp_path / name / MANIFEST).read_text())
        del manifest[BEFORE_ENTRY], manifest[KEEP_ENTRY]
        manifest["build"] = renamed = f"build-2020010{number}T000000-aaaaaa"
        (tmp_path / name / MANIFEST).write_text(json.dumps(manifest))
        (tmp_path / name).rename(tmp_path / renamed)
    (tmp_path / CURRENT).write_text(f"{renamed} {checksum(tmp_path / renamed / MANIFEST)}\n")
    assert roll_back(tmp_path)[0].name == "build-20200100T000000-aaaaaa"
    last = write_build(tmp_path, 3)
    assert names(tmp_path) == [last, "build-20200100T000000-aaaaaa"]


def test_a_refused_build_stays_beside_the_live_build_until_the_next_one(tmp_path: Path) -> None:
    first, live = write_build(tmp_path, 1), write_build(tmp_path, 2)
    refused = write_build(tmp_path, 3, refused="ndcg@10 fell")
    assert live_mark(tmp_path) == 2
    found = kept_builds(tmp_path)
    assert [build.name for build in found] == [live, first, refused]
    assert [build.refused for build in found] == [None, None, "ndcg@10 fell"]
    again = write_build(tmp_path, 4, refused="ndcg@10 fell again")
    assert names(tmp_path) == [live, first, again]
    assert Artifact.open(tmp_path / again).array("movie_vectors")[0, 0] == 4
    assert roll_back(tmp_path, again)[1] == live
    assert roll_back(tmp_path)[0].name == live
    last = write_build(tmp_path, 5)
    assert names(tmp_path) == [last, live]


def test_one_build_can_be_opened_by_its_name_and_stays_the_one_asked_for(tmp_path: Path) -> None:
    first, _ = write_build(tmp_path, 1), write_build(tmp_path, 2)
    for artifact in (Artifact.open(tmp_path / first), Artifact.open(tmp_path, build=first)):
        assert artifact.array("movie_vectors")[0, 0] == 1
        assert artifact.directory == tmp_path
        assert artifact.is_live()
    with pytest.raises(ArtifactError, match="it is one build of the index"):
        write_build(tmp_path / first)
    with pytest.raises(ArtifactError, match="build-20200101T000000-aa is missing"):
        Artifact.open(tmp_path, build="build-20200101T000000-aa")


def test_an_index_may_be_called_like_a_build(tmp_path: Path) -> None:
    write_build(tmp_path / "build-2020-1", 1)
    assert live_mark(tmp_path / "build-2020-1") == 1


def test_a_rollback_need_not_wait_for_a_build_and_an_update_of_another_build_is_refused(
    tmp_path: Path,
) -> None:
    first, second = write_build(tmp_path, 1, keep=5), write_build(tmp_path, 2)
    with ArtifactWriter(tmp_path) as writer:
        writer.add_array("movie_vectors", np.full((5, 3), 3, dtype=np.float32))
        assert roll_back(tmp_path)[0].name == first
    assert live_mark(tmp_path) == 3
    assert names(tmp_path)[:2] == [writer.build_directory.name, first]
    roll_back(tmp_path, second)

    def update() -> None:
        with ArtifactWriter(tmp_path) as writer:
            writer.based_on = second
            writer.add_array("movie_vectors", np.full((5, 3), 4, dtype=np.float32))
            roll_back(tmp_path)

    with pytest.raises(ArtifactError, match="was rolled back meanwhile"):
        update()
    assert live_mark(tmp_path) == 1
    assert not list(tmp_path.glob(".partial-*"))


def test_changes_of_the_live_build_wait_for_one_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_build(tmp_path, 1), write_build(tmp_path, 2)
    done = threading.Event()
    with changing_live(tmp_path):
        thread = threading.Thread(target=lambda: (roll_back(tmp_path), done.set()))
        thread.start()
        assert not done.wait(0.1)
    thread.join()
    assert live_mark(tmp_path) == 1
    monkeypatch.setattr(builds, "_SECONDS", 0.05)
    with changing_live(tmp_path), pytest.raises(ArtifactError, match="try again in a moment"):
        roll_back(tmp_path)


def test_readers_see_a_whole_build_while_builds_come_and_go(tmp_path: Path) -> None:
    write_build(tmp_path, 1, keep=3)
    done, seen = threading.Event(), []

    def read() -> None:
        while not done.is_set():
            seen.append(live_mark(tmp_path))

    threads = [threading.Thread(target=read) for _ in range(2)]
    for thread in threads:
        thread.start()
    for mark in range(2, 12):
        write_build(tmp_path, mark)
        if mark % 3 == 0:
            roll_back(tmp_path)
    done.set()
    for thread in threads:
        thread.join()
    assert set(seen) <= set(range(1, 12))
    assert len(seen) > 2
    assert len(list(tmp_path.glob("build-*"))) == 3
