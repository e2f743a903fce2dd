// SPDX-License-Identifier: Apache-2.0
#include "backend/synthetic/detail/sequence_cells.h"

#include <algorithm>
#include <cstring>

#include "base/check.h"

namespace cortex::backend {
namespace {

constexpr std::int32_t kHole = -1;

// Saved: head, cells in order, checksum over both.
struct StateHead {
  std::uint32_t magic = 0x51535843;  // "CXSQ"
  std::uint32_t version = 1;
  std::uint64_t weights = 0;
  std::int32_t first = 0;
  std::uint32_t cells = 0;
};

struct StateCell {
  std::int32_t token = 0;
  std::uint32_t held = 0;  // 0: a hole
  std::uint64_t state = 0;
};

std::uint64_t checksum_of(std::span<const std::byte> bytes) {
  std::uint64_t sum = bytes.size();
  for (const std::byte byte : bytes) sum = join_bits(sum, static_cast<std::uint64_t>(byte));
  return sum;
}

template <typename T>
void append_raw(std::vector<std::byte>& out, const T& value) {
  const auto bytes = std::as_bytes(std::span(&value, 1));
  out.insert(out.end(), bytes.begin(), bytes.end());
}

template <typename T>
T read_raw(std::span<const std::byte> bytes, std::size_t at) {
  T out;
  std::memcpy(&out, bytes.data() + at, sizeof(T));
  return out;
}

Status check_state(std::span<const std::byte> bytes, std::uint64_t weights) {
  if (bytes.size() < sizeof(StateHead) + sizeof(std::uint64_t)) {
    return invalid_argument("the state is cut off");
  }
  const auto head = read_raw<StateHead>(bytes, 0);
  const StateHead ours;
  if (head.magic != ours.magic || head.version != ours.version) {
    return invalid_argument("the bytes are no state of this engine");
  }
  const std::size_t body = sizeof(StateHead) + std::size_t{head.cells} * sizeof(StateCell);
  if (bytes.size() != body + sizeof(std::uint64_t)) return invalid_argument("the state is cut off");
  if (read_raw<std::uint64_t>(bytes, body) != checksum_of(bytes.first(body))) {
    return invalid_argument("the state is damaged");
  }
  if (head.weights != weights) return invalid_argument("the state is of another model");
  constexpr std::uint32_t kPositionsMax = 1U << 30U;
  const bool fits = head.first >= 0 && static_cast<std::uint32_t>(head.first) < kPositionsMax &&
                    head.cells < kPositionsMax;
  return fits ? Status() : invalid_argument("the state is of positions that no model has");
}

}  // namespace

std::int32_t SequenceCells::Held::end() const {
  return first + static_cast<std::int32_t>(cells.size());
}

std::int32_t SequenceCells::Held::at(std::int32_t position) const {
  if (position < first || position >= end()) return kHole;
  return cells[static_cast<std::size_t>(position - first)];
}

SequenceCells::SequenceCells(const Limits& limits)
    : limits_(limits), cells_(limits.cells), held_(limits.sequences) {
  for (std::size_t i = limits.cells; i > 0; --i) free_.push_back(static_cast<std::int32_t>(i) - 1);
}

std::size_t SequenceCells::saved_bytes_per_cell() { return sizeof(StateCell); }

SequenceCells::Held& SequenceCells::held(std::int32_t sequence) {
  CHECK(sequence >= 0 && static_cast<std::size_t>(sequence) < held_.size(), "an id of the model");
  return held_[static_cast<std::size_t>(sequence)];
}

const SequenceCells::Held& SequenceCells::held(std::int32_t sequence) const {
  return const_cast<SequenceCells*>(this)->held(sequence);
}

std::int32_t SequenceCells::take_cell() {
  CHECK(!free_.empty(), "there is place");
  const std::int32_t cell = free_.back();
  free_.pop_back();
  used_.fetch_add(1, std::memory_order_relaxed);
  return cell;
}

void SequenceCells::put(Held& held, std::int32_t position, std::int32_t cell) {
  CHECK(position >= 0 && held.at(position) == kHole, "a position is held once");
  if (held.cells.empty()) held.first = position;
  if (position < held.first) {
    const auto before = static_cast<std::size_t>(held.first - position);
    held.cells.insert(held.cells.begin(), before, kHole);
    held.first = position;
    held.folded = 0;
  }
  if (position >= held.end()) {
    held.cells.resize(static_cast<std::size_t>(position - held.first) + 1, kHole);
  }
  held.cells[static_cast<std::size_t>(position - held.first)] = cell;
  ++cells_[static_cast<std::size_t>(cell)].owners;
}

void SequenceCells::trim(Held& held) const {
  while (!held.cells.empty() && held.cells.back() == kHole) held.cells.pop_back();
  const auto begins = std::find_if(held.cells.begin(), held.cells.end(), [](std::int32_t cell) {
    return cell != kHole;
  });
  held.first += static_cast<std::int32_t>(begins - held.cells.begin());
  held.cells.erase(held.cells.begin(), begins);
  if (held.cells.empty()) held.first = 0;
}

void SequenceCells::fold(Held& held) const {
  CHECK(held.cells.empty() || held.first == 0, "a sequence holds every position from 0 on");
  if (held.folded == 0) held.fold = spread_bits(limits_.weights);
  for (; held.folded < held.cells.size(); ++held.folded) {
    const std::int32_t cell = held.cells[held.folded];
    CHECK(cell != kHole, "a sequence holds every position up to its last");
    held.fold = join_bits(held.fold, cells_[static_cast<std::size_t>(cell)].state);
  }
}

std::uint64_t SequenceCells::add(
    std::int32_t sequence, std::int32_t position, Token token, std::uint64_t adapter
) {
  Held& into = held(sequence);
  CHECK(position == into.end(), "positions of a sequence go up by one");
  fold(into);
  const std::int32_t at = take_cell();
  Cell& cell = cells_[static_cast<std::size_t>(at)];
  const auto what = join_bits(static_cast<std::uint32_t>(token), adapter);
  cell = {token, 0, join_bits(join_bits(into.fold, what), static_cast<std::uint32_t>(position))};
  put(into, position, at);
  return cell.state;
}

void SequenceCells::check_whole(const Held& held, std::int32_t begin, std::int32_t end) const {
  CHECK(
      limits_.can_cut || (begin <= held.first && end >= held.end()),
      "of this model, only whole sequences are shared or removed"
  );
}

void SequenceCells::share(
    std::int32_t from, std::int32_t to, std::int32_t begin, std::int32_t end
) {
  CHECK(from != to, "a sequence shares with another");
  const Held& source = held(from);
  Held& target = held(to);
  check_whole(source, begin, end);
  for (std::int32_t position = begin; position < end; ++position) {
    const std::int32_t cell = source.at(position);
    CHECK(cell != kHole, "what is shared is there");
    put(target, position, cell);
  }
}

void SequenceCells::remove(std::int32_t sequence, std::int32_t begin, std::int32_t end) {
  Held& from = held(sequence);
  const std::int32_t last = end < 0 ? from.end() : std::min(end, from.end());
  check_whole(from, begin, last);
  for (std::int32_t position = std::max(begin, from.first); position < last; ++position) {
    std::int32_t& at = from.cells[static_cast<std::size_t>(position - from.first)];
    if (at == kHole) continue;
    CHECK(cells_[static_cast<std::size_t>(at)].owners > 0, "a cell that is held has an owner");
    if (--cells_[static_cast<std::size_t>(at)].owners == 0) {
      free_.push_back(at);
      used_.fetch_sub(1, std::memory_order_relaxed);
    }
    at = kHole;
    from.folded = 0;
  }
  trim(from);
}

std::vector<std::byte> SequenceCells::save(std::int32_t sequence) const {
  const Held& from = held(sequence);
  StateHead head;
  head.weights = limits_.weights;
  head.first = from.first;
  head.cells = static_cast<std::uint32_t>(from.cells.size());
  std::vector<std::byte> out;
  out.reserve(sizeof(StateHead) + from.cells.size() * sizeof(StateCell) + sizeof(std::uint64_t));
  append_raw(out, head);
  for (const std::int32_t at : from.cells) {
    StateCell saved;
    if (at != kHole) {
      const Cell& cell = cells_[static_cast<std::size_t>(at)];
      saved = {cell.token, 1, cell.state};
    }
    append_raw(out, saved);
  }
  append_raw(out, checksum_of(out));
  return out;
}

Status SequenceCells::restore(std::int32_t sequence, std::span<const std::byte> bytes) {
  Held& into = held(sequence);
  CHECK(into.cells.empty(), "a state goes into an empty sequence");
  CORTEX_RETURN_IF_ERROR(check_state(bytes, limits_.weights));
  const auto head = read_raw<StateHead>(bytes, 0);
  if (head.cells > free_.size()) return resource_exhausted("no place for the state");
  for (std::uint32_t i = 0; i < head.cells; ++i) {
    const auto saved = read_raw<StateCell>(bytes, sizeof(StateHead) + i * sizeof(StateCell));
    if (saved.held == 0) continue;
    const std::int32_t at = take_cell();
    cells_[static_cast<std::size_t>(at)] = {saved.token, 0, saved.state};
    put(into, head.first + static_cast<std::int32_t>(i), at);
  }
  into.folded = 0;
  return {};
}

std::vector<Token> SequenceCells::tokens(std::int32_t sequence) const {
  std::vector<Token> out;
  for (const std::int32_t at : held(sequence).cells) {
    if (at != kHole) out.push_back(cells_[static_cast<std::size_t>(at)].token);
  }
  return out;
}

}  // namespace cortex::backend
