// Loading: which nodes are empty or nullable first (fixpoints over the rules), then the terms.
#include "program.h"

#include <algorithm>

namespace constrained {

namespace {

enum Op : int32_t { Nothing, Empty, Bytes, Literal, Literals, Cat, Alt, Repeat, Ref, And, Not, Lexeme, Chars, Substrings, Later };

struct Node {
  Op op;
  const int32_t* args;
  int32_t count;
};

constexpr size_t kTextOfANode = 16;  // bytes and cuts of a text whose pieces are wanted
constexpr int kComplements = 64;  // in one another; each is a stratum of its own in `analyse`

struct Loader {
  Store& store;
  const Program& program;
  Call& call;
  std::vector<Node> nodes;
  std::vector<char> productive, nullable;
  std::vector<int> level;  // how many Not lie below: fixpoints run from the inside out
  std::vector<TermId> rule_term;
  std::vector<int> rule_index;   // index in store.rules of rules that need a Call
  std::vector<char> rule_state;  // 0 not begun, 1 being built, 2 built
  std::vector<TermId> term;
  std::vector<char> built;
  std::vector<char> dead;  // And, Not nodes found empty while building
  std::vector<size_t> recursive;  // references that became calls
  uint64_t options = 0;

  const std::shared_ptr<LaterRules>& later;

  Loader(Store& s, const Program& p, Call& c, const std::shared_ptr<LaterRules>& l)
      : store(s), program(p), call(c), later(l) {}

  static CoreError malformed() { return CoreError("", "malformed program"); }

  void decode() {
    const int32_t* p = program.code;
    const int32_t* end = p + program.length;
    while (p < end) {
      Node n{static_cast<Op>(*p++), nullptr, 0};
      auto listed = [&](int width) {
        if (p >= end) throw malformed();
        n.count = *p++;
        n.args = p;
        if (n.count < 0 || n.count > (end - p) / width) throw malformed();
        p += static_cast<ptrdiff_t>(n.count) * width;
      };
      switch (n.op) {
        case Nothing:
        case Empty:
          break;
        case Bytes:
        case Literals:
        case Chars:
          listed(2);
          break;
        case Cat:
        case Alt:
        case And:
          listed(1);
          break;
        case Literal:
          n.args = p;
          p += 2;
          break;
        case Substrings:
          if (p >= end) throw malformed();
          n.count = *p++;
          n.args = p;
          if (end - p < 2 || n.count < 0 || n.count > end - p - 2) throw malformed();
          p += 2 + n.count;
          break;
        case Repeat:
          n.args = p;
          n.count = 1;
          p += 3;
          break;
        case Ref:
        case Not:
        case Lexeme:
        case Later:
          n.args = p;
          n.count = 1;
          p += 1;
          break;
        default:
          throw malformed();
      }
      if (p > end || n.count < 0) throw malformed();
      check(n);
      nodes.push_back(n);
      if (nodes.size() > call.account.bounds.nodes) throw CoreError("max_nodes", "the grammar is too large");
      const size_t weight = n.op == Literals ? n.count : n.op == Substrings ? (size_t(n.count) + n.args[1]) / kTextOfANode : 0;
      options += weight;
      if (options > call.account.bounds.nodes) throw CoreError("max_nodes", "the grammar is too large");
    }
  }
  // Programs may come from a file: nothing in them may lead outside of anything.
  void check(const Node& n) const {
    if (n.op == Bytes || n.op == Chars)
      for (int k = 0; k < n.count; ++k) {
        const int32_t low = n.args[2 * k], high = n.args[2 * k + 1];
        if (low < 0 || high < low || high > (n.op == Bytes ? 0xFF : 0x10FFFF)) throw malformed();
      }
    if (n.op == Literals)
      for (int k = 1; k < n.count; ++k)
        if (text(n.args + 2 * k - 2) >= text(n.args + 2 * k)) throw malformed();
    if (n.op == Substrings && n.args[1] < 1) throw malformed();
    for (int k = 0; n.op == Substrings && k < n.count; ++k)
      if (n.args[2 + k] <= (k ? n.args[1 + k] : 0) || n.args[2 + k] >= n.args[1]) throw malformed();
    if (n.op == Repeat && (n.args[1] < 0 || (n.args[2] >= 0 && n.args[2] < n.args[1]))) throw malformed();
    if (n.op == Later && (n.args[0] < 0 || static_cast<uint32_t>(n.args[0]) > (1u << 24))) throw malformed();
  }
  size_t child(const Node& n, int i) const { return static_cast<size_t>(n.args[i]); }
  bool has_children(const Node& n) const {
    return n.op == Cat || n.op == Alt || n.op == And || n.op == Repeat || n.op == Not || n.op == Lexeme;
  }

