// Masks: which tokens may come next in a state.
//
// A mask is a walk over the vocabulary's trie with the state of each prefix on a stack. Seven
// things make it fast:
//
// * memo: a state's mask is computed once;
// * lexemes: in a state "Lexeme(a) then rest", the tokens that stay inside `a` depend on `a` alone.
//   They are found once per `a`, together with the trie nodes where `a` may end; for another rest
//   only what lies below those nodes is walked. A union is the union of its parts' masks. All of
//   this also holds below an inner node with many tokens (after a space, after a quote), once per
//   node and lexeme;
// * texts: a fixed text leads straight down the trie, without a state for every byte of it;
// * exceptions: "a string, but none of these names" has the walk of "a string", less what lies along
//   the names;
// * counters: x{n,k} takes the short tokens that x{m,} takes, and "a pattern, and at most k
//   characters" those that the pattern takes, where k is far; only long tokens are walked again;
// * loops: in a state like "letters and digits, any number", a node below which there are only letters
//   and digits is taken whole, with all its tokens;
// * plain text: the tokens made of plain characters (given as one term) are known by their length.
//   A state that takes any plain character up to k times takes all of them up to length k, without
//   a walk, and only the other tokens are walked.
//   For states of other shapes the same is proved for short tokens, or for all, by a search.
//
// Memory is bounded: beyond Limits.max_mask_bytes all memoised masks go and are made again when
// asked for.
#pragma once

#include <array>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "program.h"
#include "terms.h"
#include "trie.h"

namespace constrained {

using Words = std::vector<uint32_t>;

// The tokens that consist of plain characters (the last one may be cut short), by length.
struct PlainTokens {
  OwnedProgram character;          // one plain character
  std::vector<std::shared_ptr<const Words>> up_to;  // [k]: those of at most k characters
  std::vector<std::pair<uint32_t, uint32_t>> longer;  // (length, id) of the others
  std::unique_ptr<Trie> others;    // the tokens that are not plain
  std::unique_ptr<Trie> others_and_long;  // those, and the plain ones of more than kShort characters

  // Sets those of at most `most` characters; returns a mask that is nearly theirs.
  std::shared_ptr<const Words> add(uint32_t* row, uint32_t most) const;
};

constexpr TermId kLoopParts = 8;  // parts of a union in which a loop is looked for
constexpr std::array<uint32_t, 7> kLengths{6, 8, 10, 12, 16, 20, 24};  // bytes; see Vocabulary::drop_longer
constexpr uint32_t kShort = 16;  // characters of the tokens that a search for plain text speaks for

class Masks;

class Vocabulary {
 public:
  // `texts[id]`: the bytes of token id, empty for none. `plain`: one plain character. `marks`: tokens
  // that only a format which writes their text may use (marks.cpp).
  Vocabulary(std::vector<std::string> texts, std::vector<uint32_t> end_ids, uint32_t width,
             OwnedProgram plain, uint64_t store_bytes, const std::vector<uint32_t>& marks);

  const std::string& text(uint32_t token) const { return texts_[token]; }
  size_t size() const { return texts_.size(); }
  uint32_t width() const { return width_; }
  size_t words() const { return (width_ + 31) / 32; }
  const Trie& trie() const { return trie_; }  // of all tokens but marks
  const Trie& marks() const { return marks_; }
  bool is_mark(uint32_t token) const { return token < is_mark_.size() && is_mark_[token]; }
  const PlainTokens& plain() const { return plain_; }
  const std::vector<uint32_t>& end_ids() const { return end_ids_; }
  bool is_end(uint32_t token) const;
  bool every_byte() const { return every_byte_; }
  // Clears the tokens of more than `length` bytes, one of kLengths or more than the last of them.
  void drop_longer(uint32_t* row, uint32_t length) const;

  // The masks that grammars made from now on share; a new one begins when the old has grown large.
  std::shared_ptr<Masks> masks();

