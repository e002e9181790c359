"""Write docs/conversation-export.schema.json from the code: ``python -m family_food.conversations.export_schema``."""

from __future__ import annotations

import json

from family_food.conversations.export import export_schema
from permit_core.settings import PROJECT


def main() -> None:
    """Write the file; a test compares it with the code."""
    path = PROJECT / "docs" / "conversation-export.schema.json"
    path.write_text(json.dumps(export_schema(), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