  // parents[first_parent[n], first_parent[n + 1]): the nodes that use node n, through rules too.
  std::vector<uint32_t> parents, first_parent;

  template <class Use>
  void each_operand(size_t i, Use use) const {
    const Node& node = nodes[i];
    if (node.op == Ref)
      use(static_cast<size_t>(program.bodies[node.args[0]]));
    else if (has_children(node))
      for (int k = 0; k < node.count; ++k) use(child(node, k));
  }

  void link_parents() {
    const size_t n = nodes.size();
    first_parent.assign(n + 1, 0);
    for (size_t i = 0; i < n; ++i) each_operand(i, [&](size_t c) { ++first_parent[c + 1]; });
    for (size_t i = 0; i < n; ++i) first_parent[i + 1] += first_parent[i];
    parents.resize(first_parent[n]);
    std::vector<uint32_t> next(first_parent.begin(), first_parent.end() - 1);
    for (size_t i = 0; i < n; ++i)
      each_operand(i, [&](size_t c) { parents[next[c]++] = static_cast<uint32_t>(i); });
  }

  // Runs `update(node)` over all nodes in order, and again over the users of what changed.
  template <class Update>
  void fixpoint(Update update) {
    std::vector<uint32_t> todo;
    auto visit = [&](size_t i) {
      if (update(i) && program.rules)
        todo.insert(todo.end(), parents.begin() + first_parent[i], parents.begin() + first_parent[i + 1]);
    };
    for (size_t i = 0; i < nodes.size(); ++i) visit(i);
    while (!todo.empty()) {
      const uint32_t i = todo.back();
      todo.pop_back();
      call.spend();
      visit(i);
    }
  }

  // A rule that needs its own intersection or complement is no term: on a way without a circle there
  // are no more of them than in the whole grammar.
  void check_recursion() {
    const auto nests = [](const Node& node) { return node.op == And || node.op == Not; };
    const auto all = static_cast<uint32_t>(std::count_if(nodes.begin(), nodes.end(), nests));
    if (all == 0) return;
    std::vector<uint32_t> depth(nodes.size(), 0);
    fixpoint([&](size_t i) {
      uint32_t most = 0;
      each_operand(i, [&](size_t c) { most = std::max(most, depth[c]); });
      most += nests(nodes[i]);
      if (most > all) throw CoreError("", "a rule is recursive through an intersection or a complement");
      if (most <= depth[i]) return false;
      depth[i] = most;
      return true;
    });
  }

  void analyse() {
    const size_t n = nodes.size();
    level.assign(n, 0);
    fixpoint([&](size_t i) {
      const Node& node = nodes[i];
      int most = 0;
      if (node.op == Ref)
        most = level[program.bodies[node.args[0]]];
      else if (has_children(node))
        for (int k = 0; k < node.count; ++k) most = std::max(most, level[child(node, k)]);
      if (node.op == Not) ++most;
      if (most > kComplements) throw CoreError("max_depth", "complements nest too deeply");
      if (most <= level[i]) return false;
      level[i] = most;
      return true;
    });
    int deepest = 0;
    for (int l : level) deepest = std::max(deepest, l);
    nullable.assign(n, 0);
    for (int l = 0; l <= deepest; ++l)
      fixpoint([&](size_t i) {
        if (nullable[i] || level[i] > l) return false;
        const Node& node = nodes[i];
        bool value = false;
        switch (node.op) {
          case Empty:
            value = true;
            break;
          case Literals:
            value = node.count > 0 && node.args[1] == 0;
            break;
          case Cat:
          case And:
            value = true;
            for (int k = 0; k < node.count; ++k) value &= nullable[child(node, k)];
            break;
          case Alt:
            for (int k = 0; k < node.count; ++k) value |= nullable[child(node, k)];
            break;
          case Repeat:
            value = node.args[1] == 0 || nullable[child(node, 0)];
            break;
          case Ref:
            value = nullable[program.bodies[node.args[0]]];
            break;
          case Lexeme:
            value = nullable[child(node, 0)];
            break;
          case Not:
            value = level[i] <= l && !nullable[child(node, 0)];
            break;
          default:
            break;
        }
        nullable[i] = value;
        return value;
      });
    productive.assign(n, 0);
    fixpoint([&](size_t i) {
      if (productive[i]) return false;
      const Node& node = nodes[i];
      bool value = true;
      switch (node.op) {
        case Nothing:
          value = false;
          break;
        case Bytes:
        case Chars:
        case Literals:
          value = node.count > 0;
          break;
        case Cat:
        case And:
          for (int k = 0; k < node.count; ++k) value &= productive[child(node, k)];
          break;
        case Alt:
          value = false;
          for (int k = 0; k < node.count; ++k) value |= productive[child(node, k)];
          break;
        case Repeat:
          value = node.args[1] == 0 || productive[child(node, 0)];
          break;
        case Ref:
          value = productive[program.bodies[node.args[0]]];
          break;
        case Lexeme:
          value = productive[child(node, 0)];
          break;
        default:
          break;
      }
      productive[i] = value && !dead[i];
      return static_cast<bool>(productive[i]);
    });
  }

