// Suffixes sorted by induction: Nong, Zhang, Chan, "Two Efficient Algorithms for Linear Time Suffix
// Array Construction", IEEE Trans. Computers 60(10), 2011.
//
// A suffix is small when it comes before the next one, and large otherwise. Once the small suffixes
// after a large one (the cuts) are in order, one pass to the right puts the large ones in order, and
// one pass to the left the small ones. The cuts come into order by their pieces, from each to the next;
// where pieces are equal, the text of the pieces' ranks is sorted in the same way.
#include "suffixes.h"

namespace constrained {

namespace {

using Numbers = std::vector<int32_t>;

struct Sorting {
  const Numbers& text;
  const int32_t size;
  std::vector<uint8_t> small;
  Numbers first;  // by letter, and one more: where the suffixes that begin with it are
  Numbers order;

  Sorting(const Numbers& t, int32_t letters)
      : text(t), size(static_cast<int32_t>(t.size())), small(t.size()), first(letters + 1), order(t.size()) {
    for (int32_t i = size - 1; i-- > 0;) small[i] = text[i] == text[i + 1] ? small[i + 1] : text[i] < text[i + 1];
    for (const int32_t letter : text) ++first[letter + 1];
    for (int32_t c = 0; c < letters; ++c) first[c + 1] += first[c];
  }

  bool is_cut(int32_t i) const { return i > 0 && small[i] && !small[i - 1]; }

  Numbers ends() const { return {first.begin() + 1, first.end()}; }

  // All suffixes, by the order of the cuts.
  void induce(const Numbers& cuts) {
    order.assign(size, -1);
    Numbers free = ends();
    for (size_t k = cuts.size(); k-- > 0;) order[--free[text[cuts[k]]]] = cuts[k];
    free = first;
    order[free[text[size - 1]]++] = size - 1;  // after the empty suffix, the least of all
    for (int32_t i = 0; i < size; ++i)
      if (const int32_t before = order[i] - 1; before >= 0 && !small[before]) order[free[text[before]]++] = before;
    free = ends();
    for (int32_t i = size; i-- > 0;)
      if (const int32_t before = order[i] - 1; before >= 0 && small[before]) order[--free[text[before]]] = before;
  }
};

// Suffixes of a text of letters below `letters`.
Numbers sorted(const Numbers& text, int32_t letters) {
  if (text.empty()) return {};
  Sorting all(text, letters);
  Numbers cuts, place(text.size(), -1);  // by position: which cut it is
  for (int32_t i = 0; i < all.size; ++i)
    if (all.is_cut(i)) {
      place[i] = static_cast<int32_t>(cuts.size());
      cuts.push_back(i);
    }
  all.induce(cuts);
  if (cuts.empty()) return std::move(all.order);
  const auto count = static_cast<int32_t>(cuts.size());
  auto end_of = [&](int32_t cut) { return cut + 1 < count ? cuts[cut + 1] : all.size; };
  auto equal = [&](int32_t x, int32_t y) {  // the pieces from these cuts to the next ones, those included
    const int32_t length = end_of(x) - cuts[x];
    if (length != end_of(y) - cuts[y] || x + 1 == count || y + 1 == count) return false;
    for (int32_t k = 0; k <= length; ++k)
      if (text[cuts[x] + k] != text[cuts[y] + k]) return false;
    return true;
  };
  Numbers rank(count);
  Numbers in_order;
  int32_t ranks = 0, last = -1;
  for (const int32_t i : all.order) {
    const int32_t cut = place[i];
    if (cut < 0) continue;
    if (last >= 0 && !equal(last, cut)) ++ranks;
    rank[cut] = ranks;
    in_order.push_back(cut);
    last = cut;
  }
  if (ranks + 1 < count) in_order = sorted(rank, ranks + 1);
  for (int32_t& cut : in_order) cut = cuts[cut];
  all.induce(in_order);
  return std::move(all.order);
}

}  // namespace

std::vector<int32_t> sorted_suffixes(std::string_view text) {
  Numbers letters(text.size());
  for (size_t i = 0; i < text.size(); ++i) letters[i] = static_cast<uint8_t>(text[i]);
  return sorted(letters, 256);
}

}  // namespace constrained
