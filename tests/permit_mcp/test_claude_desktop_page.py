"""The configurations in ``docs/claude-desktop.md`` start what is there."""

from __future__ import annotations

import json
import re

from tests.support.ordering import ROOT

PAGE = (ROOT / "docs" / "claude-desktop.md").read_text(encoding="utf-8")
PLACE = "/ABSOLUTE/PATH/TO/PARENT/FOLDER"


def test_the_configurations_name_folders_scripts_and_options_that_there_are() -> None:
    blocks = [json.loads(block) for block in re.findall(r"^```json\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)]
    assert len(blocks) == 2
    for block in blocks:
        for server in block["mcpServers"].values():
            assert server["command"] == "uv"
            directory, folder, run, script, *options = server["args"]
            assert (directory, run) == ("--directory", "run")
            started = ROOT / folder.removeprefix(PLACE).lstrip("/") / script
            assert started.is_file()
            for option in options:
                if option.startswith("--"):
                    assert f'"{option}"' in started.read_text(encoding="utf-8")
