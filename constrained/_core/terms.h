// Terms: hash-consed expressions over bytes. A term is a state of the engine: it denotes the set
// of byte strings that may still follow.
//
//   Nothing             the empty set (id 0)
//   Empty               the empty string (id 1)
//   Bytes(set)          one byte
//   Cat(a, b)           a then b; b is "the rest", so recursion needs no stack beside the term
//   Alt(parts)          union; sorted, flat, without duplicates
//   Repeat(a, lo, hi)   lo to hi copies of a; a counter, never unrolled
//   Call(rule)          the body of a rule; the only way to be recursive
//   And(parts), Not(a)  intersection and complement of regular terms
//   Lexeme(a)           the same set as a; a mark that lets masks be shared (see masks.h)
//   Substrings(t, o)    what is left of the pieces of a text that have begun so (substrings.h)
//
// The constructors simplify, so that terms of the same set are mostly the same term, and keep one
// invariant that everything rests on: no term but `Nothing` is empty. Emptiness that only shows
// later (And, Not) is decided when the term is made (`derive.cpp`).
//
// Threads: terms never move and never change once published; a memoised transition is read
// without a lock. Whatever creates terms holds `Store::mutex`.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "byteset.h"
#include "substrings.h"

namespace constrained {

using TermId = uint32_t;
constexpr TermId kNothing = 0, kEmpty = 1;
constexpr uint32_t kInfinite = UINT32_MAX;  // no upper bound; no finite distance
constexpr uint32_t kUnknown = UINT32_MAX - 1;

enum class Kind : uint8_t { Nothing, Empty, Bytes, Cat, Alt, Repeat, Call, And, Not, Lexeme, Substrings };

// The one error that leaves the core. `limit` is the name of a field of Limits, or empty for a
// grammar that cannot be run (then `message` says why).
struct CoreError : std::runtime_error {
  std::string limit;
  CoreError(std::string limit_name, const std::string& message)
      : std::runtime_error(message), limit(std::move(limit_name)) {}
};

struct Bounds {
  uint64_t terms, steps, nodes;
  uint32_t depth;
  uint64_t mask_bytes;
};

// For the library's own terms, which no user chose.
inline Bounds unbounded() { return {UINT64_MAX, UINT64_MAX, UINT64_MAX, 100'000, UINT64_MAX}; }

// The bounds of one engine, and how many terms it has made so far.
struct Account {
  Bounds bounds;
  std::atomic<uint64_t> terms{0};
};

// What one call has used of the bounds: nothing is carried over to the next, so that an engine that has
// given many masks can still give more.
struct Call {
  Account& account;
  uint64_t steps = 0, terms = 0;
  uint32_t depth = 0;
  uint64_t most;  // steps
  explicit Call(Account& a) : account(a), most(a.bounds.steps) {}
  void spend(uint64_t n = 1) {
    if ((steps += n) > most) throw CoreError("max_steps", "too much work in one call");
  }
};

// Recursion guard: C++ stack depth is bounded by Limits, never by luck.
struct Deeper {
  Call& call;
  explicit Deeper(Call& c) : call(c) {
    if (++call.depth > call.account.bounds.depth) {
      --call.depth;
      throw CoreError("max_depth", "rules nest too deeply");
    }
  }
  ~Deeper() { --call.depth; }
};

// The outgoing transitions of a term: one target per class of bytes, filled when first asked for.
struct Edges {
  static constexpr TermId kUnset = UINT32_MAX;
  const Partition* partition;
  std::atomic<TermId>* next;
};

struct Term {
  Kind kind = Kind::Nothing;
  bool nullable = false;
  uint8_t productive = 0;  // And and Not only: 0 not known, 1 not empty, 2 empty
  TermId a = 0, b = 0;     // children; Bytes: a = set; Call: a = rule; Alt, And: b = count;
                         // Substrings: a = text; b, low, high = the occurrences
  uint32_t low = 0, high = 0;
  const TermId* parts = nullptr;  // Alt, And
  uint64_t hash = 0;
  std::atomic<uint32_t> distance{kUnknown};
  std::atomic<uint8_t> extent{0};  // 0: not asked yet; see Store::extent
  std::atomic<const Edges*> edges{nullptr};
};

bool is_short(const Term& repeat);  // inclusion.cpp

struct LaterRules;  // program.h

struct Rule {
  TermId body = kNothing;  // read it through Store::body
  bool nullable = false;
  bool open = false;  // being derived right now: meeting it again means left recursion
  uint32_t least = 0; // bytes that no text has fewer of, once asked for
  std::weak_ptr<LaterRules> later = {};  // where the body is fetched from, under this key
  int32_t key = -1;
};

class Store {
 public:
  Store();
  ~Store();
  Store(const Store&) = delete;
  Store& operator=(const Store&) = delete;

  std::recursive_mutex mutex;

  const Term& operator[](TermId id) const { return chunks_[id >> kChunkBits][id & kChunkMask]; }
  Term& at(TermId id) { return chunks_[id >> kChunkBits][id & kChunkMask]; }
  size_t size() const { return size_; }
  size_t memory() const { return memory_; }

  // Constructors (hold the mutex).
  TermId bytes(const ByteSet& set, Call& call);
  TermId byte(uint8_t value, Call& call);
  TermId text(std::string_view bytes, TermId rest, Call& call);  // exactly these bytes, then the rest
  TermId cat(TermId a, TermId b, Call& call);
  // `sharing`: equal heads of parts become one; left to the next derivative where parts are rests.
  TermId alt(std::vector<TermId> parts, Call& call, bool sharing = true);
  TermId repeat(TermId body, uint32_t low, uint32_t high, Call& call);
  TermId call_rule(uint32_t rule, Call& call);
  TermId conjunction(std::vector<TermId> parts, Call& call);
  TermId negation(TermId body, Call& call);
  TermId lexeme(TermId body, Call& call);
  TermId chars(const std::vector<std::pair<uint32_t, uint32_t>>& ranges, Call& call);
  TermId substrings(std::string_view text, const std::vector<uint32_t>& cuts, Call& call);
  // The smallest term for a sorted, distinct list of strings.
  TermId strings(const std::vector<std::string>& sorted, Call& call);

  // A Cat head-normal: its head is not a Cat. Rests are rotated only when they become states.
  TermId normal(TermId t, Call& call);
  const ByteSet& byte_set(const Term& t) const { return sets_[t.a]; }
  TermId everything() const { return everything_; }
  static Occurrences occurrences(const Term& t) { return {t.b, t.low, t.high}; }
  const Substrings& substrings_of(const Term& t) const { return substrings_[t.a]; }

  std::deque<Rule> rules;
  TermId body(uint32_t rule, Call& call);  // fetched first if need be (program.cpp)

  // derive.cpp
  const Edges* edges(TermId t, Call& call);
  TermId step_slow(TermId t, uint8_t byte, Call& call);
  TermId step(TermId t, uint8_t byte, Call& call) {
    const Edges* e = (*this)[t].edges.load(std::memory_order_acquire);
    if (e) {
      TermId next = e->next[e->partition->class_of[byte]].load(std::memory_order_acquire);
      if (next != Edges::kUnset) return next;
    }
    return step_slow(t, byte, call);
  }
  // After a byte that the format writes itself, rather than allow it among many (marks.cpp).
  TermId step_written(TermId t, uint8_t byte, Call& call);
  bool is_productive(TermId t, Call& call);
  TermId pruned(TermId t, Call& call) { return is_productive(t, call) ? t : kNothing; }

  // inclusion.cpp
  // All texts over an alphabet, (c|d|...)*, that are a term or an option of it; kNothing: none.
  TermId texts_in(TermId t, Call& call);
  // Whether every string of `t` is one of these texts, as far as the term shows it.
  bool is_text(TermId t, TermId texts, Call& call) { return is_text(t, texts, texts, call); }

  // letters.cpp
  struct Letters {
    uint32_t least, most;
    TermId end;  // the term that is left of the texts, where that is the same after all strings
  };
  struct Measured {
    TermId from;  // the texts whose letters are counted
    uint32_t least, most;
  };
  Measured measured(const TermId* parts, size_t count, Call& call);
  using Bounded = std::map<std::array<uint32_t, 3>, uint32_t>;
  uint32_t bound_from(TermId t, TermId from, uint32_t least, Bounded& known, Call& call);

  // measure.cpp
  // Beyond `most`, some number that is more than `most` and not more than the distance.
  uint32_t distance(TermId t, Call& call, uint32_t most = kInfinite);
  uint32_t lower_bound(TermId t, Call& call);  // of the distance, without a search
  // At most so many bytes complete the output after any text that may be completed; kInfinite below
  // rules, And and Not, where it does not show.
  uint32_t farthest(TermId t, Call& call);
  std::string completion(TermId t, Call& call);
  std::string forced(TermId t, Call& call);
  bool is_final(TermId t, Call& call);
  enum class Extent : uint8_t { Unknown = 1, Finite, Infinite };
  Extent extent(TermId t, Call& call);  // read off the term: Unknown below rules, And and Not

 private:
  static constexpr unsigned kChunkBits = 9;
  static constexpr TermId kChunkMask = (1u << kChunkBits) - 1;
  static constexpr size_t kMaxChunks = 1u << 19;

  // Left as it comes, since zeroing would touch all of it: only the pages in use cost anything.
  const std::unique_ptr<Term*[]> chunks_;
  size_t chunk_count_ = 0;
  size_t size_ = 0;
  size_t memory_ = 0;
  struct Slot {
    TermId term = kNothing;
    uint32_t tag = 0;  // of the hash: spares a look at most other terms
  };
  std::vector<Slot> table_;  // open addressing
  std::vector<ByteSet> sets_;
  std::unordered_map<std::string, uint32_t> set_ids_;
  TermId single_[256] = {};  // the terms of single bytes, kNothing while not made
  std::vector<std::unique_ptr<TermId[]>> lists_;
  static constexpr size_t kTargets = 4096;  // in one block of them; a term has at most 256
  std::vector<std::unique_ptr<std::atomic<TermId>[]>> targets_;
  size_t targets_left_ = 0;
  std::deque<Edges> edge_pool_;
  std::deque<Partition> partitions_;
  std::unordered_map<std::string, const Partition*> partition_ids_;
  std::vector<const Partition*> set_partitions_;  // by set; null while not known
  std::map<std::pair<const Partition*, const Partition*>, const Partition*> meets_;
  std::map<std::vector<std::pair<uint32_t, uint32_t>>, TermId> chars_;
  std::unordered_map<TermId, uint32_t> bounds_;  // of distances, of terms that hold an And or a Not
  std::unordered_map<uint64_t, Letters> letters_;  // by the term and where it begins
  std::unordered_map<TermId, bool> is_letter_;  // unions
  std::unordered_map<TermId, TermId> texts_in_;
  std::unordered_map<uint64_t, bool> is_text_;  // by the term and where it begins
  std::deque<Substrings> substrings_;
  std::map<std::pair<std::string, std::vector<uint32_t>>, TermId> substrings_ids_;  // their starts
  TermId everything_ = 0;

  TermId intern(Kind kind, TermId a, TermId b, uint32_t low, uint32_t high, const TermId* parts,
                size_t count, bool nullable, Call& call);
  TermId occurrences(TermId text, const Occurrences& found, Call& call);
  void grow_table();
  TermId raw_cat(TermId a, TermId b, Call& call);
  void merge_repeats(std::vector<TermId>& parts, Call& call);
  void share_heads(std::vector<TermId>& parts, Call& call);
  TermId strings_below(const std::vector<std::string>& sorted, size_t begin, size_t end, size_t depth,
                       Call& call);

  const Partition* intern_partition(const Partition& p);
  const Partition* partition_of(TermId t, Call& call);
  const Partition* partition_of_part(TermId t, Call& call);
  const Partition* partition_of_set(uint32_t set);
  const Partition* partition_of_each(const std::vector<uint8_t>& bytes);
  const Partition* meet(const Partition* p, const Partition* q);
  const Partition* meet_all(std::vector<const Partition*>& all);
  template <class Work>
  auto inside_rule(uint32_t index, Work work, Call& call);
  TermId derive(TermId t, uint8_t byte, Call& call);
  TermId derive_part(TermId t, uint8_t byte, Call& call);
  bool is_letter(TermId t, Call& call);
  bool is_text(TermId t, TermId from, TermId texts, Call& call);
  TermId texts_measured(const TermId* parts, size_t count, Call& call);
  Letters letters(TermId t, TermId from, Call& call);
  Letters letters_after(const ByteSet& set, TermId rest, TermId from, Call& call);
  bool is_narrow(TermId t, Call& call);
  TermId derive_written(TermId t, uint8_t byte, Call& call);
  struct Near;
  void explore(TermId t, uint32_t radius, Near& near, Call& call);
  void put_in_order(TermId t, Near& near) const;
  void solve(Near& near, Call& call);
  std::vector<uint32_t> wanted(TermId t, Near& near);
  uint32_t at_least(TermId t);
  bool fetched(uint32_t rule) const;
  uint32_t bound_of_all(const Term& all, Call& call);
  uint32_t search_distance(TermId t, Call& call);
  uint32_t farthest(TermId t, std::unordered_map<TermId, uint32_t>& known, Call& call);
};

// Runs `work` on a rule's body; meeting the rule again before a byte is consumed is left recursion.
template <class Work>
auto Store::inside_rule(uint32_t index, Work work, Call& call) {
  Rule& rule = rules[index];
  if (rule.open) throw CoreError("", "a rule is left recursive");
  struct Open {
    Rule& rule;
    explicit Open(Rule& r) : rule(r) { rule.open = true; }
    ~Open() { rule.open = false; }
  } open(rule);
  return work(normal(body(index, call), call));
}

// The state after `data`; kNothing when nothing continues so.
inline TermId advance_bytes(Store& store, TermId state, std::string_view data, Call& call) {
  for (char byte : data) {
    state = store.step(state, static_cast<uint8_t>(byte), call);
    if (state == kNothing) break;
  }
  return state;
}

}  // namespace constrained
