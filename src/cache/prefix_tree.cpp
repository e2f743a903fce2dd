// SPDX-License-Identifier: Apache-2.0
#include "cache/prefix_tree.h"

#include <algorithm>
#include <map>
#include <utility>

#include "base/check.h"
#include "cache/detail/eviction_order.h"
#include "cache/detail/prefix_node.h"

namespace cortex::cache {
namespace {

KvMove share_move(std::int32_t from, std::int32_t to, std::int32_t begin, std::int32_t end) {
  return {KvMove::Kind::kShare, from, to, begin, end};
}

KvMove remove_move(std::int32_t from, std::int32_t begin, std::int32_t end) {
  return {KvMove::Kind::kRemove, from, from, begin, end};
}

// How far a prompt leads: the first `tokens` of it, the last of which lies in `node`.
struct PrefixPath {
  PrefixNode* node = nullptr;
  std::size_t tokens = 0;

  [[nodiscard]] std::int32_t end() const { return static_cast<std::int32_t>(tokens); }
  // The nodes from the root's child down.
  [[nodiscard]] std::vector<PrefixNode*> nodes() const {
    std::vector<PrefixNode*> out;
    for (PrefixNode* at = node; !at->is_root(); at = at->parent) out.push_back(at);
    std::reverse(out.begin(), out.end());
    return out;
  }
};

PrefixPath walk(PrefixNode& root, std::span<const Token> tokens) {
  PrefixPath out{&root, 0};
  while (out.tokens < tokens.size()) {
    PrefixNode* const child = out.node->child(tokens[out.tokens]);
    if (child == nullptr) break;
    const std::size_t alike = child->alike(tokens.subspan(out.tokens));
    out = {child, out.tokens + alike};
    if (alike < child->tokens.size()) break;
  }
  return out;
}

}  // namespace

struct PrefixTree::Inner {
  explicit Inner(const PrefixTreeOptions& what) : options(what), order(what.attend_cost) {
    for (std::int32_t i = what.holders; i > 0; --i) holders.push_back(what.holder_first + i - 1);
  }

  PrefixNode& root_of(const PrefixSpace& space);
  PrefixNode* find_root(const PrefixSpace& space) const;
  void drop_empty_roots();

  void recount(PrefixNode& node);
  void touch(const PrefixPath& path, TimePoint now);
  Pin pin(const PrefixPath& path);
  void unpin(PrefixPin* pin);

  PrefixPath extend(
      const PrefixPath& path, std::span<const Token> tokens, std::int32_t runner, Insertion& out
  );
  bool make_holders(std::size_t count, TimePoint now, std::vector<KvMove>& moves);
  void part(PrefixNode& node, std::int32_t at, std::vector<KvMove>& moves);
  void add_leaf(
      PrefixNode& parent, std::span<const Token> tokens, std::int32_t runner, Insertion& out
  );
  std::int32_t take_holder();

  void remove_leaf(PrefixNode& node, std::vector<KvMove>& moves);
  void shorten(PrefixNode& node, std::int32_t end, std::vector<KvMove>& moves);

  void find_uncopied(PrefixNode& node, std::size_t tokens_min, std::vector<PrefixNode*>& out) const;

  void mark_forgotten(PrefixNode& node, std::vector<PrefixNode*>& leaves);
  void prune(PrefixNode* node);
  std::vector<KvMove> take_due();

  const PrefixTreeOptions options;
  std::map<PrefixSpace, std::unique_ptr<PrefixNode>> roots;
  std::vector<std::unique_ptr<PrefixNode>> forgotten;  // roots that pins still reach below
  std::vector<PrefixNode*> perhaps_empty;              // roots that lost a child in this call
  std::vector<std::int32_t> holders;                   // free ones, the next one last
  EvictionOrder order;
  std::size_t cells = 0;
  std::size_t pinned = 0;  // of them
  std::size_t nodes = 0;
  std::size_t pins = 0;
  std::uint64_t numbers = 0;

