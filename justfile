# Bare `just` checks everything; .ci/run adds PostgreSQL and coverage.
default: check test

# run the demo: a backend of its own and the chat in this terminal
demo *ARGS:
    uv run client.py --demo {{ARGS}}

# the chat backend on http://127.0.0.1:8000
serve *ARGS:
    uv run server.py {{ARGS}}

# lint, types, architecture, policy
check:
    uv run ruff check .
    uv run ruff format --check .
    uv run mypy
    uv run lint-imports
    uv run permit-mcp policy check
    uv run permit-mcp policy test

# everything that can be repaired by a tool
fix:
    uv run ruff check --fix .
    uv run ruff format .

# the tests; arguments go to pytest
test *ARGS:
    uv run pytest {{ARGS}}

# write docs/recording.svg: the client in two terminals
recording:
    uv run python -m scripts.write_recording

# measure chat sessions; see docs/performance.md
benchmark *ARGS:
    uv run benchmarks/sessions.py {{ARGS}}

# measure decisions; see docs/performance.md
benchmark-decisions *ARGS:
    uv run benchmarks/decisions.py {{ARGS}}

# write the pinned versions into pyproject.toml from a fresh resolution
lock:
    python3 scripts/lock.py
