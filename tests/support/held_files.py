"""Which builds of an index this process has open."""

from pathlib import Path


def open_builds(index: Path) -> set[str]:
    """Gives the names of the builds of which this process has a file open or mapped."""
    mapped = Path("/proc/self/maps").read_text().splitlines()
    links = [str(link.readlink()) for link in Path("/proc/self/fd").iterdir() if link.is_symlink()]
    inside = f"{index}/"
    return {line.partition(inside)[2].partition("/")[0] for line in mapped + links if inside in line}
