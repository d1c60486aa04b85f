// How many letters the strings of a term have, at the least and at the most, without a search.
//
// A length counts characters, each of several bytes: "at most 20 of them" and a pattern that takes
// 30 more have nothing in common, but no number of bytes shows it, and a search for a string of both
// would try all that may stand in 20 places. Both are measured by one automaton here, that of all
// texts over the alphabet of the length: a letter is counted whenever a string brings it back to its
// start. That is a function of the string alone, so the interval of an intersection is that which
// the intervals of its parts share.
#include <algorithm>

#include "terms.h"

namespace constrained {

namespace {

using Letters = Store::Letters;

constexpr TermId kAnywhere = UINT32_MAX;  // an end that does not show
constexpr Letters kNone = {kInfinite, 0, kAnywhere};  // of no string at all

uint32_t plus(uint32_t x, uint32_t y) {
  const uint64_t sum = uint64_t{x} + y;
  return x == kInfinite || y == kInfinite || sum >= kUnknown ? kInfinite : static_cast<uint32_t>(sum);
}

uint32_t times(uint32_t x, uint32_t y) {
  if (x == 0 || y == 0) return 0;
  const uint64_t product = uint64_t{x} * y;
  return x == kInfinite || y == kInfinite || product >= kUnknown ? kInfinite : static_cast<uint32_t>(product);
}

bool none(const Letters& x) { return x.least > x.most; }

Letters either(const Letters& x, const Letters& y) {
  if (none(x) || none(y)) return none(x) ? y : x;
  return {std::min(x.least, y.least), std::max(x.most, y.most), x.end == y.end ? x.end : kAnywhere};
}

}  // namespace

// All texts over the alphabet of a length, or what is left of them where a part of `parts` stands in
// the middle of a letter; kNothing when no part is a length.
TermId Store::texts_measured(const TermId* parts, size_t count, Call& call) {
  for (size_t i = 0; i < count; ++i) {
    std::vector<TermId> heads;
    TermId t = parts[i];
    for (; (*this)[t].kind == Kind::Cat; t = (*this)[t].b) heads.push_back((*this)[t].a);
    const Term& length = (*this)[t];
    if (length.kind != Kind::Repeat || (length.low == 0 && length.high == kInfinite)) continue;
    if (!is_letter(length.a, call)) continue;
    TermId from = repeat(length.a, 0, kInfinite, call);
    for (size_t k = heads.size(); k-- > 0;) from = cat(heads[k], from, call);
    return normal(from, call);
  }
  return kNothing;
}

// How many letters strings of all parts have at once; every number where no part is a length.
Store::Measured Store::measured(const TermId* parts, size_t count, Call& call) {
  Measured shared = {texts_measured(parts, count, call), 0, kInfinite};
  for (size_t i = 0; i < count && shared.from != kNothing && shared.least <= shared.most; ++i) {
    const Letters found = letters(normal(parts[i], call), shared.from, call);
    shared.least = std::max(shared.least, found.least);
    shared.most = std::min(shared.most, found.most);
  }
  return shared;
}

// As `lower_bound`, of the strings of `t` from `from` on that have `least` letters or more. (Those
// with too many are left in: they have no fewer bytes than others.)
uint32_t Store::bound_from(TermId t, TermId from, uint32_t least, Bounded& known, Call& call) {
  const Letters own = letters(t, from, call);
  if (own.most < least) return kInfinite;
  if (own.least >= least) return lower_bound(t, call);
  const auto [found, fresh] = known.try_emplace({t, from, least}, 0);
  if (!fresh) return found->second;
  Deeper guard(call);
  call.spend();
  const Term& term = (*this)[t];
  uint32_t bound = lower_bound(t, call);
  if (term.kind == Kind::Alt) {
    bound = kInfinite;
    for (TermId i = 0; i < term.b; ++i) bound = std::min(bound, bound_from(term.parts[i], from, least, known, call));
  } else if (term.kind == Kind::Lexeme) {
    bound = bound_from(term.a, from, least, known, call);
  } else if (term.kind == Kind::Cat) {
    const Letters head = letters(term.a, from, call);
    if (head.end != kAnywhere) {
      const uint32_t others = head.most >= least ? 0 : least - head.most;
      const uint32_t rest = bound_from(term.b, head.end, others, known, call);
      bound = std::max(bound, plus(lower_bound(term.a, call), rest));
    }
  }
  return known[{t, from, least}] = bound;
}

// The letters of strings of `t`, read from `from` on, and where all of them lead. Strings that are
// no beginning of a text over the alphabet do not count: nothing in the intersection has them.
Letters Store::letters(TermId t, TermId from, Call& call) {
  const uint64_t key = (uint64_t{t} << 32) | from;
  if (const auto found = letters_.find(key); found != letters_.end()) return found->second;
  Deeper guard(call);
  call.spend();
  const Term& term = (*this)[t];
  Letters result = {0, kInfinite, kAnywhere};
  switch (term.kind) {
    case Kind::Nothing: result = kNone; break;
    case Kind::Empty: result = {0, 0, from}; break;
    case Kind::Bytes: result = letters_after(sets_[term.a], kEmpty, from, call); break;
    case Kind::Lexeme: result = letters(term.a, from, call); break;
    case Kind::Alt:
      result = kNone;
      for (TermId i = 0; i < term.b; ++i) result = either(result, letters(term.parts[i], from, call));
      break;
    case Kind::And:
      for (TermId i = 0; i < term.b; ++i) {
        const Letters part = letters(term.parts[i], from, call);
        result = {std::max(result.least, part.least), std::min(result.most, part.most),
                  part.end == kAnywhere ? result.end : part.end};
      }
      break;
    case Kind::Cat: {
      if (const Term& head = (*this)[term.a]; head.kind == Kind::Bytes) {
        result = letters_after(sets_[head.a], term.b, from, call);
        break;
      }
      const Letters head = letters(term.a, from, call);
      if (none(head)) {
        result = kNone;
      } else if (head.end == kAnywhere) {
        result = {head.least, kInfinite, kAnywhere};
      } else {
        const Letters rest = letters(term.b, head.end, call);
        result = none(rest) ? kNone : Letters{plus(head.least, rest.least), plus(head.most, rest.most), rest.end};
      }
      break;
    }
    case Kind::Repeat: {
      const Letters once = letters(term.a, from, call);
      if (none(once)) {
        result = term.low ? kNone : Letters{0, 0, from};
      } else if (once.end == from) {
        result = {times(once.least, term.low), times(once.most, term.high), from};
      } else if (is_short(term)) {
        result = {0, 0, from};
        for (uint32_t k = 0; k < term.low && result.end != kAnywhere && !none(result); ++k) {
          const Letters next = letters(term.a, result.end, call);
          result = none(next) ? kNone : Letters{plus(result.least, next.least), plus(result.most, next.most), next.end};
        }
        if (!none(result) && result.end == kAnywhere) result.most = kInfinite;
      } else if (term.low) {
        result.least = once.least;
      }
      break;
    }
    case Kind::Call:
    case Kind::Substrings:
    case Kind::Not: break;
  }
  return letters_[key] = result;
}

// As `letters`, of one byte of a set and then `rest`.
Letters Store::letters_after(const ByteSet& set, TermId rest, TermId from, Call& call) {
  Letters result = kNone;
  const Partition* p = edges(from, call)->partition;
  bool seen[256] = {};
  for (unsigned b = 0; b < 256; ++b) {
    if (!set.has(b) || seen[p->class_of[b]]) continue;
    seen[p->class_of[b]] = true;
    const TermId next = step(from, static_cast<uint8_t>(b), call);
    if (next == kNothing) continue;
    const bool whole = (*this)[next].kind == Kind::Repeat;  // all texts, again
    Letters after = letters(rest, next, call);
    if (none(after)) continue;
    if (whole) after = {plus(after.least, 1), plus(after.most, 1), after.end};
    result = either(result, after);
  }
  return result;
}

}  // namespace constrained