  // Of forgotten nodes: what the caller has to be told to move before their cells and holders are
  // free.
  std::vector<KvMove> due;
  std::size_t due_cells = 0;
  std::vector<std::int32_t> due_holders;
};

PrefixNode* PrefixTree::Inner::find_root(const PrefixSpace& space) const {
  const auto at = roots.find(space);
  return at == roots.end() ? nullptr : at->second.get();
}

PrefixNode& PrefixTree::Inner::root_of(const PrefixSpace& space) {
  const auto [at, made] = roots.try_emplace(space);
  if (made) {
    at->second = std::make_unique<PrefixNode>();
    at->second->space = &at->first;
    perhaps_empty.push_back(at->second.get());
  }
  return *at->second;
}

void PrefixTree::Inner::drop_empty_roots() {
  std::sort(perhaps_empty.begin(), perhaps_empty.end());
  const auto end = std::unique(perhaps_empty.begin(), perhaps_empty.end());
  for (auto root = perhaps_empty.begin(); root != end; ++root) {
    if ((*root)->children.empty()) roots.erase(roots.find(*(*root)->space));
  }
  perhaps_empty.clear();
}

// Sets right what follows from a node's span, children and pins.
void PrefixTree::Inner::recount(PrefixNode& node) {
  if (node.is_root()) return;
  const std::int32_t pinned_now = node.pinned_end() - node.begin;
  pinned += static_cast<std::size_t>(pinned_now);
  pinned -= static_cast<std::size_t>(node.counted_pinned);
  node.counted_pinned = pinned_now;
  const bool leaf = node.children.empty() && !node.forgotten;
  order.place(node, leaf && node.pinned_end() < node.end());
}

void PrefixTree::Inner::touch(const PrefixPath& path, TimePoint now) {
  for (PrefixNode* at = path.node; !at->is_root(); at = at->parent) {
    at->used = std::max(at->used, now);
    recount(*at);
  }
}

PrefixTree::Pin PrefixTree::Inner::pin(const PrefixPath& path) {
  if (path.tokens == 0) return nullptr;
  const std::shared_ptr<PrefixPin> out(
      new PrefixPin{path.node, path.end()}, [this](PrefixPin* pin) { unpin(pin); }
  );
  path.node->pins.emplace(out->end, out.get());
  recount(*path.node);
  for (PrefixNode* at = path.node->parent; !at->is_root(); at = at->parent) {
    ++at->pins_below;
    recount(*at);
  }
  ++pins;
  return out;
}

void PrefixTree::Inner::unpin(PrefixPin* pin) {
  PrefixNode* const node = pin->node;
  const auto [first, last] = node->pins.equal_range(pin->end);
  node->pins.erase(std::find_if(first, last, [&](const auto& entry) { return entry.second == pin; })
  );
  recount(*node);
  for (PrefixNode* at = node->parent; !at->is_root(); at = at->parent) {
    --at->pins_below;
    recount(*at);
  }
  if (node->forgotten) prune(node);
  --pins;
  delete pin;
}

std::int32_t PrefixTree::Inner::take_holder() {
  const std::int32_t out = holders.back();
  holders.pop_back();
  return out;
}

// False where there are not enough and nothing can be evicted for them.
bool PrefixTree::Inner::make_holders(std::size_t count, TimePoint now, std::vector<KvMove>& moves) {
  while (holders.size() < count) {
    PrefixNode* const victim = order.least(now, true);
    if (victim == nullptr) return false;
    remove_leaf(*victim, moves);
  }
  return true;
}

// Makes two nodes of one. The shorter half gets the new holder.
void PrefixTree::Inner::part(PrefixNode& node, std::int32_t at, std::vector<KvMove>& moves) {
  const std::int32_t holder = node.holder;
  const std::int32_t fresh = take_holder();
  PrefixNode& lower = split_node(node, at, numbers++);
  ++nodes;
  const PrefixNode& moved = lower.tokens.size() <= node.tokens.size() ? lower : node;
  moves.push_back(share_move(holder, fresh, moved.begin, moved.end()));
  moves.push_back(remove_move(holder, moved.begin, moved.end()));
  lower.holder = &moved == &lower ? fresh : holder;
  node.holder = &moved == &lower ? holder : fresh;
  recount(lower);
  recount(node);
}

void PrefixTree::Inner::add_leaf(
    PrefixNode& parent, std::span<const Token> tokens, std::int32_t runner, Insertion& out
) {
  auto leaf = std::make_unique<PrefixNode>();
  leaf->parent = &parent;
  leaf->begin = parent.end();
  leaf->tokens.assign(tokens.begin(), tokens.end());
  leaf->holder = take_holder();
  leaf->number = numbers++;
  out.moves.push_back(share_move(runner, leaf->holder, leaf->begin, leaf->end()));
  cells += leaf->tokens.size();
  ++nodes;
  PrefixNode& added = *leaf;
  parent.children.emplace(tokens.front(), std::move(leaf));
  recount(added);
  recount(parent);
}

// REQUIRES: the path is pinned, there are enough holders.
PrefixPath PrefixTree::Inner::extend(
    const PrefixPath& path, std::span<const Token> tokens, std::int32_t runner, Insertion& out
) {
  const std::span<const Token> rest = tokens.subspan(path.tokens);
  PrefixNode& node = *path.node;
  if (!node.is_root() && path.end() == node.end() && node.children.empty()) {
    node.tokens.insert(node.tokens.end(), rest.begin(), rest.end());
    out.moves.push_back(share_move(runner, node.holder, path.end(), node.end()));
    cells += rest.size();
    recount(node);
    return {&node, tokens.size()};
  }
  if (path.end() < node.end()) part(node, path.end(), out.moves);
  add_leaf(node, rest, runner, out);
  return {node.child(rest.front()), tokens.size()};
}

void PrefixTree::Inner::remove_leaf(PrefixNode& node, std::vector<KvMove>& moves) {
  CHECK(node.children.empty() && node.pinned_end() == node.begin, "nobody needs the node");
  moves.push_back(remove_move(node.holder, node.begin, node.end()));
  cells -= node.tokens.size();
  --nodes;
  holders.push_back(node.holder);
  order.place(node, false);
  PrefixNode& parent = *node.parent;
  parent.children.erase(node.tokens.front());
  if (parent.is_root()) perhaps_empty.push_back(&parent);
  recount(parent);
}

void PrefixTree::Inner::shorten(PrefixNode& node, std::int32_t end, std::vector<KvMove>& moves) {
  moves.push_back(remove_move(node.holder, end, node.end()));
  cells -= static_cast<std::size_t>(node.end() - end);
  node.tokens.resize(static_cast<std::size_t>(end - node.begin));
  recount(node);
}

void PrefixTree::Inner::find_uncopied(
    PrefixNode& node, std::size_t tokens_min, std::vector<PrefixNode*>& out
) const {
  const auto grown = static_cast<std::size_t>(std::max(node.end() - node.copied_end, 0));
  const bool ends = node.children.size() != 1 && !node.is_root();
  if (ends && grown >= std::max<std::size_t>(tokens_min, 1)) out.push_back(&node);
  for (const auto& [first, child] : node.children) find_uncopied(*child, tokens_min, out);
}

void PrefixTree::Inner::mark_forgotten(PrefixNode& node, std::vector<PrefixNode*>& leaves) {
  node.forgotten = true;
  node.space = nullptr;
  recount(node);
  if (node.children.empty()) leaves.push_back(&node);
  for (const auto& [first, child] : node.children) mark_forgotten(*child, leaves);
}

// Frees what no pin reaches of a forgotten node, and of those above it that are leaves then.
void PrefixTree::Inner::prune(PrefixNode* node) {
  while (!node->is_root() && node->children.empty() && node->pinned_end() < node->end()) {
    const std::int32_t kept = node->pinned_end();
    due.push_back(remove_move(node->holder, kept, node->end()));
    due_cells += static_cast<std::size_t>(node->end() - kept);
    node->tokens.resize(std::max<std::size_t>(static_cast<std::size_t>(kept - node->begin), 1));
    if (kept > node->begin) return;
    due_holders.push_back(node->holder);
    --nodes;
    PrefixNode* const parent = node->parent;
    parent->children.erase(node->tokens.front());
    node = parent;
  }
  if (!node->is_root() || !node->children.empty()) return;
  std::erase_if(forgotten, [&](const auto& root) { return root.get() == node; });
}

std::vector<KvMove> PrefixTree::Inner::take_due() {
  cells -= std::exchange(due_cells, 0);
  holders.insert(holders.end(), due_holders.begin(), due_holders.end());
  due_holders.clear();
  return std::exchange(due, {});
}

PrefixTree::PrefixTree(PrefixTreeOptions options) : inner_(std::make_unique<Inner>(options)) {}

PrefixTree::~PrefixTree() { CHECK(inner_->pins == 0, "no pin outlives its tree"); }

PrefixTree::Match PrefixTree::match(
    const PrefixSpace& space,
    std::span<const Token> tokens,
    std::size_t tokens_max,
    std::int32_t runner,
    TimePoint now
) {
  Match out;
  out.moves = inner_->take_due();
  PrefixNode* const root = inner_->find_root(space);
  if (root == nullptr) return out;
  const PrefixPath path = walk(*root, tokens.first(std::min(tokens.size(), tokens_max)));
  inner_->touch(path, now);
  for (const PrefixNode* node : path.nodes()) {
    const std::int32_t end = std::min(node->end(), path.end());
    out.moves.push_back(share_move(node->holder, runner, node->begin, end));
  }
  out.tokens = path.tokens;
  out.pin = inner_->pin(path);
  return out;
}

std::size_t PrefixTree::matching(const PrefixSpace& space, std::span<const Token> tokens) const {
  PrefixNode* const root = inner_->find_root(space);
  return root == nullptr ? 0 : walk(*root, tokens).tokens;
}

PrefixTree::Insertion PrefixTree::insert(
    const PrefixSpace& space,
    std::span<const Token> tokens,
    std::int32_t runner,
    TimePoint now,
    Pin pin
) {
  Insertion out;
  out.moves = inner_->take_due();
  const auto* held = static_cast<const PrefixPin*>(pin.get());
  const std::int32_t shared = held == nullptr ? 0 : held->end;
  if (held != nullptr && held->node->forgotten) {
    out.tokens = static_cast<std::size_t>(shared);
    out.pin = std::move(pin);
    return out;
  }
  PrefixPath path = walk(inner_->root_of(space), tokens);
  CHECK(path.end() >= shared, "a pinned path is in the tree");
  for (const PrefixNode* node : path.nodes()) {
    const std::int32_t begin = std::max(node->begin, shared);
    const std::int32_t end = std::min(node->end(), path.end());
    if (begin >= end) continue;
    out.moves.push_back(remove_move(runner, begin, end));
    out.moves.push_back(share_move(node->holder, runner, begin, end));
  }
  out.pin = inner_->pin(path);
  pin.reset();
  const bool whole = path.end() == path.node->end();
  const bool lengthens = !path.node->is_root() && whole && path.node->children.empty();
  const std::size_t rest = tokens.size() - path.tokens;
  if (lengthens ? rest > 0
                : rest > 0 && rest >= inner_->options.insert_tokens_min &&
                      inner_->make_holders(whole ? 1 : 2, now, out.moves)) {
    path = inner_->extend(path, tokens, runner, out);
    out.pin = inner_->pin(path);
  }
  inner_->touch(path, now);
  inner_->drop_empty_roots();
  out.tokens = path.tokens;
  return out;
}

std::vector<KvMove> PrefixTree::evict(std::size_t cells, TimePoint now) {
  const std::size_t before = inner_->cells;
  std::vector<KvMove> out = inner_->take_due();
  for (std::size_t freed = before - inner_->cells; freed < cells; freed = before - inner_->cells) {
    PrefixNode* const node = inner_->order.least(now, false);
    if (node == nullptr) break;
    const auto free = static_cast<std::size_t>(node->end() - node->pinned_end());
    const std::size_t kept = node->tokens.size() - std::min(free, cells - freed);
    const bool pinned = node->pinned_end() > node->begin;
    if (!pinned && kept < std::max<std::size_t>(inner_->options.insert_tokens_min, 1)) {
      inner_->remove_leaf(*node, out);
    } else {
      inner_->shorten(*node, node->begin + static_cast<std::int32_t>(kept), out);
    }
  }
  inner_->drop_empty_roots();
  return out;
}

std::optional<PrefixTree::Copy> PrefixTree::copy(std::size_t tokens_min, TimePoint now) {
  std::vector<PrefixNode*> uncopied;
  for (const auto& [space, root] : inner_->roots) {
    inner_->find_uncopied(*root, tokens_min, uncopied);
  }
  const auto least =
      std::min_element(uncopied.begin(), uncopied.end(), [&](const auto* a, const auto* b) {
        return inner_->order.value(*a, now) < inner_->order.value(*b, now);
      });
  if (least == uncopied.end()) return std::nullopt;
  PrefixNode& last = **least;
  const PrefixPath path{&last, static_cast<std::size_t>(last.end())};
  Copy out;
  for (PrefixNode* node : path.nodes()) {
    if (node->parent->is_root()) out.space = *node->parent->space;
    out.tokens.insert(out.tokens.end(), node->tokens.begin(), node->tokens.end());
    node->copied_end = std::max(node->copied_end, node->end());
  }
  out.pin = inner_->pin(path);
  return out;
}

std::vector<KvMove> PrefixTree::part(
    const Pin& pin, std::size_t begin, std::size_t end, std::int32_t runner
) {
  const auto& pinned = *static_cast<const PrefixPin*>(pin.get());
  CHECK(end <= static_cast<std::size_t>(pinned.end), "a part of a path lies in it");
  std::vector<KvMove> out = inner_->take_due();
  for (const PrefixNode* node : PrefixPath{pinned.node, end}.nodes()) {
    const auto from = std::max(static_cast<std::int32_t>(begin), node->begin);
    const auto to = std::min(static_cast<std::int32_t>(end), node->end());
    if (from < to) out.push_back(share_move(node->holder, runner, from, to));
  }
  return out;
}

std::vector<KvMove> PrefixTree::forget(const PrefixSpace& space) {
  const auto at = inner_->roots.find(space);
  if (at != inner_->roots.end()) {
    std::vector<PrefixNode*> leaves;
    inner_->mark_forgotten(*at->second, leaves);
    inner_->forgotten.push_back(std::move(at->second));
    inner_->roots.erase(at);
    for (PrefixNode* const leaf : leaves) inner_->prune(leaf);
  }
  return inner_->take_due();
}

std::vector<KvMove> PrefixTree::collect() { return inner_->take_due(); }

std::size_t PrefixTree::cells() const { return inner_->cells; }

std::size_t PrefixTree::evictable() const { return inner_->cells - inner_->pinned; }

std::size_t PrefixTree::nodes() const { return inner_->nodes; }

std::size_t PrefixTree::holders_free() const { return inner_->holders.size(); }

}  // namespace cortex::cache
