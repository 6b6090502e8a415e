"""The staff's web desk, in a process of its own: `wismo run --role desk`.

Server-rendered pages with server-sent events, not NiceGUI. Measured first, on two shared cores, an inbox of 50
rows in 200 connected browsers and 100 changes a second gathered for 250 ms (`tests/benchmarks/deskfirst.py`):

                          update p50 / p95 / p99       page p95    CPU     resident
    NiceGUI 3.18          0.25 / 0.57 / 0.70 s         261 ms      49 %    158 MiB
    SSE, each its own     0.13 / 0.25 / 0.32 s         112 ms      24 %     43 MiB
    SSE, views shared     0.12 / 0.24 / 0.26 s           7 ms       4 %     42 MiB

(quiet machine, 25 Nov 2026, the script's first form). The whole desk, `tests/benchmarks/desk.py`, 200 staff on a case
each, 5,000 open cases, 100 messages a second: updates p95 0.39 s on SQLite and 0.61 s on PostgreSQL, all on two cores.

NiceGUI keeps the promise of a second, but takes half a core and all the memory of a small seller's machine;
its socket accepts any origin, and its pages need inline scripts, which our Content-Security-Policy forbids.
"""
