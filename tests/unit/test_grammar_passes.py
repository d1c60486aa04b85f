"""The named passes, shown by printing grammars before and after."""

from __future__ import annotations

import pytest

from constrained.errors import (
    InvalidSpec,
    LimitExceeded,
    UnsatisfiableSpec,
    UnsupportedSpec,
    VocabularyError,
)
from constrained.grammar import Alt, Cat, Grammar, Literal, Node, Not, Ref, Repeat, literal
from constrained.grammar.passes import (
    check_productive,
    check_references,
    check_regular,
    left_recursive_rules,
    nullable_rules,
    prepared,
    productive_rules,
    reachable_rules,
    restrict,
    unused_rules,
    without_dead_parts,
    without_left_recursion,
)
from constrained.grammar.spelling import Spelling, spelling_of
from constrained.grammar.text import print_grammar, read_grammar
from constrained.limits import Limits


def test_reachable_rules_come_in_the_order_of_their_use() -> None:
    grammar = read_grammar('b? a ; a = "x" c ; b = c ; c = "c" a ; d = e ; e = "" ;')
    assert reachable_rules(grammar) == ("b", "c", "a")
    assert unused_rules(grammar) == ("d", "e")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x ;", "there is no rule 'x', which the start needs (known rules: none)"),
        (
            'a ; b = "" ; a = ("z" `a b`)* ;',
            "there is no rule 'a b', which rule 'a' needs (known rules: a, b)",
        ),
    ],
)
def test_a_rule_that_is_not_there_is_named(text: str, message: str) -> None:
    with pytest.raises(InvalidSpec) as caught:
        check_references(read_grammar(text))
    assert str(caught.value) == message


def test_a_long_list_of_known_rules_is_cut() -> None:
    rules = {f"r{i:02}": literal("a") for i in range(20)}
    with pytest.raises(InvalidSpec, match=r"r00, r01, .*, r11 and 8 more\)$"):
        check_references(Grammar(Ref("x"), rules))


def test_nullable_and_productive_rules() -> None:
    grammar = read_grammar(
        'a b c d e ; a = "x"* ; b = a a ; c = "" | "y" ; d = "z" d | b "q" ; e = "(" e ")" | [] ;'
    )
    assert nullable_rules(grammar) == {"a", "b", "c"}
    assert productive_rules(grammar) == {"a", "b", "c", "d"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[] ;", "nothing can match: the start is the empty set"),
        ('"a" [] ;', "nothing can match: the start is the empty set"),
        (
            'a ; a = "(" b ")" ; b = "x" b ;',
            "at rule b: nothing can match: this rule has no way to end",
        ),
    ],
)
def test_a_start_that_cannot_match_is_unsatisfiable(text: str, message: str) -> None:
    with pytest.raises(UnsatisfiableSpec) as caught:
        check_productive(read_grammar(text))
    assert str(caught.value) == message


def test_dead_parts_are_removed() -> None:
    before = 's | a ; s = "x" | "y" e ; e = "(" e ")" ; a = e* "w" | (s | [])? ;'
    after = 's | a ;\ns = "x" ;\na = "w" | s? ;'
    assert print_grammar(without_dead_parts(read_grammar(before))) == after
    fine = read_grammar('"a" ;')
    assert without_dead_parts(fine) is fine


