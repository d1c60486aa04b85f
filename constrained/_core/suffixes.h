// The suffixes of a text in order, in linear time.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace constrained {

// Where each suffix begins, the least first; a suffix that begins another comes before it.
std::vector<int32_t> sorted_suffixes(std::string_view text);

}  // namespace constrained
