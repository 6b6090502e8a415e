"""How long recognising takes, a message.

    python tests/benchmarks/recognise.py

Median of five rounds over chat messages of several kinds; the goal is 100 microseconds a message.
"""

import statistics
import time

from bot.tracking.recognise import recognise

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


def main() -> None:
    """Measure and print."""
    for message in MESSAGES:
        recognise(message)
    rounds = []
    for _ in range(5):
        began = time.perf_counter()
        for _ in range(300):
            for message in MESSAGES:
                recognise(message)
        rounds.append((time.perf_counter() - began) / 300 / len(MESSAGES) * 1e6)
    print(f"{statistics.median(rounds):.0f} us a message ({min(rounds):.0f}-{max(rounds):.0f}), goal 100")


if __name__ == "__main__":
    main()