 private:
  std::vector<std::string> texts_;
  std::vector<uint32_t> end_ids_;
  uint32_t width_;
  std::vector<bool> is_mark_;
  Trie trie_, marks_;
  bool every_byte_;
  PlainTokens plain_;
  std::array<Words, kLengths.size()> up_to_length_;  // the tokens of at most kLengths[k] bytes
  std::vector<std::pair<uint32_t, uint32_t>> long_;  // (length, id) of those beyond, longest first
  uint64_t store_bytes_;
  std::mutex mutex_;
  std::shared_ptr<Masks> current_;
};

class Masks {
 public:
  explicit Masks(const Vocabulary& vocabulary);

  Store store;

  // Writes words() words.
  void fill(TermId state, uint32_t* row, Account& account);
  // One row for every state, `stride` words apart. Masks that are not known yet are made on up to
  // `threads` threads. An error in one row is thrown after all have ended.
  void fill_all(const std::vector<TermId>& states, uint32_t* rows, size_t stride, unsigned threads,
                Account& account);
  // Only tokens after which cost() is at most budget - 1.
  void fill_within(TermId state, uint32_t* row, uint32_t budget, Call& call);
  // Fewest tokens that spell the state's completion; kInfinite when none do.
  uint32_t cost(TermId state, Call& call);
  // kNothing when the token is not allowed (end tokens are the caller's business).
  TermId advance(TermId state, uint32_t token, Call& call);

  size_t memory() {
    std::lock_guard<std::mutex> lock(mutex_);
    return bytes_;
  }

 private:
  // A stored row: a list of ids, or another row and the words that differ from it.
  struct Mask {
    std::shared_ptr<const Words> like;
    std::vector<std::pair<uint32_t, uint32_t>> differing;  // (index, word)
    std::vector<uint32_t> ids;

    // `like`: a row that may be nearly equal, in all but `most` words; or null.
    static Mask pack(const uint32_t* row, size_t words, std::shared_ptr<const Words> like, size_t most);
    void write(uint32_t* row, size_t words) const;
    void merge(uint32_t* row, size_t words) const;  // sets the bits beside those that are set
    size_t bytes() const;
  };
  struct Crossing {
    uint32_t node, depth;
  };
  struct LexemeWalk {
    Mask inside;                      // tokens that stay inside the lexeme
    const Trie* trie = nullptr;       // where tokens that leave it are found
    std::vector<Crossing> crossings;  // inner nodes of that trie at which it may end
    std::shared_ptr<const Trie> after; // what lies below the crossings as one trie, once worth it
    unsigned uses = 0;                 // both change under the lock
    std::shared_ptr<LexemeWalk> twin;  // one with the same crossings, whose `after` serves both
    bool useless = false;  // it may end nearly everywhere: walk plainly instead
  };
  // Which plain tokens a state takes: all of at most `most` characters (kInfinite: all there are),
  // and whether others may be taken too, and have to be walked.
  struct Room {
    const Trie* others;    // the tokens that this says nothing of
    uint32_t most = 0;     // 0: nothing is known
    bool may_end = false;  // the output or lexeme may end within such a token
  };
  // Any text of these groups of bytes, of at most `most` bytes, may follow. Quiet: and the output
  // cannot end anywhere in it.
  struct Loop {
    Groups groups = 0;
    uint32_t most = 0;
    bool quiet = false;
  };
  // A union of these: "part, then rest", where part begins with a byte; states with a lexeme in
  // front; others.
  struct Text {
    TermId part, rest;
  };
  struct Parts {
    std::vector<TermId> lexemes, others;
    std::vector<Text> texts;
    std::unordered_set<TermId> split;  // states that were taken apart
  };
  // Where in a trie a state is met. What is found below nodes of the vocabulary's own is kept.
  struct Place {
    const Trie& trie;
    uint32_t node;
  };
  // What one plain character does to a state.
  struct PlainStep {
    bool alive = true;    // every plain character is taken
    bool may_end = false; // the output or lexeme may end after it
    std::vector<TermId> next;
  };