LEFT_RECURSION = {
    "direct": (
        's ; s = s "b" | s "c" s | "a" ;',
        's ;\ns = "a" ("b" | "c" "a")* ;',
    ),
    "nullable": (
        's ; s = s "b" | "" ;',
        's ;\ns = `s+`? ;\n`s+` = "b" "b"* ;',
    ),
    "behind a nullable part": (
        's ; s = "x"? s "b" | "a" ;',
        's ;\ns = ("x" s "b" | "a") "b"* ;',
    ),
    "behind a nullable rule": (
        's ; s = x s "b" | "a" ; x = "x" x | "" ;',
        's ;\ns = (`x+` s "b" | "a") "b"* ;\n`x+` = "x" x ;\nx = "x" x | "" ;',
    ),
    "indirect": (
        's ; s = t "b" | "a" ; t = s "c" | "d" ;',
        's ;\n'
        's = "a" `s..s` | "d" `t..s` ;\n'
        '`s..s` = "" | "c" `t..s` ;\n'
        '`t..s` = "b" `s..s` ;',
    ),
    "below a repetition": (
        's ; s = (s "b" | "a"){2,} ;',
        's ;\ns = "a" (s "b" | "a")+ ("b" (s "b" | "a")+)* ;',
    ),
    "idle": (
        's ; s = s | s s | "a" ;',
        's ;\ns = "a" "a"* ;',
    ),
    "ambiguous operators": (
        'e ; e = "-" e | e "+" e | e "*" e | "(" e ")" | [0-9] | e "!" ;',
        'e ;\n'
        'e = `e.operand` ("+" `e.operand` | "*" `e.operand` | "!")* ;\n'
        '`e.operand` = "-" `e.operand` | "(" e ")" | [0-9] ;',
    ),
    "ambiguous and nullable": (
        's ; s = "" | "a" s | s "b" s? ;',
        's ;\ns = `s+`? ;\n'
        '`s+` = `s.operand` ("b" `s.operand`?)* ;\n'
        '`s.operand` = "a" `s.operand`? | "b" `s.operand`? ;',
    ),
    "through others' rules": (
        'e ; e = e "+" t | t ; t = t "*" f | f ; f = "(" e ")" | [0-9] ;',
        'e ;\ne = t ("+" t)* ;\nt = f ("*" f)* ;\nf = "(" e ")" | [0-9] ;',
    ),
}  # fmt: skip


@pytest.mark.parametrize(("before", "after"), LEFT_RECURSION.values(), ids=LEFT_RECURSION)
def test_left_recursion_is_rewritten(before: str, after: str) -> None:
    assert print_grammar(without_left_recursion(read_grammar(before))) == after


def test_left_recursive_groups_are_found() -> None:
    grammar = read_grammar('a ; a = n b "x" | "y" ; b = a | c ; c = c "z" | "w" ; n = "n"? ;')
    assert sorted(left_recursive_rules(grammar)) == [("a", "b"), ("c",)]
    straight = read_grammar('a ; a = "(" a ")" a | "" ;')
    assert left_recursive_rules(straight) == []
    assert without_left_recursion(straight) is straight


def test_new_rules_do_not_collide_with_names_of_the_grammar() -> None:
    grammar = without_left_recursion(read_grammar('s `s+` ; s = s "b" | "" ; `s+` = "c" ;'))
    assert print_grammar(grammar) == ('s `s+` ;\ns = `s+\'`? ;\n`s+\'` = "b" "b"* ;\n`s+` = "c" ;')


def test_a_large_left_recursive_group_stops_at_the_limit() -> None:
    names = [f"r{i}" for i in range(200)]
    rules: dict[str, Node] = {
        name: Alt((Cat((Ref(other), literal("x"))), literal("y")))
        for name, other in zip(names, [*names[1:], names[0]], strict=True)
    }
    with pytest.raises(LimitExceeded, match="max_nodes=10,000 reached while removing left rec"):
        without_left_recursion(Grammar(Ref("r0"), rules), Limits(max_nodes=10_000))


@pytest.mark.parametrize(
    "text",
    [
        '!("a" "b"*) ;',
        'w & !"ab" ; w = [a-z] w | "" ;',
        '!a ; a = "x" (b | "y" a)? ; b = @("z" a) ;',
        'n ; n = "(" (n | !(w)) ")" ; w = "x" w | "y" ;',
        'a & b ; a = a | "x" a "" | "y" ; b = "x" b | . ;',
    ],
)
def test_right_linear_rules_are_regular(text: str) -> None:
    check_regular(read_grammar(text))