  std::string_view text(const int32_t* args) const {
    if (args[0] < 0 || args[1] < 0 || size_t(args[0]) + size_t(args[1]) > program.pool.size()) throw malformed();
    return program.pool.substr(args[0], args[1]);
  }

  TermId make(size_t i) {
    const Node& node = nodes[i];
    if (!productive[i]) return kNothing;
    call.spend(1 + node.count);
    auto kids = [&] {
      std::vector<TermId> out;
      for (int k = 0; k < node.count; ++k) out.push_back(term[child(node, k)]);
      return out;
    };
    switch (node.op) {
      case Nothing:
        return kNothing;
      case Empty:
        return kEmpty;
      case Bytes: {
        ByteSet set;
        for (int k = 0; k < node.count; ++k) set.add(node.args[2 * k], node.args[2 * k + 1]);
        return store.bytes(set, call);
      }
      case Chars: {
        std::vector<std::pair<uint32_t, uint32_t>> ranges;
        for (int k = 0; k < node.count; ++k)
          ranges.push_back({uint32_t(node.args[2 * k]), uint32_t(node.args[2 * k + 1])});
        return store.chars(ranges, call);
      }
      case Literal:
        return store.text(text(node.args), kEmpty, call);
      case Literals: {
        std::vector<std::string> all;
        for (int k = 0; k < node.count; ++k) all.emplace_back(text(node.args + 2 * k));
        return store.strings(all, call);
      }
      case Substrings:
        return store.substrings(text(node.args), {node.args + 2, node.args + 2 + node.count}, call);
      case Cat: {
        TermId t = kEmpty;
        for (int k = node.count; k-- > 0;) t = store.cat(term[child(node, k)], t, call);
        return t;
      }
      case Alt:
        return store.alt(kids(), call);
      case Repeat: {
        uint32_t high = node.args[2] < 0 ? kInfinite : uint32_t(node.args[2]);
        return store.repeat(term[child(node, 0)], uint32_t(node.args[1]), high, call);
      }
      case And:
        return store.pruned(store.conjunction(kids(), call), call);
      case Not:
        return store.pruned(store.negation(term[child(node, 0)], call), call);
      case Lexeme:
        return store.lexeme(term[child(node, 0)], call);
      case Ref:
        return kNothing;  // made by `build`
      case Later:
        return call_later(node.args[0]);
    }
    return kNothing;
  }

  TermId call_later(int32_t key) {
    if (!later || key < 0) throw malformed();
    later->reach(key);
    if (later->terms[key] != kNothing) return later->terms[key];
    if (later->calls[key] < 0) {
      later->calls[key] = static_cast<int64_t>(store.rules.size());
      Rule rule;
      rule.later = later;
      rule.key = key;
      store.rules.push_back(std::move(rule));
    }
    return store.call_rule(static_cast<uint32_t>(later->calls[key]), call);
  }

  // A rule met while it is being built is recursive there and becomes a Call; everywhere else its
  // body is used as it is, so that grammars without recursion share all their terms.
  TermId reference(int rule) {
    if (rule_state[rule] == 2) return rule_term[rule];
    if (rule_index[rule] < 0) {
      rule_index[rule] = static_cast<int>(store.rules.size());
      Rule made;
      made.nullable = nullable[program.bodies[rule]];
      store.rules.push_back(std::move(made));
    }
    return store.call_rule(rule_index[rule], call);
  }

