"""Fields as members of a JSON object: by alias, by name, or at a path inside another member."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from constrained.errors import UnsupportedSpec

__all__ = ["Member", "Path", "object_schema", "place_of"]

Schema = dict[str, Any]
Path = tuple[str | int, ...]


@dataclass(frozen=True)
class Member:
    """A field: its JSON Schema, whether it must be there, where it stands, where else it could.

    Reading looks for it at the paths of `before` first, at those of `others` last.
    """

    schema: Schema
    required: bool
    path: Path
    others: tuple[Path, ...] = ()
    before: tuple[Path, ...] = ()


def place_of(
    name: str, alias: Any, *, by_alias: bool, by_name: bool
) -> tuple[Path, tuple[Path, ...], tuple[Path, ...]]:
    """The path at which a field is written, and paths at which it would be read too.

    First those that are looked at after the path, then those that are looked at before it.

    `alias` is a core schema's validation alias: a name, a path, or a list of paths.

    >>> place_of("a", [["x", "y"], ["z"]], by_alias=True, by_name=True)
    (('z',), (('a',),), (('x', 'y'),))
    """
    paths: list[Path] = []
    if alias is None or not by_alias:
        paths.append((name,))
    elif isinstance(alias, str):
        paths.append((alias,))
    elif alias and isinstance(alias[0], list | tuple):
        paths += [tuple(path) for path in alias]
    else:
        paths.append(tuple(alias))
    if by_name and (name,) not in paths:
        paths.append((name,))
    plain = [path for path in paths if len(path) == 1]
    deep = [
        path for path in paths if all(isinstance(step, str) or 0 <= step < 100 for step in path)
    ]
    chosen = plain or deep
    if not chosen:
        raise UnsupportedSpec(
            "AliasPath",
            f"the path {list(paths[0])!r} counts from the end of a list, or far into one",
            hint="use a path of names and small positions",
        )
    written = chosen[0]
    place = paths.index(written)
    return written, tuple(paths[place + 1 :]), tuple(paths[:place])


@dataclass
class _Tree:
    """What stands at a place: a field, or places inside it."""

    member: Member | None = None
    inside: dict[str | int, _Tree] = field(default_factory=dict)

    def holds(self, path: Path) -> bool:
        """Whether a path leads to a field, or into one; objects and lists between are closed."""
        if self.member is not None or not path:
            return True
        below = self.inside.get(path[0])
        return below is not None and below.holds(path[1:])

    def put(self, path: Path, member: Member) -> None:
        step, *rest = path
        below = self.inside.setdefault(step, _Tree())
        if below.member is not None or (not rest and below.inside):
            raise UnsupportedSpec(
                "AliasPath",
                f"two fields are read from {step!r}",
                hint="give them places of their own",
            )
        if rest:
            below.put(tuple(rest), member)
        else:
            below.member = member

    @property
    def required(self) -> bool:
        if self.member is not None:
            return self.member.required
        return any(below.required for below in self.inside.values())

    def schema(self) -> Schema:
        """An object or array whose fields are all there, if it is there at all."""
        if self.member is not None:
            return self.member.schema
        names = [step for step in self.inside if isinstance(step, str)]
        if len(names) == len(self.inside):
            return {
                "type": "object",
                "properties": {name: self.inside[name].schema() for name in names},
                "required": names,
                "additionalProperties": False,
            }
        if names:
            raise UnsupportedSpec(
                "AliasPath",
                "a place cannot be an object and a list",
                hint="use paths of one kind below the same name",
            )
        last = max(int(step) for step in self.inside)
        items = [self.inside[i].schema() if i in self.inside else {} for i in range(last + 1)]
        return {"type": "array", "prefixItems": items, "minItems": last + 1, "maxItems": last + 1}


def _check_taken(member: Member, root: _Tree) -> None:
    """Refuse a field that would be read from the place of another though it has its own."""
    later = member.others if len(member.path) > 1 else ()
    taken = next((path for path in (*member.before, *later) if root.holds(path)), None)
    if taken is not None:
        raise UnsupportedSpec(
            "AliasPath",
            f"a field is read from {taken[0]!r} too, where another one stands",
            hint="give them places of their own",
        )


def object_schema(
    members: Mapping[str, Member], extra: str | None, extras: Schema | None
) -> Schema:
    """The object whose members are read as these fields.

    `extra` is what the type does with others: only where it keeps them (``allow``) may they be
    written; `extras` is their schema. Keys under which a field would be read again are left out;
    where such a key is the place of another field, the first must be there too, since its own
    place is looked at first.
    """
    root = _Tree()
    for member in members.values():
        root.put(member.path, member)
    found: Schema = {
        "type": "object",
        "properties": {str(name): below.schema() for name, below in root.inside.items()},
    }
    needs: dict[str, list[str]] = {}
    for member in members.values():
        _check_taken(member, root)
        for path in member.others:
            if root.holds(path) and not member.required:
                needs.setdefault(str(path[0]), []).append(str(member.path[0]))
    if needs:
        found["dependentRequired"] = needs
    required = [str(name) for name, below in root.inside.items() if below.required]
    if required:
        found["required"] = required
    if extra != "allow" and extras is None:
        found["additionalProperties"] = False
        return found
    for member in members.values():
        for path in (*member.others, *member.before):
            found["properties"].setdefault(str(path[0]), False)
    found["additionalProperties"] = True if extras is None else extras
    return found
