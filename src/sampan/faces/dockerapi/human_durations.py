"""How long, in words. Pure.

It stands apart for the command line, which needs nothing else of `times`, and must start quickly.
"""


def human(seconds: int) -> str:
    """About how long, in the words of `docker ps`."""
    seconds = max(0, seconds)
    hours = int(seconds / 3600 + 0.5)
    for below, count, words in (
        (1, 0, "Less than a second"),
        (2, 1, "1 second"),
        (60, seconds, "{} seconds"),
        (120, 1, "About a minute"),
        (3600, seconds // 60, "{} minutes"),
    ):
        if seconds < below:
            return words.format(count)
    for below, count, words in (
        (2, 1, "About an hour"),
        (48, hours, "{} hours"),
        (336, hours // 24, "{} days"),
        (1440, hours // 168, "{} weeks"),
        (17520, hours // 720, "{} months"),
    ):
        if hours < below:
            return words.format(count)
    return f"{hours // 8760} years"
