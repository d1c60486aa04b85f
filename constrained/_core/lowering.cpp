// The writer of programs. It holds the GIL throughout; loading the program does not need it.
#include "lowering.h"

#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

namespace nb = nanobind;

namespace constrained {

namespace {

enum Op : int32_t { Nothing, Empty, Bytes, Literal, Literals, Cat, Alt, Repeat, Ref, And, Not, Lexeme, Chars, Substrings, Later };

constexpr uint64_t kTypical = 40;  // nodes of a rule
constexpr uint64_t kTextOfANode = 16;  // bytes and cuts of a text whose pieces are wanted

// The names of the nodes' fields, interned once.
struct Fields {
  PyObject* parts = PyUnicode_InternFromString("parts");
  PyObject* body = PyUnicode_InternFromString("body");
  PyObject* data = PyUnicode_InternFromString("data");
  PyObject* options = PyUnicode_InternFromString("options");
  PyObject* ranges = PyUnicode_InternFromString("ranges");
  PyObject* cuts = PyUnicode_InternFromString("cuts");
  PyObject* name = PyUnicode_InternFromString("name");
  PyObject* least = PyUnicode_InternFromString("least");
  PyObject* most = PyUnicode_InternFromString("most");
};

nb::object field(PyObject* node, PyObject* name) {
  PyObject* found = PyObject_GetAttr(node, name);
  if (!found) throw nb::python_error();
  return nb::steal(found);
}

// The members of a tuple (or any sequence), which stay alive as long as this does.
class Members {
 public:
  explicit Members(const nb::object& sequence) : fast_(nb::steal(PySequence_Fast(sequence.ptr(), "not a sequence"))) {
    if (!fast_.is_valid()) throw nb::python_error();
  }
  Py_ssize_t size() const { return PySequence_Fast_GET_SIZE(fast_.ptr()); }
  PyObject* operator[](Py_ssize_t i) const { return PySequence_Fast_GET_ITEM(fast_.ptr(), i); }

 private:
  nb::object fast_;
};

class Writer {
 public:
  Writer(nb::tuple kinds, nb::callable body, nb::object key, uint64_t most, uint64_t at_once)
      : kinds_(std::move(kinds)), body_(std::move(body)), key_(std::move(key)), most_(most), at_once_(at_once) {}

  OwnedProgram program(nb::handle start) {
    below(start.ptr());
    for (; done_ < bodies_.size();) {  // writing a body may reach further rules
      const nb::object body = bodies_[done_++];
      below(body.ptr());
    }
    for (const nb::object& body : bodies_) out_.bodies.push_back(number_.at(body.ptr()));
    if (!key_.is_none())
      for (const nb::object& name : names_) out_.keys.push_back(key(name, true));
    out_.start = number_.at(start.ptr());
    return std::move(out_);
  }

 private:
  Op kind(PyObject* node) const {
    PyObject* type = reinterpret_cast<PyObject*>(Py_TYPE(node));
    const Py_ssize_t count = PyTuple_GET_SIZE(kinds_.ptr());
    for (Py_ssize_t i = 0; i < count; ++i)
      if (PyTuple_GET_ITEM(kinds_.ptr(), i) == type) return static_cast<Op>(i);
    throw CoreError("", std::string(Py_TYPE(node)->tp_name) + " is not a grammar node");
  }

  void below(PyObject* root) {
    std::vector<std::pair<PyObject*, bool>> stack{{root, false}};
    while (!stack.empty()) {
      const auto [node, ready] = stack.back();
      stack.pop_back();
      if (number_.count(node)) continue;
      const Op op = kind(node);
      uint64_t weight = 1;
      switch (op) {
        case Cat:
        case Alt:
        case And: {
          const Members parts(field(node, fields().parts));
          if (!ready) {
            stack.emplace_back(node, true);
            for (Py_ssize_t i = 0; i < parts.size(); ++i)
              if (!number_.count(parts[i])) stack.emplace_back(parts[i], false);
            continue;
          }
          put({op, static_cast<int32_t>(parts.size())});
          for (Py_ssize_t i = 0; i < parts.size(); ++i) out_.code.push_back(number_.at(parts[i]));
          break;
        }
        case Repeat:
        case Not:
        case Lexeme: {
          const nb::object body = field(node, fields().body);
          if (!ready) {
            stack.emplace_back(node, true);
            stack.emplace_back(body.ptr(), false);
            continue;
          }
          put({op, number_.at(body.ptr())});
          if (op == Repeat) {
            const nb::object most = field(node, fields().most);
            put({times(field(node, fields().least)), most.is_none() ? -1 : times(most)});
          }
          break;
        }
        case Ref:
          reference(node);
          weigh(1);
          continue;
        default:
          leaf(op, node, weight);
          weigh(weight);
          continue;
      }
      number_[node] = count_++;
      weigh(weight);
    }
  }

  void weigh(uint64_t nodes) {
    weight_ += nodes;
    if (weight_ > most_) throw CoreError("max_nodes", "compiling the spec");
  }

