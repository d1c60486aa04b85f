"""Regular expressions of numerals, and of texts of a fixed layout, within bounds."""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal

__all__ = ["NUMERAL", "at_least", "at_most", "between", "integers", "places"]

NUMERAL = r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?"
"""A decimal numeral as JSON writes it, without an exponent."""

FRACTION = r"(?:\.[0-9]+)?"


def _any(layout: str) -> str:
    """Any text of the layout: digits stand for digits, other characters for themselves."""
    runs = re.findall("[0-9]+|[^0-9]", layout)
    return "".join(_run(len(run)) if run[0].isdigit() else _literal(run) for run in runs)


def _run(many: int) -> str:
    return "[0-9]" * many if many < 3 else f"[0-9]{{{many}}}"


def _literal(char: str) -> str:
    return char if char.isalnum() or char in "-:" else "\\" + char


def _digits(low: str, high: str) -> str:
    return low if low == high else f"[{low}-{high}]"


def _either(*parts: str) -> str:
    return parts[0] if len(parts) == 1 else f"(?:{'|'.join(parts)})"


def _least(text: str) -> bool:
    """Whether no text of the layout comes before."""
    return not any(char in "123456789" for char in text)


def _greatest(text: str) -> bool:
    """Whether no text of the layout comes after."""
    return not any(char in "012345678" for char in text)


def _from(low: str) -> list[str]:
    """Texts of the layout that are at least `low`, as alternatives."""
    parts: list[str] = []
    for place, char in enumerate(low):
        after = low[place + 1 :]
        if _least(low[place:]):
            return [*parts, _plain(low[:place]) + _any(low[place:])]
        first = char if _least(after) else chr(ord(char) + 1)
        if char.isdigit() and first <= "9":
            parts.append(_plain(low[:place]) + _digits(first, "9") + _any(after))
            if first == char:
                return parts
    return [*parts, _plain(low)]


def _to(high: str) -> list[str]:
    """Texts of the layout that are at most `high`, as alternatives."""
    parts: list[str] = []
    for place, char in enumerate(high):
        after = high[place + 1 :]
        if _greatest(high[place:]):
            return [*parts, _plain(high[:place]) + _any(high[place:])]
        last = char if _greatest(after) else chr(ord(char) - 1)
        if char.isdigit() and last >= "0":
            parts.append(_plain(high[:place]) + _digits("0", last) + _any(after))
            if last == char:
                return parts
    return [*parts, _plain(high)]


def _plain(text: str) -> str:
    return "".join(map(_literal, text))


def between(low: str, high: str) -> str | None:
    """Texts of one layout from `low` to `high`, compared as texts; None when there are none.

    >>> between("2019-12", "2020-03")
    '20(?:19-[2-9][0-9]|19-1[2-9]|20-0[0-3])'
    """
    if low > high:
        return None
    same = 0
    while same < len(low) and low[same] == high[same]:
        same += 1
    head = _plain(low[:same])
    if same == len(low):
        return head
    first, last = low[same], high[same]
    after_first, after_last = low[same + 1 :], high[same + 1 :]
    parts = []
    if not _least(after_first):
        parts += [first + part for part in _from(after_first)]
        first = chr(ord(first) + 1)
    end = last if _greatest(after_last) else chr(ord(last) - 1)
    if first <= end:
        parts.append(_digits(first, end) + _any(after_first))
    if end != last:
        parts += [last + part for part in _to(after_last)]
    return head + _either(*parts)


def _naturals(low: int, high: int | None) -> Iterator[str]:
    """The numerals from `low` to `high`, as alternatives by their lengths."""
    first = len(str(low))
    last = first if high is None else len(str(high))
    for length in sorted({first, last}):
        least = max(low, 10 ** (length - 1) if length > 1 else 0)
        most = 10**length - 1 if high is None or length < last else high
        found = between(str(least), str(most))
        if found is not None:
            yield found
    if high is None:
        yield f"[1-9][0-9]{{{first},}}"
    elif last - first > 1:
        yield f"[1-9][0-9]{{{first},{last - 2}}}"


