"""From a text to what runs: parse, check, reckon the cost, compile.

Everything that reading expressions takes is imported here, and this module only when the first
expression is read: a server that is given none starts without it.
"""

from collections.abc import Mapping

from sampan.kubernetes.expressions.checker import Checker
from sampan.kubernetes.expressions.compiler import Compiler
from sampan.kubernetes.expressions.cost import Estimator
from sampan.kubernetes.expressions.errors import InvalidExpression, Problem, located
from sampan.kubernetes.expressions.frame import Run
from sampan.kubernetes.expressions.library.all import LANGUAGE
from sampan.kubernetes.expressions.parser import parse
from sampan.kubernetes.expressions.types import Type


def compiled(
    text: str, scope: Mapping[str, Type], structures: Mapping[str, Type]
) -> tuple[Type, Run, int]:
    """The type of the result, what runs, and the most that it may cost.

    Raises InvalidExpression.
    """
    try:
        tree = parse(text)
        checker = Checker(LANGUAGE, structures)
        kind = checker.check(tree, scope)
        cost = Estimator(LANGUAGE, checker.types).of(tree)
        run = Compiler(LANGUAGE, checker.types).compile(tree, {name: name for name in scope})
    except Problem as problem:
        raise located(text, problem) from problem
    except RecursionError as error:
        raise InvalidExpression("expression recursion limit exceeded") from error
    return kind, run, cost
