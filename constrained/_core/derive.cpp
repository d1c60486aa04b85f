// Derivatives: what may follow after one more byte.
//
// Brzozowski, "Derivatives of Regular Expressions", J. ACM 11(4), 1964, on the terms of terms.h and
// modulo their simplifications. Bytes that a term cannot tell apart share one derivative, so a
// state costs a handful of them, not 256.
#include <algorithm>
#include <queue>

#include "terms.h"

namespace constrained {

namespace {

// Favoured bytes first: shortest completions then read like text ("a", "0") where they may.
const std::array<uint8_t, 256>& ranks() {
  static const std::array<uint8_t, 256> table = [] {
    std::array<uint8_t, 256> rank{};
    std::array<bool, 256> seen{};
    unsigned next = 0;
    auto give = [&](unsigned b) {
      if (!seen[b]) {
        seen[b] = true;
        rank[b] = static_cast<uint8_t>(next++);
      }
    };
    for (unsigned b = 'a'; b <= 'z'; ++b) give(b);
    for (unsigned b = '0'; b <= '9'; ++b) give(b);
    for (unsigned b = 'A'; b <= 'Z'; ++b) give(b);
    for (unsigned b = 0x21; b <= 0x7E; ++b) give(b);
    give(' ');
    for (unsigned b = 0; b <= 0xFF; ++b) give(b);
    return rank;
  }();
  return table;
}

}  // namespace

const Partition* Store::intern_partition(const Partition& p) {
  std::string key(reinterpret_cast<const char*>(p.class_of.data()), 256);
  auto [it, fresh] = partition_ids_.try_emplace(std::move(key), nullptr);
  if (!fresh) return it->second;
  partitions_.push_back(p);
  Partition& q = partitions_.back();
  const auto& rank = ranks();
  q.size.fill(0);
  for (unsigned b = 256; b-- > 0;) {
    unsigned c = q.class_of[b];
    if (q.size[c]++ == 0 || rank[b] < rank[q.favourite[c]]) q.favourite[c] = static_cast<uint8_t>(b);
    q.first[c] = static_cast<uint8_t>(b);
  }
  for (unsigned c = 0; c < q.classes; ++c) q.by_rank[c] = static_cast<uint8_t>(c);
  std::sort(q.by_rank.begin(), q.by_rank.begin() + q.classes,
            [&](uint8_t x, uint8_t y) { return rank[q.favourite[x]] < rank[q.favourite[y]]; });
  memory_ += sizeof(Partition) + 320;
  return it->second = &q;
}

const Partition* Store::meet(const Partition* p, const Partition* q) {
  if (p == q || q->classes == 1) return p;
  if (p->classes == 1) return q;
  if (q < p) std::swap(p, q);
  auto [it, fresh] = meets_.try_emplace({p, q}, nullptr);
  if (fresh) {
    std::vector<const Partition*> both{p, q};
    it->second = meet_all(both);
  }
  return it->second;
}

// The coarsest common refinement, by refining one 256-entry map with each distinct partition.
const Partition* Store::meet_all(std::vector<const Partition*>& all) {
  std::sort(all.begin(), all.end());
  all.erase(std::unique(all.begin(), all.end()), all.end());
  Partition acc;
  for (const Partition* p : all) {
    if (p->classes == 1) continue;
    std::array<int16_t, 256> head;  // newest refined class of each old class, in chains by p's class
    head.fill(-1);
    std::array<uint8_t, 256> of_p{}, refined{};
    std::array<int16_t, 256> chain;
    uint16_t classes = 0;
    for (unsigned b = 0; b < 256; ++b) {
      int16_t r = head[acc.class_of[b]];
      while (r >= 0 && of_p[r] != p->class_of[b]) r = chain[r];
      if (r < 0) {
        r = static_cast<int16_t>(classes++);
        of_p[r] = p->class_of[b];
        chain[r] = head[acc.class_of[b]];
        head[acc.class_of[b]] = r;
      }
      refined[b] = static_cast<uint8_t>(r);
    }
    acc.class_of = refined;
    acc.classes = classes;
    if (classes == 256) break;
  }
  return intern_partition(acc);
}

// A class for each of the bytes, which are in order, and one for all others.
const Partition* Store::partition_of_each(const std::vector<uint8_t>& bytes) {
  Partition p;
  constexpr uint16_t kNone = 256;
  uint16_t others = kNone, classes = 0;
  size_t k = 0;
  for (unsigned b = 0; b < 256; ++b) {
    const bool own = k < bytes.size() && bytes[k] == b;
    if (!own && others == kNone) others = classes++;
    p.class_of[b] = static_cast<uint8_t>(own ? classes++ : others);
    k += own;
  }
  p.classes = classes;
  return intern_partition(p);
}

const Partition* Store::partition_of_set(uint32_t id) {
  if (set_partitions_.size() <= id) set_partitions_.resize(sets_.size(), nullptr);
  const Partition*& known = set_partitions_[id];
  if (!known) {
    const ByteSet& set = sets_[id];
    Partition p;
    const bool zero = set.has(0);
    for (unsigned b = 0; b < 256; ++b) {
      p.class_of[b] = set.has(b) != zero;
      if (p.class_of[b]) p.classes = 2;
    }
    known = intern_partition(p);
  }
  return known;
}

// A part is stepped through edges of its own, unless it begins with plain bytes (`derive_part`).
const Partition* Store::partition_of_part(TermId t, Call& call) {
  const Term& term = (*this)[t];
  if (term.kind == Kind::Bytes) return partition_of_set(term.a);
  if (term.kind == Kind::Cat && (*this)[term.a].kind == Kind::Bytes)
    return partition_of_set((*this)[term.a].a);
  return edges(t, call)->partition;
}

const Partition* Store::partition_of(TermId t, Call& call) {
  if (const Term& term = (*this)[t]; term.kind == Kind::Cat && (*this)[term.a].kind == Kind::Bytes)
    return partition_of_set((*this)[term.a].a);
  Deeper guard(call);
  std::vector<const Partition*> all;
  for (bool more = true; more;) {
    more = false;
    t = normal(t, call);
    call.spend();
    const Term& term = (*this)[t];
    if (const Edges* e = term.edges.load(std::memory_order_acquire)) {
      all.push_back(e->partition);
      break;
    }
    switch (term.kind) {
      case Kind::Nothing:
      case Kind::Empty:
        break;  // one class
      case Kind::Bytes:
        all.push_back(partition_of_set(term.a));
        break;
      case Kind::Cat:
        all.push_back(partition_of_part(term.a, call));
        more = (*this)[term.a].nullable;
        t = term.b;
        break;
      case Kind::Alt:
      case Kind::And:
        for (TermId i = 0; i < term.b; ++i)
          all.push_back(partition_of_part(normal(term.parts[i], call), call));
        break;
      case Kind::Repeat:
      case Kind::Not:
      case Kind::Lexeme:
        all.push_back(partition_of_part(normal(term.a, call), call));
        break;
      case Kind::Call:
        all.push_back(inside_rule(term.a, [&](TermId body) { return edges(body, call)->partition; }, call));
        break;
      case Kind::Substrings: {
        const std::vector<uint8_t> next = substrings_of(term).next(occurrences(term));
        all.push_back(next.size() == 1 ? partition_of_set((*this)[byte(next[0], call)].a) : partition_of_each(next));
        break;
      }
    }
  }
  if (all.size() == 1) return all[0];
  if (all.size() == 2) return meet(all[0], all[1]);
  return meet_all(all);
}

const Edges* Store::edges(TermId t, Call& call) {
  if (const Edges* e = (*this)[t].edges.load(std::memory_order_acquire)) return e;
  std::lock_guard<std::recursive_mutex> lock(mutex);
  if (const Edges* e = (*this)[t].edges.load(std::memory_order_acquire)) return e;
  const Partition* p = partition_of(t, call);
  if (targets_left_ < p->classes) {
    targets_left_ = kTargets;
    targets_.emplace_back(new std::atomic<TermId>[kTargets]);
    memory_ += kTargets * sizeof(TermId);
  }
  std::atomic<TermId>* next = targets_.back().get() + (kTargets - targets_left_);
  targets_left_ -= p->classes;
  for (unsigned c = 0; c < p->classes; ++c) next[c].store(Edges::kUnset, std::memory_order_relaxed);
  edge_pool_.push_back({p, next});
  memory_ += sizeof(Edges);
  at(t).edges.store(&edge_pool_.back(), std::memory_order_release);
  return &edge_pool_.back();
}

TermId Store::step_slow(TermId t, uint8_t byte, Call& call) {
  std::lock_guard<std::recursive_mutex> lock(mutex);
  const Edges* e = edges(t, call);
  std::atomic<TermId>& slot = e->next[e->partition->class_of[byte]];
  TermId next = slot.load(std::memory_order_acquire);
  if (next == Edges::kUnset) {
    next = derive(t, byte, call);
    slot.store(next, std::memory_order_release);
  }
  return next;
}

// A part's derivative, memoised where the part has edges already; parts of wide unions are often
// visited once, and then a table of their own would cost more than it saves.
TermId Store::derive_part(TermId t, uint8_t byte, Call& call) {
  const Term& term = (*this)[t];
  if (term.kind == Kind::Bytes) return sets_[term.a].has(byte) ? kEmpty : kNothing;
  if (term.kind == Kind::Cat && (*this)[term.a].kind == Kind::Bytes)
    return sets_[(*this)[term.a].a].has(byte) ? normal(term.b, call) : kNothing;
  return step(t, byte, call);
}

TermId Store::derive(TermId t, uint8_t byte, Call& call) {
  Deeper guard(call);
  call.spend();
  const Term& term = (*this)[t];
  switch (term.kind) {
    case Kind::Nothing:
    case Kind::Empty:
      return kNothing;
    case Kind::Bytes:
      return sets_[term.a].has(byte) ? kEmpty : kNothing;
    case Kind::Cat: {
      // Along the spine while heads are nullable: a loop, because such chains (optional object
      // members) are long.
      std::vector<TermId> options;
      TermId rest = normal(t, call);
      for (;;) {
        const Term& cell = (*this)[rest];
        if (cell.kind != Kind::Cat) {
          options.push_back(derive_part(rest, byte, call));
          break;
        }
        TermId tail = cell.b;
        bool nullable = (*this)[cell.a].nullable;
        options.push_back(cat(derive_part(cell.a, byte, call), tail, call));
        if (!nullable) break;
        call.spend();
        rest = normal(tail, call);
        if ((*this)[rest].edges.load(std::memory_order_acquire)) {
          options.push_back(step(rest, byte, call));
          break;
        }
      }
      return options.size() == 1 ? options[0] : alt(std::move(options), call);
    }
    case Kind::Alt: {
      std::vector<TermId> options;
      for (TermId i = 0; i < term.b; ++i) {
        TermId d = derive_part(normal(term.parts[i], call), byte, call);
        if (d != kNothing) options.push_back(d);
      }
      call.spend(term.b / 4);
      return alt(std::move(options), call);
    }
    case Kind::Repeat: {
      uint32_t low = term.low ? term.low - 1 : 0;
      uint32_t high = term.high == kInfinite ? kInfinite : term.high - 1;
      TermId body = term.a;
      TermId d = derive_part(normal(body, call), byte, call);
      return d == kNothing ? kNothing : cat(d, repeat(body, low, high, call), call);
    }
    case Kind::Call:
      return inside_rule(term.a, [&](TermId body) { return step(body, byte, call); }, call);
    case Kind::And: {
      std::vector<TermId> parts;
      for (TermId i = 0; i < term.b; ++i) {
        parts.push_back(derive_part(normal(term.parts[i], call), byte, call));
        if (parts.back() == kNothing) return kNothing;
      }
      return pruned(conjunction(std::move(parts), call), call);
    }
    case Kind::Not:
      return pruned(negation(derive_part(normal(term.a, call), byte, call), call), call);
    case Kind::Lexeme:
      return lexeme(derive_part(normal(term.a, call), byte, call), call);
    case Kind::Substrings:
      return occurrences(term.a, substrings_[term.a].after(occurrences(term), byte), call);
  }
  return kNothing;
}

// Emptiness of And and Not: a search for a nullable derivative. Everything else is productive by
// the invariant of terms.h.
bool Store::is_productive(TermId t, Call& call) {
  auto open = [&](TermId id) {
    const Term& x = (*this)[id];
    return (x.kind == Kind::And || x.kind == Kind::Not) && !x.nullable && x.productive == 0;
  };
  auto known = [&](TermId id) {
    const Term& x = (*this)[id];
    if (x.kind != Kind::And && x.kind != Kind::Not) return id != kNothing;
    return x.nullable || x.productive == 1;
  };
  if (!open(t)) return known(t);

  struct Open {
    uint32_t least;  // bytes to a nullable derivative
    TermId term;
    unsigned tried;  // classes of bytes that were followed before
    bool operator<(const Open& other) const { return least > other.least; }
  };
  // The nearest first, as far as bounds tell: a search in depth would unfold counters.
  std::priority_queue<Open> frontier;
  std::unordered_map<TermId, TermId> from{{t, t}};
  if (const uint32_t least = lower_bound(t, call); least != kInfinite) frontier.push({least, t, 0});
  while (!frontier.empty()) {
    const auto [least, here, tried] = frontier.top();
    frontier.pop();
    const Partition* partition = edges(here, call)->partition;
    for (unsigned c = tried; c < partition->classes; ++c) {
      const uint8_t byte = partition->first[c];
      call.spend();
      // The successor before pruning, so that the search does not call itself.
      const Term& term = (*this)[here];
      TermId next;
      if (term.kind == Kind::And) {
        std::vector<TermId> parts;
        for (TermId i = 0; i < term.b; ++i) parts.push_back(step(normal(term.parts[i], call), byte, call));
        next = conjunction(std::move(parts), call);
      } else {
        next = negation(step(normal(term.a, call), byte, call), call);
      }
      if (known(next)) {
        for (TermId way = here;; way = from[way]) {
          at(way).productive = 1;
          if (way == t) return true;
        }
      }
      if (!open(next) || !from.emplace(next, here).second) continue;
      const uint32_t left = lower_bound(next, call);
      if (left == kInfinite) continue;
      frontier.push({left, next, 0});
      if (left >= least) continue;
      frontier.push({least, here, c + 1});  // its other classes can wait for those of the nearer one
      break;
    }
  }
  for (const auto& [id, _] : from) at(id).productive = 2;
  return false;
}

}  // namespace constrained
