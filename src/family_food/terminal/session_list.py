"""The stored conversations, for a person or a script that looks for one to go on with."""

from __future__ import annotations

import json

from family_food.terminal.arguments import Options
from family_food.terminal.display.moments import shown_time
from family_food.terminal.display.output import Output
from family_food.terminal.problem import ChatProblem, Exit
from family_food.terminal.scripting.ask_once import way_in
from family_food.terminal.visible import one_line

_MOST = 100


async def list_sessions(options: Options) -> int:
    """Write one line for each of the newest conversations: id, turns, last use, name, with tabs between them.

    With ``--json`` it is one JSON array, with ``--stream-json`` one object a line.

    Returns:
        Exit code.
    """
    stdout, stderr = Output("stdout"), Output("stderr")
    try:
        entry = await way_in(options)
        listed = (await entry.web.conversations(per_page=_MOST))["conversations"]
    except ChatProblem as problem:
        stderr.write(f"{problem.sentence}\n")
        return problem.exit_code
    if options.form == "json":
        stdout.write(json.dumps(listed) + "\n")
    elif options.form == "stream-json":
        stdout.write("".join(json.dumps(one) + "\n" for one in listed))
    else:
        for one in listed:
            cells = (one.get("id"), str(one.get("turns", "")), shown_time(one.get("updated_at")), one.get("title"))
            stdout.write("\t".join(map(one_line, cells)) + "\n")
    return Exit.OK