  // Equal leaves share a number; `value` is what makes them equal.
  void leaf(Op op, PyObject* node, uint64_t& weight) {
    std::string value(1, static_cast<char>(op));
    if (op == Literal) {
      const nb::object data = field(node, fields().data);
      value += bytes(data.ptr());
      if (known(node, value)) return;
      put({op});
      text(data.ptr());
    } else if (op == Literals) {
      const Members options(field(node, fields().options));
      weight = static_cast<uint64_t>(options.size());
      for (Py_ssize_t i = 0; i < options.size(); ++i) {
        const std::string_view data = bytes(options[i]);
        value += std::to_string(data.size()) + ":";
        value += data;
      }
      if (known(node, value)) return;
      put({op, static_cast<int32_t>(options.size())});
      for (Py_ssize_t i = 0; i < options.size(); ++i) text(options[i]);
    } else if (op == Substrings) {
      const nb::object data = field(node, fields().data), cuts = field(node, fields().cuts);
      const Members places(cuts.is_none() ? nb::object(nb::tuple()) : cuts);
      weight += (bytes(data.ptr()).size() + places.size()) / kTextOfANode;
      put({op, static_cast<int32_t>(places.size())});
      text(data.ptr());
      for (Py_ssize_t i = 0; i < places.size(); ++i) out_.code.push_back(times(nb::borrow(places[i])));
      number_[node] = count_++;
      return;
    } else if (op == Bytes || op == Chars) {
      const Members ranges(field(node, fields().ranges));
      std::vector<int32_t> bounds{op, static_cast<int32_t>(ranges.size())};
      for (Py_ssize_t i = 0; i < ranges.size(); ++i) {
        const Members range(nb::borrow(ranges[i]));
        for (Py_ssize_t k = 0; k < 2; ++k) {
          const long bound = k < range.size() ? PyLong_AsLong(range[k]) : -1;
          if (bound == -1 && PyErr_Occurred()) throw nb::python_error();
          bounds.push_back(static_cast<int32_t>(bound));
        }
      }
      value.append(reinterpret_cast<const char*>(bounds.data()), bounds.size() * sizeof(int32_t));
      if (known(node, value)) return;
      out_.code.insert(out_.code.end(), bounds.begin(), bounds.end());
    } else {
      if (known(node, value)) return;
      put({op});
    }
    number_[node] = by_value_[value] = count_++;
  }

  bool known(PyObject* node, const std::string& value) {
    const auto found = by_value_.find(value);
    if (found == by_value_.end()) return false;
    number_[node] = found->second;
    return true;
  }

  void reference(PyObject* node) {
    const nb::object name = field(node, fields().name);
    if (PyObject* found = PyDict_GetItemWithError(references_.ptr(), name.ptr())) {
      number_[node] = static_cast<int32_t>(PyLong_AsLong(found));
      return;
    }
    if (PyErr_Occurred()) throw nb::python_error();
    const uint64_t waiting = bodies_.size() - done_;
    const bool enough = weight_ + waiting * kTypical >= at_once_;
    const int32_t later = key_.is_none() ? -1 : key(name, enough);
    if (later >= 0) {
      put({Later, later});
    } else {
      put({Ref, static_cast<int32_t>(bodies_.size())});
      bodies_.push_back(body_(name));
      names_.push_back(name);
    }
    references_[name] = count_;
    number_[node] = count_++;
  }

  int32_t key(const nb::object& name, bool enough) const { return nb::cast<int32_t>(key_(name, enough)); }

  static int32_t times(const nb::object& number) {
    int overflow = 0;
    const long value = PyLong_AsLongAndOverflow(number.ptr(), &overflow);
    if (value == -1 && PyErr_Occurred()) throw nb::python_error();
    if (overflow || value > INT32_MAX) throw CoreError("max_nodes", "counting repetitions");
    return static_cast<int32_t>(value);
  }

  static std::string_view bytes(PyObject* data) {
    if (!PyBytes_Check(data)) throw CoreError("", "the text of a grammar node is not bytes");
    return {PyBytes_AS_STRING(data), static_cast<size_t>(PyBytes_GET_SIZE(data))};
  }

  void text(PyObject* data) {
    const std::string_view view = bytes(data);
    put({static_cast<int32_t>(out_.pool.size()), static_cast<int32_t>(view.size())});
    out_.pool += view;
  }

  void put(std::initializer_list<int32_t> numbers) { out_.code.insert(out_.code.end(), numbers); }

  static const Fields& fields() {
    static const Fields names;  // for the life of the process
    return names;
  }

  nb::tuple kinds_;
  nb::callable body_;
  nb::object key_;
  uint64_t most_, at_once_;
  OwnedProgram out_;
  std::unordered_map<PyObject*, int32_t> number_;
  std::unordered_map<std::string, int32_t> by_value_;
  nb::dict references_;
  std::vector<nb::object> bodies_, names_;
  size_t done_ = 0;
  int32_t count_ = 0;
  uint64_t weight_ = 0;
};

}  // namespace

OwnedProgram written(nb::handle start, nb::tuple kinds, nb::callable body, nb::object key, uint64_t most,
                     uint64_t at_once) {
  return Writer(std::move(kinds), std::move(body), std::move(key), most, at_once).program(start);
}

}  // namespace constrained