NESTS = (
    "at rule n: the {} of a rule that nests is not regular"
    " (write the recursive reference last in its alternative, or use repetition)"
)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('!n ; n = "(" n ")" | "" ;', NESTS.format("complement")),
        ('"x" & n ; n = ("a" n)* ;', NESTS.format("intersection")),
        ('!m ; m = "x" n? ; n = n n | "a" ;', NESTS.format("complement")),
        ('s ; s = "a" !s ;', "at rule s: the rule needs its own complement"),
        ('s ; s = "a" ("b" & s) ;', "at rule s: the rule needs its own intersection"),
    ],
)  # fmt: skip
def test_what_is_not_regular_is_refused_by_name(text: str, message: str) -> None:
    with pytest.raises(UnsupportedSpec) as caught:
        check_regular(read_grammar(text))
    assert str(caught.value) == message
    assert caught.value.feature in ("nesting below & or !", "recursion through & or !")


def test_a_left_linear_rule_below_a_complement_is_rewritten_first() -> None:
    grammar = read_grammar('!w ; w = w [a-z] | "x" ;')
    with pytest.raises(UnsupportedSpec):
        check_regular(grammar)
    assert print_grammar(prepared(grammar)) == '!w ;\nw = "x" [a-z]* ;'


def characters(text: str) -> Spelling | None:
    return spelling_of(character.encode() for character in text)


def test_restricting_removes_what_cannot_be_spelled() -> None:
    before = read_grammar(
        's ; s = "tea" | "thé" [a-zé]* | {"a", "é", "ü"} t | @[0-9]+ | !"a" | ("e" & !"é") ;'
        't = "ß" ;'
    )
    after = 's ;\ns = "tea" | @[1]+ | !"a" & [1aet]* | "e" & !"é" ;'
    restricted = restrict(before, characters("tea1"))
    assert print_grammar(restricted) == after
    assert restrict(before, None) is before
    plain = read_grammar('"tea"* ;')
    assert restrict(plain, characters("tea")) is plain


def test_restricting_bytes_keeps_parts_of_characters() -> None:
    grammar = read_grammar('<61-63 c3 ff> | "\\xc3" <a9 aa> ;')
    assert print_grammar(restrict(grammar, characters("aé"))) == '<61 c3> | "\\xc3" <a9> ;'


def test_nothing_left_names_what_is_missing() -> None:
    with pytest.raises(VocabularyError) as caught:
        restrict(read_grammar('"Größe: " [0-9] ;'), characters("Gre: "))
    assert str(caught.value) == (
        "the tokenizer cannot spell the spec: it has no tokens for "
        "'0', '1', '2', '3', '4', '5', '6', '7'"
        " (use a tokenizer that has them, or ask for other characters)"
    )


# --- size and sharing -----------------------------------------------------------------------------


def every_pass(grammar: Grammar) -> None:
    assert prepared(grammar)
    assert nullable_rules(grammar) <= productive_rules(grammar)
    assert left_recursive_rules(grammar) == []
    restrict(grammar, characters("ab"))


def test_deep_nesting_does_not_recurse_in_python() -> None:
    node: Node = Literal(b"a")
    for i in range(10_000):
        node = Not(node) if i % 2 else Repeat(node, 0, 3)
    every_pass(Grammar(node))


def test_a_long_chain_of_rules_is_fast() -> None:
    rules: dict[str, Node] = {
        f"r{i}": Alt((Cat((Literal(b"a"), Ref(f"r{i + 1}"))), Literal(b"b"))) for i in range(3_000)
    }
    rules["r3000"] = Ref("r0")
    every_pass(Grammar(Ref("r0"), rules))


def test_a_node_shared_in_many_places_is_visited_once() -> None:
    node: Node = Literal(b"a")
    for i in range(200):  # 2 ** 200 paths
        node = Cat((node, node)) if i % 3 else Alt((node, Repeat(node, 0, 1)))
    every_pass(Grammar(node))
    left = Grammar(Ref("s"), {"s": Alt((Cat((Ref("s"), node)), Repeat(node, 0, 1)))})
    assert left_recursive_rules(without_left_recursion(left)) == []