  const Vocabulary& vocabulary_;
  TermId plain_ = kNothing;  // one plain character
  TermId beyond_ = kNothing;     // one character beyond ASCII that is no separator
  TermId separator_ = kNothing;  // one that is
  std::mutex mutex_;  // guards the memos below, and is never held while anything is computed
  std::unordered_map<TermId, Mask> masks_;
  std::unordered_map<uint64_t, std::shared_ptr<LexemeWalk>> lexemes_;  // by node and lexeme
  std::unordered_map<TermId, uint32_t> costs_;
  std::unordered_map<TermId, std::shared_ptr<const PlainStep>> plain_steps_;
  std::unordered_map<TermId, Room> rooms_;
  std::unordered_map<TermId, Loop> loops_, counters_;
  size_t bytes_ = 0;

  using Like = std::shared_ptr<const Words>;

  // These set the bits of the tokens below a place, whose prefix has led to a state, and return a
  // row that may be nearly equal.
  Like add(const Place& place, TermId state, uint32_t* row, Call& call);
  void split(const Place& place, TermId state, Parts& parts, Call& call);
  void add_text(const Place& place, const Text& text, uint32_t* row, Call& call);
  void add_below(const Place& place, TermId state, uint32_t* row, Call& call);
  Like add_plainly(const Place& place, TermId state, uint32_t* row, Call& call);
  Like add_after_lexeme(const Place& place, TermId lexeme, TermId rest, uint32_t* row, Call& call);
  bool shares(const Place& place) const { return &place.trie == &vocabulary_.trie(); }
  bool splits(const Place& place, TermId state) const;
  std::shared_ptr<const Trie> merge_crossings(const LexemeWalk& walk);
  std::shared_ptr<LexemeWalk> lexeme_walk(uint32_t node, TermId lexeme, Call& call);
  // A lexeme that takes the same texts of at most so many bytes.
  struct Unbounded {
    TermId lexeme = kNothing;
    uint32_t near = 0;
  };
  Unbounded without_bounds(TermId lexeme, Call& call);
  Unbounded without_counter(const Term& conjunction, Call& call);
  static uint32_t usable(uint32_t most);
  bool begins_with_counter(TermId lexeme) const;
  std::shared_ptr<LexemeWalk> counted_lexeme_walk(uint32_t from, TermId lexeme, Call& call);
  uint32_t depth(const Trie& trie, uint32_t node) const;
  static bool is_wide(const Trie& trie, const Crossing& crossing);
  int first_byte(const Term& lexeme) const;
  std::shared_ptr<LexemeWalk> plain_lexeme_walk(uint32_t node, TermId lexeme, Call& call);
  std::shared_ptr<LexemeWalk> walk_with_exceptions(uint32_t node, TermId lexeme, Call& call);
  std::shared_ptr<const PlainStep> plain_step(TermId state, Call& call);
  Room room(TermId state, Call& call);
  Room counted_room(TermId state, Call& call);
  Room search_room(TermId state, Call& call);
  Loop loop(TermId state, Call& call);
  bool may_loop(TermId t) const;
  Loop counted_loop(TermId t, Call& call);
  Loop common_loop(const Term& conjunction, Call& call);
  TermId remains(TermId t, Groups groups, uint32_t most, Call& call);
  bool leaves(TermId t, Groups groups, std::unordered_map<TermId, bool>& known, Call& call);
  Groups characters_between(TermId from, TermId to, Call& call);
  bool returns(TermId from, TermId character, TermId to, Call& call);
  template <class Visit>
  void walk(const Trie& trie, uint32_t from, TermId state, Call& call, uint32_t* row, bool quiet, Visit visit,
            uint32_t longer = 0);
  void walk_all(const Place& place, TermId state, uint32_t* row, Call& call);
  bool writes(TermId state, std::string_view text, Call& call);
  std::vector<uint32_t> marks(TermId state, Call& call);  // those that may come next
  bool recall(TermId state, uint32_t* row);
  void remember(TermId state, Mask mask, uint64_t most_bytes);
};

}  // namespace constrained
