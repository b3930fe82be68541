"""`python visit.py URL REQUESTS PODS`: visit until so many requests have reached so many pods.

Each request is a connection of its own. Ends with 1 when that does not happen within a minute.
"""

import http.client
import sys
import time
from collections import Counter
from urllib.parse import urlsplit

PATIENCE_SECONDS = 60
PAUSE_SECONDS = 0.05


def visit(address: str) -> str:
    """The line that a pod answers. Raises OSError, HTTPException."""
    connection = http.client.HTTPConnection(address, timeout=5)
    try:
        connection.request("GET", "/")
        answer = connection.getresponse()
        text = answer.read().decode().strip()
    finally:
        connection.close()
    if answer.status != http.HTTPStatus.OK:
        raise OSError(f"status {answer.status}")
    return text


def main(url: str, requests: int, pods: int) -> int:
    address = urlsplit(url).netloc
    answers: Counter[str] = Counter()
    deadline = time.monotonic() + PATIENCE_SECONDS
    trouble = "no answer yet"
    while time.monotonic() < deadline:
        try:
            answers[visit(address)] += 1
        except (OSError, http.client.HTTPException) as failure:
            trouble = str(failure)
            time.sleep(PAUSE_SECONDS)
            continue
        if answers.total() >= requests and len(answers) >= pods:
            for line, count in sorted(answers.items()):
                print(f"{count:5} times  {line}")
            return 0
    print(f"{answers.total()} answers from {len(answers)} pods; last trouble: {trouble}")
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
