"""How well and how fast messages are understood, on utterances that were never looked at while words were chosen.

    PYTHONPATH=. python tests/benchmarks/understanding.py [FILE]

FILE holds `language | intent | text` a line, `a+b` for two wishes at once; by default the held-out half of what
helpers wrote as buyers type. Nobody tunes on that file: a miss seen is a miss spent. Only totals are printed, and
of `other` how many are acted on.
"""

import sys
from collections import Counter
from pathlib import Path
from statistics import quantiles
from time import process_time_ns

from bot.dialog.decide import ACT
from tests.dialog.test_understand import read

HELD_OUT = Path(__file__).with_name("utterances_held_out.txt")
ROUNDS = 5


def main(path: Path) -> None:
    """Print a line a language, and the time a message takes."""
    lines = [line.split("|", 2) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    total, right, spoken, others, triggered = (Counter[str]() for _ in range(5))
    for language, intent, text in lines:
        said = read(text)
        heard = [name for name, _ in said.intents] or ["other"]
        wanted = set(intent.split("+"))
        total[language] += 1
        right[language] += heard[0] in wanted and wanted <= set(heard)
        spoken[language] += intent == "language" or (said.locale or said.words_of) in {language, ""}
        others[language] += intent == "other"
        acted = heard[0] != "other" and said.intents[0][1] >= ACT
        triggered[language] += intent == "other" and acted
    for language in (*sorted(total), ""):
        n, r, s, o, t = (c[language] if language else c.total() for c in (total, right, spoken, others, triggered))
        print(f"{language or 'all':4} n={n:4} right {r / n:6.1%}  language {s / n:6.1%}  acted on {t}/{o} of other")
    spent = []
    for _, _, text in lines * ROUNDS:
        began = process_time_ns()
        read(text)
        spent.append((process_time_ns() - began) / 1000)
    cuts = quantiles(spent, n=100)
    print(f"us a message: mean {sum(spent) / len(spent):.0f}, median {cuts[49]:.0f}, p99 {cuts[98]:.0f}")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else HELD_OUT)
