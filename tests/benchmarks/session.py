"""Ask one side's questions in a process of its own: `session.py MODULE AS_OF QUESTION…` prints a JSON line for each.

The first answer is timed from the start of the process, imports and reading included; each of the others from its
question on, in the open session. CPU is user and system time of all threads. The integers of an answer, in an order
that does not depend on who made them, are told by their SHA-256.
"""

import importlib
import json
import sys
import time
from hashlib import sha256


def main(module: str, as_of: str, questions: list[str]) -> None:
    """Ask, time and print."""
    side = importlib.import_module(module)
    session = side.opened(as_of=as_of)
    began = 0.0
    for question in questions:
        answer = getattr(side, question)(session)
        told = {"question": question, "cpu": time.process_time() - began}
        if question != "market_table":  # shares: the kit hides what would tell of a few, and adds intervals
            rows = side.integers(answer)
            lines = sorted(",".join(map(str, row)) for row in rows[sorted(rows)].itertuples(index=False))
            told |= {"n": len(lines), "sha256": sha256("\n".join(lines).encode()).hexdigest()}
        print(json.dumps(told), flush=True)
        began = time.process_time()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3:])