def integers(low: int | None, high: int | None) -> str | None:
    """Integers as JSON writes them, bounds included; None when there are none.

    >>> integers(-3, 12)
    '(?:[0-9]|1[0-2]|-[1-3])'
    """
    parts: list[str] = []
    if high is None or high >= 0:
        parts += _naturals(max(low or 0, 0), high)
    if low is None or low < 0:
        least = 1 if high is None else max(1, -high)
        parts += [f"-{part}" for part in _naturals(least, None if low is None else -low)]
    return _either(*parts) if parts and not (None not in (low, high) and low > high) else None  # type: ignore[operator]


def _split(bound: Decimal) -> tuple[int, str]:
    """The digits before and after the point of a bound that is not negative."""
    whole, _, fraction = format(abs(bound), "f").partition(".")
    return int(whole), fraction.rstrip("0")


def _over(bound: Decimal, strict: bool) -> str:
    """Numerals without a sign, at least the bound (above it when `strict`)."""
    whole, fraction = _split(bound)
    some = "[0-9]*[1-9][0-9]*"
    parts = [f"{_either(*_naturals(whole + 1, None))}{FRACTION}"]
    if not fraction:
        parts.append(f"{whole}\\.{some}" if strict else f"{whole}{FRACTION}")
        return _either(*parts)
    inside = [
        f"{fraction[:i]}{_digits(chr(ord(digit) + 1), '9')}[0-9]*"
        for i, digit in enumerate(fraction)
        if digit < "9"
    ]
    inside.append(fraction + (some if strict else "[0-9]*"))
    return _either(*parts, f"{whole}\\.{_either(*inside)}")


def _under(bound: Decimal, strict: bool) -> str | None:
    """Numerals without a sign, at most the bound (below it when `strict`); None for none."""
    whole, fraction = _split(bound)
    parts = [f"{_either(*_naturals(0, whole - 1))}{FRACTION}"] if whole else []
    if not fraction:
        parts += [] if strict else [f"{whole}(?:\\.0+)?"]
        return _either(*parts) if parts else None
    inside = [
        f"{fraction[:i]}{_digits('0', chr(ord(digit) - 1))}[0-9]*"
        for i, digit in enumerate(fraction)
        if digit > "0"
    ]
    inside += [fraction[:i] for i in range(1, len(fraction))]
    inside += [] if strict else [fraction + "0*"]
    tail = f"(?:\\.{_either(*inside)})?" if inside else ""
    return _either(*parts, f"{whole}{tail}")


def at_least(bound: Decimal, strict: bool = False) -> str:
    """Numerals with a value of at least the bound, or above it.

    >>> import re
    >>> [bool(re.fullmatch(at_least(Decimal("0.5")), text)) for text in ("0.49", "0.5", "10")]
    [False, True, True]
    """
    if bound >= 0:
        return _over(bound, strict)
    negative = _under(bound, strict)
    plain = f"(?:0|[1-9][0-9]*){FRACTION}"
    return plain if negative is None else _either(plain, f"-{negative}")


def at_most(bound: Decimal, strict: bool = False) -> str | None:
    """Numerals with a value of at most the bound, or below it."""
    if bound < 0:
        return f"-{_over(bound, strict)}"
    found = _under(bound, strict)
    negative = f"-{_over(Decimal(0), True)}"
    return negative if found is None else _either(found, negative)


def places(digits: int | None, decimals: int | None) -> str:
    """Numerals of so many digits in all, and so many after the point, as `Decimal` counts them.

    >>> import re
    >>> [bool(re.fullmatch(places(3, 1), text)) for text in ("12.3", "123", "1.23")]
    [True, False, False]
    """
    if digits is None:
        tail = f"(?:\\.[0-9]{{1,{decimals}}})?" if decimals else ""
        return f"-?(?:0|[1-9][0-9]*){tail}"
    if decimals is not None:
        whole = digits - decimals
        if whole < 1:  # then the 0 before the point must not count
            return f"-?0\\.[0-9]{{0,{digits - 1}}}[1-9]"
        head = f"(?:0|[1-9][0-9]{{0,{whole - 1}}})"
        return f"-?{head}(?:\\.[0-9]{{1,{decimals}}})?" if decimals else f"-?{head}"
    parts = [f"(?:0|[1-9][0-9]{{0,{digits - 1}}})", f"0\\.[0-9]{{1,{digits}}}"]
    parts += [
        f"[1-9][0-9]{{0,{digits - after - 1}}}\\.[0-9]{{{after}}}"
        for after in range(1, min(digits, 60))
    ]
    return f"-?{_either(*parts)}"
