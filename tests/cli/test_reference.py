import runpy
from pathlib import Path


def test_the_reference_of_the_command_line_is_what_the_commands_say() -> None:
    script = runpy.run_path(str(Path(__file__).parents[2] / "docs" / "cli_reference.py"))
    assert script["REFERENCE"].read_text(encoding="utf-8") == script["render"](), (
        "run: python docs/cli_reference.py"
    )
