// Marks: tokens such as <tool_call>, which only a format that writes their text may use.
//
// A format writes a byte itself where it allows few others in its place: in a fixed text, or in a
// choice of some. A mark is allowed where all of its bytes are written so, by one reading of the
// format; that another reading takes them for free text does not matter. What follows a mark is what
// follows its text.
#include <algorithm>

#include "walk.h"

namespace constrained {

namespace {

constexpr unsigned kFew = 16;  // bytes that may stand in one place of a fixed text

unsigned count(const ByteSet& set) {
  unsigned bytes = 0;
  for (uint64_t word : set.words) bytes += static_cast<unsigned>(__builtin_popcountll(word));
  return bytes;
}

}  // namespace

// Whether few bytes may follow at all.
bool Store::is_narrow(TermId t, Call& call) {
  const Partition* p = edges(t, call)->partition;
  unsigned live = 0;
  for (unsigned c = 0; c < p->classes && live <= kFew; ++c)
    if (step(t, p->first[c], call) != kNothing) live += p->size[c];
  return live <= kFew;
}

TermId Store::step_written(TermId t, uint8_t byte, Call& call) {
  const TermId next = step(t, byte, call);
  if (next == kNothing || is_narrow(t, call)) return next;
  std::lock_guard<std::recursive_mutex> lock(mutex);
  return derive_written(t, byte, call);
}

// As `derive`, with nothing from wide classes, and all that is no head of its own left as it is.
TermId Store::derive_written(TermId t, uint8_t byte, Call& call) {
  Deeper guard(call);
  call.spend();
  t = normal(t, call);
  const Term& term = (*this)[t];
  std::vector<TermId> options;
  switch (term.kind) {
    case Kind::Nothing:
    case Kind::Empty:
    case Kind::Not:
      return kNothing;
    case Kind::Bytes:
      return sets_[term.a].has(byte) && count(sets_[term.a]) <= kFew ? kEmpty : kNothing;
    case Kind::Cat:
      for (TermId rest = t;; rest = normal((*this)[rest].b, call)) {
        const Term& cell = (*this)[rest];
        if (cell.kind != Kind::Cat) {
          options.push_back(derive_written(rest, byte, call));
          break;
        }
        options.push_back(cat(derive_written(cell.a, byte, call), cell.b, call));
        if (!(*this)[cell.a].nullable) break;
        call.spend();
      }
      return alt(std::move(options), call);
    case Kind::Alt:
      for (TermId i = 0; i < term.b; ++i) options.push_back(derive_written(term.parts[i], byte, call));
      return alt(std::move(options), call);
    case Kind::Repeat: {
      const TermId next = derive_written(term.a, byte, call);
      const uint32_t low = term.low ? term.low - 1 : 0, high = term.high == kInfinite ? kInfinite : term.high - 1;
      return next == kNothing ? kNothing : cat(next, repeat(term.a, low, high, call), call);
    }
    case Kind::Call:
      return inside_rule(term.a, [&](TermId body) { return derive_written(body, byte, call); }, call);
    case Kind::And:
      for (TermId i = 0; i < term.b; ++i) {  // one part writes it, and the others allow it
        std::vector<TermId> parts;
        for (TermId k = 0; k < term.b; ++k)
          parts.push_back(k == i ? derive_written(term.parts[k], byte, call) : step(normal(term.parts[k], call), byte, call));
        if (std::find(parts.begin(), parts.end(), kNothing) == parts.end())
          options.push_back(pruned(conjunction(std::move(parts), call), call));
      }
      return alt(std::move(options), call);
    case Kind::Lexeme:
      return derive_written(term.a, byte, call);
    case Kind::Substrings:
      return kNothing;  // of many bytes: no mark
  }
  return kNothing;
}

bool Masks::writes(TermId state, std::string_view text, Call& call) {
  for (char byte : text) {
    state = store.step_written(state, static_cast<uint8_t>(byte), call);
    if (state == kNothing) return false;
  }
  return true;
}

std::vector<uint32_t> Masks::marks(TermId state, Call& call) {
  std::vector<uint32_t> found;
  const Trie& trie = vocabulary_.marks();
  std::vector<std::pair<uint32_t, TermId>> pending{{0, state}};
  while (!pending.empty()) {
    const auto [at, t] = pending.back();
    pending.pop_back();
    const TrieNode& node = trie[at];
    found.insert(found.end(), trie.tokens(node), trie.tokens(node) + node.tokens);
    for (uint32_t child = node.children; child < node.children + node.degree; ++child) {
      const TermId next = store.step_written(t, trie.bytes()[child], call);
      if (next != kNothing) pending.push_back({child, next});
    }
  }
  return found;
}

}  // namespace constrained
