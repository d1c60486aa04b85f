// Constructors of terms: interning and simplification.
#include "terms.h"

#include <algorithm>
#include <tuple>

namespace constrained {

namespace {

uint64_t mix(uint64_t h, uint64_t v) {
  h ^= v + 0x9e3779b97f4a7c15ULL + (h << 6) + (h >> 2);
  return h * 0xff51afd7ed558ccdULL;
}

}  // namespace

Store::Store()
    : chunks_(new Term*[kMaxChunks]), table_(1 << 8) {
  Account account;
  account.bounds = unbounded();
  Call call(account);
  // Ids 0 and 1 are fixed; `kNothing` marks free places of the table, so it is not interned.
  chunks_[0] = new Term[1u << kChunkBits];
  chunk_count_ = 1;
  size_ = 2;
  at(kNothing).distance = kInfinite;
  Term& empty = at(kEmpty);
  empty.kind = Kind::Empty;
  empty.nullable = true;
  empty.distance = 0;
  everything_ = intern(Kind::Repeat, bytes(ByteSet::all(), call), 0, 0, kInfinite, nullptr, 0, true, call);
}

Store::~Store() {
  for (size_t i = 0; i < chunk_count_; ++i) delete[] chunks_[i];
}

TermId Store::intern(Kind kind, TermId a, TermId b, uint32_t low, uint32_t high, const TermId* parts,
                     size_t count, bool nullable, Call& call) {
  uint64_t h = mix(mix(mix(mix(static_cast<uint64_t>(kind), a), b), low), high);
  for (size_t i = 0; i < count; ++i) h = mix(h, parts[i]);
  h ^= h >> 32;  // the table looks at the low bits
  call.spend(1 + count / 8);
  size_t mask = table_.size() - 1;
  for (size_t i = h & mask;; i = (i + 1) & mask) {
    const TermId id = table_[i].term;
    if (id == kNothing) break;
    if (table_[i].tag != static_cast<uint32_t>(h >> 32)) continue;
    const Term& t = (*this)[id];
    if (t.hash == h && t.kind == kind && t.a == a && t.b == b && t.low == low && t.high == high &&
        (count == 0 || std::equal(parts, parts + count, t.parts)))
      return id;
  }
  if (++call.terms > call.account.bounds.terms) throw CoreError("max_terms", "the grammar needs too many states");
  call.account.terms.fetch_add(1);
  if ((size_ >> kChunkBits) >= kMaxChunks) throw CoreError("max_terms", "the term store is full");
  if ((size_ >> kChunkBits) == chunk_count_) {
    chunks_[chunk_count_] = new Term[1u << kChunkBits];
    ++chunk_count_;
    memory_ += sizeof(Term) << kChunkBits;
  }
  TermId id = static_cast<TermId>(size_);
  Term& t = at(id);
  t.kind = kind;
  t.nullable = nullable;
  t.a = a;
  t.b = b;
  t.low = low;
  t.high = high;
  t.hash = h;
  if (count) {
    lists_.emplace_back(new TermId[count]);
    std::copy(parts, parts + count, lists_.back().get());
    t.parts = lists_.back().get();
    memory_ += count * sizeof(TermId) + 16;
    call.spend(count / 8);
  }
  ++size_;
  if (size_ * 2 > table_.size()) {
    grow_table();
  } else {
    size_t i = h & mask;
    while (table_[i].term != kNothing) i = (i + 1) & mask;
    table_[i] = {id, static_cast<uint32_t>(h >> 32)};
  }
  return id;
}

void Store::grow_table() {
  std::vector<Slot> bigger(table_.size() * 4);
  size_t mask = bigger.size() - 1;
  for (TermId id = 2; id < size_; ++id) {
    const uint64_t h = (*this)[id].hash;
    size_t i = h & mask;
    while (bigger[i].term != kNothing) i = (i + 1) & mask;
    bigger[i] = {id, static_cast<uint32_t>(h >> 32)};
  }
  memory_ += (bigger.size() - table_.size()) * sizeof(Slot);
  table_.swap(bigger);
}

TermId Store::bytes(const ByteSet& set, Call& call) {
  if (set.empty()) return kNothing;
  std::string key(reinterpret_cast<const char*>(set.words.data()), 32);
  auto [it, fresh] = set_ids_.try_emplace(key, static_cast<uint32_t>(sets_.size()));
  if (fresh) sets_.push_back(set);
  return intern(Kind::Bytes, it->second, 0, 0, 0, nullptr, 0, false, call);
}

TermId Store::byte(uint8_t value, Call& call) {
  TermId& known = single_[value];
  if (known == kNothing) {
    ByteSet set;
    set.add(value, value);
    known = bytes(set, call);
  }
  return known;
}

TermId Store::text(std::string_view bytes, TermId rest, Call& call) {
  for (size_t i = bytes.size(); i-- > 0;) rest = raw_cat(byte(static_cast<uint8_t>(bytes[i]), call), rest, call);
  return rest;
}

TermId Store::raw_cat(TermId a, TermId b, Call& call) {
  if (a == kEmpty) return b;
  if (b == kEmpty) return a;
  bool nullable = (*this)[a].nullable && (*this)[b].nullable;
  return intern(Kind::Cat, a, b, 0, 0, nullptr, 0, nullable, call);
}

TermId Store::cat(TermId a, TermId b, Call& call) {
  if (a == kNothing || b == kNothing) return kNothing;
  if (a == kEmpty) return normal(b, call);
  // (x y) b becomes x (y b): one rotation now, the rest when it is reached.
  while ((*this)[a].kind == Kind::Cat) {
    const Term& t = (*this)[a];
    b = raw_cat(t.b, b, call);
    a = t.a;
  }
  return raw_cat(a, b, call);
}

TermId Store::normal(TermId t, Call& call) {
  const Term& term = (*this)[t];
  if (term.kind != Kind::Cat || (*this)[term.a].kind != Kind::Cat) return t;
  return cat(term.a, term.b, call);
}

TermId Store::repeat(TermId body, uint32_t low, uint32_t high, Call& call) {
  if (high == 0 || body == kEmpty) return kEmpty;
  if (body == kNothing) return low == 0 ? kEmpty : kNothing;
  const Term* t = &(*this)[body];
  if (t->nullable) low = 0;
  // (x{0|1,m}){c,d} = x{0|c, m*d}: the counts reached are contiguous.
  if (t->kind == Kind::Repeat && t->low <= 1) {
    const bool endless = t->high == kInfinite || high == kInfinite;
    const uint64_t most = endless ? kInfinite : uint64_t{t->high} * high;
    if (endless || most < kUnknown)
      return repeat(t->a, t->low == 0 ? 0 : low, static_cast<uint32_t>(most), call);
  }
  if (low == 1 && high == 1) return body;
  return intern(Kind::Repeat, body, 0, low, high, nullptr, 0, low == 0, call);
}

TermId Store::call_rule(uint32_t rule, Call& call) {
  return intern(Kind::Call, rule, 0, 0, 0, nullptr, 0, rules[rule].nullable, call);
}

// x{1,3} r | x{2,9} r becomes x{1,9} r: keeps overlapping counters from multiplying.
void Store::merge_repeats(std::vector<TermId>& parts, Call& call) {
  struct Counter {
    TermId body, rest;
    uint32_t low, high;
    size_t at;
  };
  std::vector<Counter> counters;
  for (size_t i = 0; i < parts.size(); ++i) {
    const Term& t = (*this)[parts[i]];
    const bool is_cat = t.kind == Kind::Cat;
    const Term& head = is_cat ? (*this)[t.a] : t;
    if (head.kind == Kind::Repeat)
      counters.push_back({head.a, is_cat ? t.b : kEmpty, head.low, head.high, i});
  }
  if (counters.size() < 2) return;
  std::sort(counters.begin(), counters.end(), [](const Counter& x, const Counter& y) {
    return std::tie(x.body, x.rest, x.low, x.high) < std::tie(y.body, y.rest, y.low, y.high);
  });
  for (size_t i = 0; i + 1 < counters.size(); ++i) {
    Counter &x = counters[i], &y = counters[i + 1];
    if (x.body != y.body || x.rest != y.rest) continue;
    if (x.high != kInfinite && y.low > x.high + 1) continue;
    y.low = x.low;
    y.high = std::max(x.high, y.high);
    parts[x.at] = kNothing;
    parts[y.at] = cat(repeat(y.body, y.low, y.high, call), y.rest, call);
  }
}

// x r | x s becomes x (r | s), so that the members of an object wait behind one comma and one space
// as one state. Counters keep their own rests, or those of one rest could not be merged.
void Store::share_heads(std::vector<TermId>& parts, Call& call) {
  std::vector<std::pair<TermId, size_t>> heads;  // (head, index), of those that may share it
  for (size_t i = 0; i < parts.size(); ++i) {
    const Term& t = (*this)[parts[i]];
    if (t.kind != Kind::Cat) continue;
    const Kind head = (*this)[t.a].kind;
    if (head != Kind::Repeat && head != Kind::Cat) heads.push_back({t.a, i});
  }
  if (heads.size() < 2) return;
  std::sort(heads.begin(), heads.end());
  for (size_t i = 0, j; i < heads.size(); i = j) {
    for (j = i + 1; j < heads.size() && heads[j].first == heads[i].first;) ++j;
    if (j == i + 1) continue;
    std::vector<TermId> rests;
    for (size_t k = i; k < j; ++k) {
      TermId& part = parts[heads[k].second];
      rests.push_back((*this)[part].b);
      part = kNothing;
    }
    parts[heads[i].second] = cat(heads[i].first, alt(std::move(rests), call, false), call);
  }
}

TermId Store::alt(std::vector<TermId> parts, Call& call, bool sharing) {
  std::vector<TermId> flat;
  flat.reserve(parts.size());
  ByteSet set;
  for (TermId p : parts) {
    const Term& t = (*this)[p];
    if (t.kind == Kind::Alt)
      flat.insert(flat.end(), t.parts, t.parts + t.b);
    else if (p != kNothing)
      flat.push_back(p);
  }
  call.spend(1 + flat.size() / 4);
  if (flat.size() > 1) merge_repeats(flat, call);
  if (flat.size() > 1 && sharing) share_heads(flat, call);
  bool empty = false, nullable = false;
  size_t kept = 0;
  for (TermId p : flat) {
    const Term& t = (*this)[p];
    if (p == everything_) return p;
    if (t.kind == Kind::Bytes)
      set = set | sets_[t.a];
    else if (p == kEmpty)
      empty = true;
    else if (p != kNothing) {
      nullable |= t.nullable;
      flat[kept++] = p;
    }
  }
  flat.resize(kept);
  if (!set.empty()) flat.push_back(bytes(set, call));
  if (empty && !nullable) flat.push_back(kEmpty);
  std::sort(flat.begin(), flat.end());
  flat.erase(std::unique(flat.begin(), flat.end()), flat.end());
  if (flat.empty()) return kNothing;
  if (flat.size() == 1) return flat[0];
  return intern(Kind::Alt, 0, static_cast<TermId>(flat.size()), 0, 0, flat.data(), flat.size(),
                empty || nullable, call);
}

TermId Store::conjunction(std::vector<TermId> parts, Call& call) {
  std::vector<TermId> flat;
  ByteSet set = ByteSet::all();
  bool has_set = false, nullable = true, has_empty = false;
  for (size_t i = 0; i < parts.size(); ++i) {
    TermId p = parts[i];
    const Term& t = (*this)[p];
    if (p == kNothing) return kNothing;
    if (t.kind == Kind::And) {
      parts.insert(parts.end(), t.parts, t.parts + t.b);
      continue;
    }
    if (p == everything_) continue;
    nullable &= t.nullable;
    if (t.kind == Kind::Bytes) {
      set = set & sets_[t.a];
      has_set = true;
    } else if (p == kEmpty) {
      has_empty = true;
    } else {
      flat.push_back(p);
    }
  }
  call.spend(1 + flat.size() / 4);
  if (has_empty) return nullable ? kEmpty : kNothing;
  if (has_set) {
    TermId b = bytes(set, call);
    if (b == kNothing) return kNothing;
    flat.push_back(b);
  }
  std::sort(flat.begin(), flat.end());
  flat.erase(std::unique(flat.begin(), flat.end()), flat.end());
  for (TermId p : flat) {
    const Term& t = (*this)[p];
    if (t.kind == Kind::Not && std::binary_search(flat.begin(), flat.end(), t.a)) return kNothing;
  }
  // Beside texts over an alphabet, all of them say nothing, and their complement leaves nothing.
  for (size_t i = 0; i < flat.size() && flat.size() > 1;) {
    const Term& t = (*this)[flat[i]];
    const TermId texts = texts_in(t.kind == Kind::Not ? t.a : flat[i], call);
    const bool beside = texts != kNothing && std::any_of(flat.begin(), flat.end(), [&](TermId p) {
      return p != flat[i] && (*this)[p].kind != Kind::Not && is_text(p, texts, call);
    });
    if (beside && t.kind == Kind::Not) return kNothing;
    if (beside) flat.erase(flat.begin() + static_cast<std::ptrdiff_t>(i));
    else ++i;
  }
  if (flat.empty()) return everything_;
  if (flat.size() == 1) return flat[0];
  return intern(Kind::And, 0, static_cast<TermId>(flat.size()), 0, 0, flat.data(), flat.size(), nullable,
                call);
}

TermId Store::negation(TermId body, Call& call) {
  const Term& t = (*this)[body];
  if (t.kind == Kind::Not) return t.a;
  if (body == kNothing) return everything_;
  if (body == everything_) return kNothing;
  return intern(Kind::Not, body, 0, 0, 0, nullptr, 0, !t.nullable, call);
}

TermId Store::lexeme(TermId body, Call& call) {
  const Term& t = (*this)[body];
  if (body <= kEmpty || t.kind == Kind::Lexeme) return body;
  return intern(Kind::Lexeme, body, 0, 0, 0, nullptr, 0, t.nullable, call);
}

TermId Store::substrings(std::string_view text, const std::vector<uint32_t>& cuts, Call& call) {
  const auto [known, fresh] = substrings_ids_.try_emplace({std::string(text), cuts}, kNothing);
  if (!fresh) return known->second;
  call.spend(text.size() / 16);
  substrings_.emplace_back(text, cuts);
  memory_ += substrings_.back().memory() + text.size() + cuts.size() * sizeof(uint32_t);
  return known->second = occurrences(static_cast<TermId>(substrings_.size() - 1), substrings_.back().start(), call);
}

// Each knows its distance: a search among the states that follow would meet most of the text.
TermId Store::occurrences(TermId text, const Occurrences& found, Call& call) {
  const Substrings& all = substrings_[text];
  if (found.none()) return kNothing;
  if (all.must_end(found)) return kEmpty;
  const size_t known = size_;
  const TermId id = intern(Kind::Substrings, text, found.begin, found.end, found.depth, nullptr, 0, all.may_end(found), call);
  if (id >= known) at(id).distance.store(all.distance(found), std::memory_order_relaxed);
  return id;
}

TermId Store::chars(const std::vector<std::pair<uint32_t, uint32_t>>& ranges, Call& call) {
  auto found = chars_.find(ranges);
  if (found != chars_.end()) return found->second;
  std::vector<TermId> options;
  auto sequence = [&](const std::vector<std::pair<unsigned, unsigned>>& levels) {
    TermId t = kEmpty;
    for (size_t i = levels.size(); i-- > 0;) {
      ByteSet set;
      set.add(levels[i].first, levels[i].second);
      t = cat(bytes(set, call), t, call);
    }
    options.push_back(t);
  };
  // Splits a code point range until every byte position is an independent byte range.
  struct Piece {
    uint32_t low, high;
  };
  static const uint32_t kLast[] = {0x7F, 0x7FF, 0xFFFF, 0x10FFFF};
  for (auto [range_low, range_high] : ranges) {
    std::vector<Piece> todo{{range_low, range_high}};
    while (!todo.empty()) {
      auto [low, high] = todo.back();
      todo.pop_back();
      call.spend();
      bool split = false;
      for (uint32_t last : kLast)
        if (low <= last && high > last) {
          todo.push_back({low, last});
          todo.push_back({last + 1, high});
          split = true;
          break;
        }
      if (split) continue;
      unsigned length = low <= 0x7F ? 1 : low <= 0x7FF ? 2 : low <= 0xFFFF ? 3 : 4;
      for (unsigned i = 1; i < length && !split; ++i) {
        uint32_t tail = (1u << (6 * i)) - 1;
        if ((low & ~tail) == (high & ~tail)) continue;
        if (low & tail) {
          todo.push_back({low, low | tail});
          todo.push_back({(low | tail) + 1, high});
          split = true;
        } else if ((high & tail) != tail) {
          todo.push_back({low, (high & ~tail) - 1});
          todo.push_back({high & ~tail, high});
          split = true;
        }
      }
      if (split) continue;
      static const unsigned kLead[] = {0, 0x00, 0xC0, 0xE0, 0xF0};
      std::vector<std::pair<unsigned, unsigned>> levels;
      for (unsigned i = 0; i < length; ++i) {
        unsigned shift = 6 * (length - 1 - i);
        unsigned lead = i == 0 ? kLead[length] : 0x80;
        unsigned bits = i == 0 ? 0xFF : 0x3F;
        levels.push_back({lead | ((low >> shift) & bits), lead | ((high >> shift) & bits)});
      }
      sequence(levels);
    }
  }
  TermId t = alt(std::move(options), call);
  chars_.emplace(ranges, t);
  return t;
}

TermId Store::strings(const std::vector<std::string>& sorted, Call& call) {
  return sorted.empty() ? kNothing : strings_below(sorted, 0, sorted.size(), 0, call);
}

TermId Store::strings_below(const std::vector<std::string>& sorted, size_t begin, size_t end,
                            size_t depth, Call& call) {
  Deeper guard(call);
  // The shared prefix of the group is a chain; only branching recurses.
  const std::string &first = sorted[begin], &last = sorted[end - 1];
  size_t common = depth;
  while (common < first.size() && common < last.size() && first[common] == last[common]) ++common;
  TermId t;
  if (end - begin == 1) {
    t = kEmpty;
  } else {
    std::vector<TermId> options;
    size_t i = begin;
    if (first.size() == common) {
      options.push_back(kEmpty);
      ++i;
    }
    while (i < end) {
      const uint8_t next = static_cast<uint8_t>(sorted[i][common]);
      size_t j = i + 1;
      while (j < end && static_cast<uint8_t>(sorted[j][common]) == next) ++j;
      const TermId head = byte(next, call);
      options.push_back(cat(head, strings_below(sorted, i, j, common + 1, call), call));
      i = j;
    }
    t = alt(std::move(options), call);
  }
  return text(std::string_view(first).substr(depth, common - depth), t, call);
}

}  // namespace constrained
