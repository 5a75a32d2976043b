"""As much of CloudWatch's metric math as the alarms of the template use, for one period at a time: what an
emulator does not evaluate. Anything else is an error. (CloudWatch User Guide, "Using math expressions
with CloudWatch metrics".)"""

import ast
import operator

OPERATORS = {ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv}
AGGREGATES = {"SUM": sum, "MAX": max, "MIN": min, "AVG": lambda values: sum(values) / len(values)}


def evaluate(expression, values):
    """The value of an expression, where `values` has one number by each metric's id, or None where it
    has no data; None where nothing comes of it."""
    return _value(ast.parse(expression, mode="eval").body, values)


def _value(node, values):
    match node:
        case ast.Constant(value=int() | float() as number):
            return number
        case ast.Name(id=name):
            return values[name]
        case ast.Call(func=ast.Name(id="METRICS"), args=[]):
            return list(values.values())
        case ast.Call(func=ast.Name(id="FILL"), args=[series, filling]):
            found, number = _value(series, values), _value(filling, values)
            filled = [number if one is None else one for one in _listed(found)]
            return filled if isinstance(found, list) else filled[0]
        case ast.Call(func=ast.Name(id=name), args=[series]) if name in AGGREGATES:
            present = [one for one in _listed(_value(series, values)) if one is not None]
            return AGGREGATES[name](present) if present else None
        case ast.BinOp(left=left, op=op, right=right) if type(op) in OPERATORS:
            operands = _value(left, values), _value(right, values)
            if None in operands or (isinstance(op, ast.Div) and operands[1] == 0):
                return None
            return OPERATORS[type(op)](*operands)
    raise ValueError(f"{ast.unparse(node)} is not evaluated here")


def _listed(found):
    return found if isinstance(found, list) else [found]
