"""How many numbers are recognised, how many false alarms are raised, and how long a message takes.

    PYTHONPATH=. python tests/benchmarks/recognise.py [--each 200]

Made-up numbers of every format (`tests/tracking/specimens.py`), written as people write them: alone, among words
that say nothing, beside a word for tracking, and beside their carrier's name. Found is one whose carrier is
among the first two. The time is the median of five rounds over chat messages of several kinds, none of whose
numbers was read before.
"""

import argparse
import random
import statistics
import time
from collections import Counter

from bot.tracking.numbers import candidates
from bot.tracking.recognise import recognise
from tests.tracking.specimens import KINDS, NEUTRAL, SPOKEN, Kind, innocent, written

MESSAGES = (
    "where is my parcel? I ordered two weeks ago and nothing moves",
    "hi, my order 1042, my phone is +49 170 1234567",
    "RB123456785CN",
    "tracking 1Z999AA10123456784 thanks a lot for helping me out with this one",
    "顺丰单号SF1234567890123请帮我查一下",
    "посылка LX123456785CN, заказ 5512 от 2026-10-01",
    "my fedex number is 123456789012 and it should have come on 12/10/2026 at 14:30",
    "https://www.ups.com/track?tracknum=1Z999AA10123456784&loc=en_US",
    "ok thank you!",
    "RB 123 456 785 CN and also 9400 1118 9922 3197 4284 90, both from 3 October, $45.20 paid",
)
WAYS = ("alone", "neutral", "spoken", "named")


def texts(way: str, kind: Kind) -> list[str]:
    """What may stand around a number of this kind; empty where it cannot be told so."""
    if way == "named":
        return [text.replace("{}", f"{kind.spoken} {{}}") for text in SPOKEN[:8]]
    if way == "spoken":
        return SPOKEN
    if way == "alone":
        return ["{}"] if kind.framed or kind.alone else []
    return NEUTRAL if kind.framed else []


def recognised(each: int) -> None:
    """Print the share of numbers found, and the formats that are found least."""
    for way in WAYS:
        asked, found = Counter[str](), Counter[str]()
        for name, kind in KINDS.items():
            r = random.Random(f"{way} {name}")
            for _ in range(each if (forms := texts(way, kind)) else 0):
                number = kind.make(r)
                told = recognise(r.choice(forms).replace("{}", written(r, number)))
                asked[name] += 1
                found[name] += any(c.carrier in kind.carriers for c in [c for c in told if c.number == number][:2])
        share = {name: found[name] / asked[name] for name in asked}
        worst = ", ".join(f"{name} {share[name]:.2f}" for name in sorted(share, key=share.__getitem__)[:6])
        print(f"{way:8} {found.total() / asked.total():.4f} of {asked.total()}, goal 0.95; least: {worst}")


def alarms(rounds: int) -> None:
    """Print the share of innocent messages that are taken for numbers."""
    asked, raised = Counter[str](), Counter[str]()
    for kind, text in innocent(5, rounds):
        asked[kind] += 1
        raised[kind] += bool(recognise(text))
    kinds = ", ".join(f"{kind} {raised[kind] / asked[kind]:.4f}" for kind in asked)
    print(f"alarms   {raised.total() / asked.total():.4f} of {asked.total()}, goal 0.01; {kinds}")


def speed() -> None:
    """Print microseconds a message."""
    rounds = []
    for _ in range(5):
        took = 0.0
        for _ in range(200):
            candidates.cache_clear()
            began = time.perf_counter()
            for message in MESSAGES:
                recognise(message)
            took += time.perf_counter() - began
        rounds.append(took / 200 / len(MESSAGES) * 1e6)
    print(f"speed    {statistics.median(rounds):.0f} us a message ({min(rounds):.0f}-{max(rounds):.0f}), goal 100")


def main() -> None:
    """Measure and print."""
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--each", type=int, default=200, help="numbers of each format and way")
    args = ap.parse_args()
    recognised(args.each)
    alarms(max(args.each // 4, 1))
    speed()


if __name__ == "__main__":
    main()
