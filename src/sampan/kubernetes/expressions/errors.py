"""What can be wrong with an expression: when it is read, and when it runs."""


class InvalidExpression(ValueError):
    """The text can't be compiled; the message shows where, as cel-go's does."""


class EvaluationFailed(Exception):
    """The expression came to an error. `||`, `&&`, `all` and `exists` may absorb it."""


class BudgetExceeded(Exception):
    """The expression did more work than it was allowed; nothing absorbs this."""

    def __init__(self) -> None:
        super().__init__("operation cancelled: actual cost limit exceeded")


class Problem(Exception):
    """A finding at an offset of the text, on its way to becoming an InvalidExpression."""

    def __init__(self, offset: int, message: str) -> None:
        super().__init__(message)
        self.offset = offset
        self.message = message


def located(text: str, problem: Problem) -> InvalidExpression:
    """The error with its line, and a mark under its column."""
    before = text[: problem.offset]
    row = before.count("\n")
    column = len(before) - (before.rfind("\n") + 1)
    line = text.split("\n")[row] if text else ""
    shown = f"ERROR: <input>:{row + 1}:{column + 1}: {problem.message}"
    return InvalidExpression(f"{shown}\n | {line}\n | {'.' * column}^")
