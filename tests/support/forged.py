"""Indexes whose checksums are right although somebody changed them, as a hostile person would."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb

from engine.artifact.layout import CATALOGUE_FILE, CURRENT, MANIFEST


def live_build(index: Path) -> Path:
    return index / (index / CURRENT).read_text().split()[0]


def forge_manifest(index: Path, content: bytes | Callable[[dict[str, Any]], Any]) -> None:
    """Replaces the manifest, or changes it in place, and lets CURRENT name the new checksum."""
    path = live_build(index) / MANIFEST
    if not isinstance(content, bytes):
        manifest = json.loads(path.read_text())
        content(manifest)
        content = json.dumps(manifest).encode()
    path.write_bytes(content)
    (index / CURRENT).write_text(f"{path.parent.name} {hashlib.sha256(content).hexdigest()}\n")


def forge_file(index: Path, name: str, content: bytes) -> None:
    """Replaces a file of the live build, and lets the manifest name the new size and checksum."""
    path = live_build(index) / name
    path.unlink(missing_ok=True)  # The file may be a hard link to a file of another build.
    path.write_bytes(content)
    entry = {"size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    forge_manifest(index, lambda manifest: manifest["files"].update({name: entry}))


def forge_catalogue(index: Path, statements: str, folder: Path) -> None:
    """Runs statements in the catalogue of an index."""
    path = folder / "forged.duckdb"
    path.write_bytes((live_build(index) / CATALOGUE_FILE).read_bytes())
    with duckdb.connect(str(path)) as database:
        database.execute(statements)
        database.execute("checkpoint")
    forge_file(index, CATALOGUE_FILE, path.read_bytes())
    path.unlink()
