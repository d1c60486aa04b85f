// Inclusion in all texts over an alphabet, read off terms: is every string of `t` one of (c|d|...)*?
//
// What is not known to be included counts as not included, so an answer only ever spares work. It
// is what makes the end of an assertion show: once "(?!.*//)" has seen its slashes, nothing of any
// text is left, and no search through the states of that text has to find it out.
#include <algorithm>

#include "terms.h"

namespace constrained {

// Whether a repetition has a fixed, small number of copies, as parts of a letter have.
bool is_short(const Term& repeat) {
  constexpr uint32_t kCopies = 8;
  return repeat.low == repeat.high && repeat.low <= kCopies;
}

// Whether `t` is made of bytes: one after the other, in unions, repeated a fixed number of times.
bool Store::is_letter(TermId t, Call& call) {
  Deeper guard(call);
  for (;; t = (*this)[t].b) {
    call.spend();
    const Term& term = (*this)[t];
    if (term.kind == Kind::Repeat) return is_short(term) && is_letter(term.a, call);
    if (term.kind == Kind::Alt) {
      if (const auto found = is_letter_.find(t); found != is_letter_.end()) return found->second;
      return is_letter_[t] =
                 std::all_of(term.parts, term.parts + term.b, [&](TermId p) { return is_letter(p, call); });
    }
    if (term.kind != Kind::Cat) return term.kind == Kind::Bytes;
    if (!is_letter(term.a, call)) return false;
  }
}

TermId Store::texts_in(TermId t, Call& call) {
  const auto texts = [&](TermId id) {
    const Term& term = (*this)[id];
    return term.kind == Kind::Repeat && term.low == 0 && term.high == kInfinite && is_letter(term.a, call);
  };
  const auto [found, fresh] = texts_in_.try_emplace(t, kNothing);
  if (!fresh) return found->second;
  const Term& term = (*this)[t];
  if (texts(t)) return found->second = t;
  if (term.kind == Kind::Alt)
    for (TermId i = 0; i < term.b; ++i)
      if (texts(term.parts[i])) return found->second = term.parts[i];
  return kNothing;
}

// Whether every string of `t` leads from `from`, which is `texts` or what is left of it inside a
// letter, to a string of `texts`.
bool Store::is_text(TermId t, TermId from, TermId texts, Call& call) {
  Deeper guard(call);
  call.spend();
  const Term& term = (*this)[t];
  switch (term.kind) {
    case Kind::Nothing: return true;
    case Kind::Empty: return (*this)[from].nullable;
    case Kind::Bytes:
    case Kind::Alt:
    case Kind::Cat:
    case Kind::Repeat:
    case Kind::And:
    case Kind::Lexeme: break;
    default: return t == from;
  }
  if (t == from) return true;
  const auto [found, fresh] = is_text_.try_emplace((uint64_t{t} << 32) | from, false);
  if (!fresh) return found->second;
  const auto each = [&](const ByteSet& set, TermId rest) {
    const Partition* p = edges(from, call)->partition;
    bool seen[256] = {};
    for (unsigned b = 0; b < 256; ++b) {
      if (!set.has(b) || seen[p->class_of[b]]) continue;
      seen[p->class_of[b]] = true;
      const TermId next = step(from, static_cast<uint8_t>(b), call);
      if (next == kNothing || !is_text(rest, next, texts, call)) return false;
    }
    return true;
  };
  bool result = false;
  switch (term.kind) {
    case Kind::Bytes: result = each(sets_[term.a], kEmpty); break;
    case Kind::Alt:
      result = std::all_of(term.parts, term.parts + term.b,
                           [&](TermId p) { return is_text(p, from, texts, call); });
      break;
    case Kind::And:
      result = std::any_of(term.parts, term.parts + term.b,
                           [&](TermId p) { return is_text(p, from, texts, call); });
      break;
    case Kind::Repeat:
      if (is_short(term) && from != texts)
        result = is_text(cat(term.a, repeat(term.a, term.low - 1, term.low - 1, call), call), from, texts, call);
      else
        result = from == texts && is_text(term.a, texts, texts, call);
      break;
    case Kind::Lexeme: result = is_text(term.a, from, texts, call); break;
    case Kind::Cat: {
      const Term& head = (*this)[term.a];
      if (head.kind == Kind::Bytes) {
        result = each(sets_[head.a], term.b);
      } else if (head.kind == Kind::Alt && !(from == texts && is_text(term.a, texts, texts, call))) {
        result = std::all_of(head.parts, head.parts + head.b, [&](TermId p) {
          return is_text(cat(p, term.b, call), from, texts, call);
        });
      } else if (head.kind == Kind::Repeat && is_short(head) && from != texts) {
        const TermId others = repeat(head.a, head.low - 1, head.low - 1, call);
        result = is_text(cat(head.a, cat(others, term.b, call), call), from, texts, call);
      } else {
        result = from == texts && is_text(term.a, texts, texts, call) && is_text(term.b, texts, texts, call);
      }
      break;
    }
    default: break;
  }
  return is_text_[(uint64_t{t} << 32) | from] = result;
}

}  // namespace constrained