  TermId build(size_t root) {
    struct Frame {
      size_t node;
      int next;
    };
    std::vector<Frame> stack{{root, 0}};
    while (!stack.empty()) {
      Frame& frame = stack.back();
      const size_t at = frame.node;
      const Node& node = nodes[at];
      if ((built[at] && frame.next == 0) || !productive[at]) {
        built[at] = 1;
        stack.pop_back();
        continue;
      }
      if (node.op == Ref) {
        const int rule = node.args[0];
        const size_t body = program.bodies[rule];
        if (rule_state[rule] == 0) {
          rule_state[rule] = 1;
          frame.next = 1;
          stack.push_back({body, 0});
          continue;
        }
        if (frame.next == 1) {  // this reference began the rule, and the body is ready
          rule_state[rule] = 2;
          rule_term[rule] = term[body];
          if (rule_index[rule] >= 0) {
            store.rules[rule_index[rule]].body = term[body];
          }
        }
        term[at] = reference(rule);
        if (rule_state[rule] != 2) recursive.push_back(at);
        built[at] = 1;
        stack.pop_back();
        continue;
      }
      if (has_children(node) && frame.next < node.count) {
        stack.push_back({child(node, frame.next++), 0});
        continue;
      }
      term[at] = make(at);
      built[at] = 1;
      if (term[at] == kNothing) dead[at] = 1;  // productive by the analysis, empty in truth
      stack.pop_back();
    }
    return term[root];
  }
  // Later programs use the rules of this one that were built.
  void remember_rules() {
    if (!program.keys) return;
    for (size_t rule = 0; rule < program.rules; ++rule) {
      const int32_t key = program.keys[rule];
      if (key < 0 || rule_state[rule] != 2 || rule_term[rule] == kNothing) continue;
      if (nullable[program.bodies[rule]]) throw CoreError("", "a rule that is fetched later matches the empty text");
      later->reach(key);
      later->terms[key] = rule_term[rule];
    }
  }

  // Every number that names a node, a rule or a text names one that there is.
  void check_names() const {
    const size_t n = nodes.size(), r = program.rules;
    size_t text_bytes = 0;  // every text has bytes of its own, so that all together are no more than the pool
    for (size_t i = 0; i < r; ++i)
      if (program.bodies[i] < 0 || size_t(program.bodies[i]) >= n) throw malformed();
    for (size_t i = 0; i < n; ++i) {
      const Node& node = nodes[i];
      if (node.op == Ref && (node.args[0] < 0 || size_t(node.args[0]) >= r)) throw malformed();
      if (has_children(node))
        for (int k = 0; k < node.count; ++k)
          if (node.args[k] < 0 || size_t(node.args[k]) >= i) throw malformed();
      const int texts = node.op == Literal || node.op == Substrings ? 1 : node.op == Literals ? node.count : 0;
      for (int k = 0; k < texts; ++k) text_bytes += text(node.args + 2 * k).size();
    }
    if (text_bytes > program.pool.size()) throw malformed();
    if (program.start < 0 || size_t(program.start) >= n) throw malformed();
  }

  // What a stored program keeps to besides: it is whole, and its nodes hold what builders give them.
  void check_stored() {
    decode();
    check_names();
    for (const Node& node : nodes) {
      const bool listed = node.op == Bytes || node.op == Chars || node.op == Literals || has_children(node);
      if (node.op == Later || (listed && node.count == 0)) throw malformed();
    }
  }

  TermId run() {
    decode();
    if (program.keys && !later) throw malformed();
    check_names();
    const size_t n = nodes.size(), r = program.rules;
    if (r) {
      link_parents();
      check_recursion();
    }
    dead.assign(n, 0);
    for (;;) {
      std::vector<char> before = dead;
      analyse();
      rule_term.assign(r, kNothing);
      rule_index.assign(r, -1);
      rule_state.assign(r, 0);
      term.assign(n, kNothing);
      built.assign(n, 0);
      TermId start = build(program.start);
      // A Call was promised to be productive; when an intersection proved empty, start over.
      if (dead == before || recursive.empty()) {
        remember_rules();
        return start;
      }
      recursive.clear();
    }
  }
};

}  // namespace

TermId load(Store& store, const Program& program, Call& call, const std::shared_ptr<LaterRules>& later) {
  std::lock_guard<std::recursive_mutex> lock(store.mutex);
  return store.normal(Loader(store, program, call, later).run(), call);
}

void check_stored(const Program& program, uint64_t most_nodes) {
  Store store;
  Account account;
  account.bounds.nodes = most_nodes;
  Call call(account);
  Loader(store, program, call, nullptr).check_stored();
}

TermId Store::body(uint32_t index, Call& call) {
  std::lock_guard<std::recursive_mutex> lock(mutex);
  Rule& rule = rules[index];
  if (rule.body != kNothing || rule.key < 0) return rule.body;
  const std::shared_ptr<LaterRules> later = rule.later.lock();
  if (!later) throw CoreError("", "the engine that this state belongs to is gone");
  TermId body = later->terms[rule.key];
  if (body == kNothing) {
    const OwnedProgram program = later->fetch(rule.key);
    Call loading(call.account);  // work that compiling the whole grammar would have done
    body = load(*this, program.view(), loading, later);
    if (body == kNothing || (*this)[body].nullable)
      throw CoreError("", "a rule that is fetched later must match something, and never the empty text");
    later->terms[rule.key] = body;
  }
  return rule.body = body;
}

}  // namespace constrained
