// Python bindings: argument checks and the translation of errors, no logic.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/shared_ptr.h>
#include <nanobind/stl/vector.h>

#include <cstring>

#include "lowering.h"
#include "masks.h"

namespace nb = nanobind;
using namespace constrained;

namespace {

using Row = nb::ndarray<int32_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using Rows = nb::ndarray<int32_t, nb::ndim<2>, nb::c_contig, nb::device::cpu>;

std::vector<int32_t> numbers(const nb::bytes& data) {
  if (data.size() % sizeof(int32_t)) throw nb::value_error("not a whole number of int32");
  std::vector<int32_t> out(data.size() / sizeof(int32_t));
  if (!out.empty()) std::memcpy(out.data(), data.c_str(), data.size());
  return out;
}

nb::bytes to_bytes(const std::vector<int32_t>& numbers) {
  return nb::bytes(numbers.data(), numbers.size() * sizeof(int32_t));
}

constexpr size_t kPiece = 4096;  // bytes

nb::bytes to_bytes(const std::string& s) { return nb::bytes(s.data(), s.size()); }

// One grammar in the masks (or, without a vocabulary, the store) it shares.
class Core {
 public:
  // `fetch(key) -> Program`: the rules that the program names by key, when they are needed; None
  // for a program without such rules.
  // `least(key) -> int`: bytes that no text of such a rule has fewer of.
  Core(std::shared_ptr<Vocabulary> vocabulary, const OwnedProgram& program, const Bounds& bounds, nb::object fetch,
       nb::object least)
      : fetch_(std::move(fetch)),
        least_(std::move(least)),
        vocabulary_(std::move(vocabulary)),
        masks_(vocabulary_ ? vocabulary_->masks() : nullptr),
        own_store_(vocabulary_ ? nullptr : new Store) {
    account_.bounds = bounds;
    if (!fetch_.is_none()) {
      later_ = std::make_shared<LaterRules>();
      later_->fetch = [this](int32_t key) {
        nb::gil_scoped_acquire acquire;  // never held by one who waits for the store
        return nb::cast<OwnedProgram>(fetch_(key));
      };
      later_->least = [this](int32_t key) {
        nb::gil_scoped_acquire acquire;
        return nb::cast<uint32_t>(least_(key));
      };
    }
    nb::gil_scoped_release release;
    Call call(account_);
    start_ = load(store(), program.view(), call, later_);
  }

  TermId start() const { return start_; }
  Store& store() { return masks_ ? masks_->store : *own_store_; }
  Masks& masks() {
    if (!masks_) throw nb::value_error("this engine has no vocabulary");
    return *masks_;
  }
  const Vocabulary& vocabulary() const { return *vocabulary_; }
  Account& account() { return account_; }
  TermId check(TermId state) {
    if (state == kNothing || state >= store().size()) throw nb::index_error("no such state");
    return state;
  }

 private:
  nb::object fetch_, least_;
  std::shared_ptr<LaterRules> later_;
  std::shared_ptr<Vocabulary> vocabulary_;
  std::shared_ptr<Masks> masks_;
  std::unique_ptr<Store> own_store_;
  Account account_{};
  TermId start_ = kNothing;
};

uint32_t* row_words(Core& core, Row& row) {
  if (row.size() != core.vocabulary().words()) throw nb::value_error("the row has the wrong length");
  return reinterpret_cast<uint32_t*>(row.data());
}

}  // namespace

NB_MODULE(_native, m) {
  // Engines may live as long as the interpreter (cached on specs and vocabularies): no leak report.
  nb::set_leak_warnings(false);
  m.doc() = "The engine's core: terms, derivatives and masks over bytes.";

  // CoreError(limit, message) in Python: `constrained.engine` turns it into the public errors.
  static nb::object core_error = nb::steal(PyErr_NewException("constrained._core._native.CoreError", nullptr, nullptr));
  m.attr("CoreError") = core_error;
  nb::register_exception_translator([](const std::exception_ptr& p, void*) {
    try {
      std::rethrow_exception(p);
    } catch (const CoreError& e) {
      PyErr_SetObject(core_error.ptr(), nb::make_tuple(e.limit, std::string(e.what())).ptr());
    }
  });

  nb::class_<OwnedProgram>(m, "Program")
      .def("__init__",
           [](OwnedProgram* self, nb::bytes code, nb::bytes pool, nb::bytes bodies, int32_t start) {
             new (self) OwnedProgram{numbers(code), numbers(bodies), {}, std::string(pool.c_str(), pool.size()), start};
           },
           nb::arg("code"), nb::arg("pool"), nb::arg("bodies"), nb::arg("start"))
      .def_prop_ro("code", [](const OwnedProgram& p) { return to_bytes(p.code); })
      .def_prop_ro("pool", [](const OwnedProgram& p) { return to_bytes(p.pool); })
      .def_prop_ro("bodies", [](const OwnedProgram& p) { return to_bytes(p.bodies); })
      .def_prop_ro("keys", [](const OwnedProgram& p) { return to_bytes(p.keys); })
      .def_ro("start", &OwnedProgram::start)
      .def(
          "check", [](const OwnedProgram& p, uint64_t most_nodes) { check_stored(p.view(), most_nodes); },
          nb::arg("most_nodes"));

  m.def("written", &written, nb::arg("start"), nb::arg("kinds"), nb::arg("body"), nb::arg("key").none(),
        nb::arg("most"), nb::arg("at_once"),
        nb::sig("def written(start: object, kinds: tuple[type, ...], body: collections.abc.Callable[[str], object], "
                "key: collections.abc.Callable[[str, bool], int] | None, most: int, at_once: int) -> Program"));

  nb::class_<Bounds>(m, "Bounds")
      .def("__init__", [](Bounds* self, uint64_t terms, uint64_t steps, uint64_t nodes, uint32_t depth,
                          uint64_t mask_bytes) { new (self) Bounds{terms, steps, nodes, depth, mask_bytes}; },
           nb::arg("terms"), nb::arg("steps"), nb::arg("nodes"), nb::arg("depth"), nb::arg("mask_bytes"));

  nb::class_<Vocabulary>(m, "Vocabulary")
      .def("__init__",
           [](Vocabulary* self, std::vector<nb::bytes> texts, std::vector<uint32_t> end_ids, uint32_t width,
              const OwnedProgram& plain, uint64_t store_bytes, const std::vector<uint32_t>& marks) {
             std::vector<std::string> copied;
             copied.reserve(texts.size());
             for (const nb::bytes& text : texts) copied.emplace_back(text.c_str(), text.size());
             nb::gil_scoped_release release;
             new (self) Vocabulary(std::move(copied), std::move(end_ids), width, plain, store_bytes, marks);
           },
           nb::arg("texts"), nb::arg("end_ids"), nb::arg("width"), nb::arg("plain"), nb::arg("store_bytes"),
           nb::arg("marks"));

  nb::class_<Core>(m, "Core")
      .def("__init__",
           [](Core* self, std::shared_ptr<Vocabulary> vocabulary, const OwnedProgram& program, const Bounds& bounds,
              nb::object fetch, nb::object least) {
             new (self) Core(std::move(vocabulary), program, bounds, std::move(fetch), std::move(least));
           },
           nb::arg("vocabulary").none(), nb::arg("program"), nb::arg("bounds"), nb::arg("fetch").none(),
           nb::arg("least").none())
      .def_prop_ro("start", &Core::start)
      .def("accepting", [](Core& c, TermId s) { return c.store()[c.check(s)].nullable; }, nb::arg("state"))
      .def("advance",
           [](Core& c, TermId s, uint32_t token) {
             c.check(s);
             nb::gil_scoped_release release;
             Call call(c.account());
             return c.masks().advance(s, token, call);
           },
           nb::arg("state"), nb::arg("token"))
      .def("advance_bytes",
           [](Core& c, TermId s, nb::bytes data) {
             c.check(s);
             std::string_view view(data.c_str(), data.size());
             nb::gil_scoped_release release;
             // Long texts are long work that no one is surprised by: the bound is for each piece.
             for (size_t at = 0; at < view.size() && s != kNothing; at += kPiece) {
               Call call(c.account());
               s = advance_bytes(c.store(), s, view.substr(at, kPiece), call);
             }
             return s;
           },
           nb::arg("state"), nb::arg("data"))
      .def("fill_mask",
           [](Core& c, TermId s, Row row) {
             c.check(s);
             uint32_t* words = row_words(c, row);
             nb::gil_scoped_release release;
             c.masks().fill(s, words, c.account());
           },
           nb::arg("state"), nb::arg("row").noconvert())
      .def("fill_masks",
           [](Core& c, const std::vector<TermId>& states, Rows rows, unsigned threads) {
             for (TermId s : states) c.check(s);
             if (rows.shape(0) != states.size() || rows.shape(1) != c.vocabulary().words())
               throw nb::value_error("the rows have the wrong shape");
             auto* words = reinterpret_cast<uint32_t*>(rows.data());
             nb::gil_scoped_release release;
             c.masks().fill_all(states, words, rows.shape(1), threads, c.account());
           },
           nb::arg("states"), nb::arg("rows").noconvert(), nb::arg("threads"))
      .def("fill_mask_within",
           [](Core& c, TermId s, Row row, uint32_t budget) {
             c.check(s);
             uint32_t* words = row_words(c, row);
             nb::gil_scoped_release release;
             Call call(c.account());
             c.masks().fill_within(s, words, budget, call);
           },
           nb::arg("state"), nb::arg("row").noconvert(), nb::arg("budget"))
      .def("forced",
           [](Core& c, TermId s) {
             Call call(c.account());
             std::string out;
             {
               nb::gil_scoped_release release;
               out = c.store().forced(c.check(s), call);
             }
             return to_bytes(out);
           },
           nb::arg("state"))
      .def("distance",
           [](Core& c, TermId s) {
             c.check(s);
             nb::gil_scoped_release release;
             Call call(c.account());
             return c.store().distance(s, call);
           },
           nb::arg("state"))
      .def("completion",
           [](Core& c, TermId s) {
             c.check(s);
             Call call(c.account());
             std::string out;
             {
               nb::gil_scoped_release release;
               out = c.store().completion(s, call);
             }
             return to_bytes(out);
           },
           nb::arg("state"))
      .def("cost",
           [](Core& c, TermId s) {
             c.check(s);
             nb::gil_scoped_release release;
             Call call(c.account());
             return c.masks().cost(s, call);
           },
           nb::arg("state"))
      .def("final",
           [](Core& c, TermId s) {
             c.check(s);
             nb::gil_scoped_release release;
             Call call(c.account());
             return c.store().is_final(s, call);
           },
           nb::arg("state"))
      .def("transitions",
           [](Core& c, TermId s) -> nb::typed<nb::list, nb::typed<nb::tuple, nb::bytes, TermId>> {
             c.check(s);
             std::vector<std::pair<std::string, TermId>> out;
             {
               nb::gil_scoped_release release;
               Call call(c.account());
               const Partition* p = c.store().edges(s, call)->partition;
               for (unsigned k = 0; k < p->classes; ++k) {
                 TermId next = c.store().step(s, p->first[k], call);
                 if (next == kNothing) continue;
                 std::string bytes;
                 for (unsigned b = 0; b < 256; ++b)
                   if (p->class_of[b] == k) bytes.push_back(static_cast<char>(b));
                 out.emplace_back(std::move(bytes), next);
               }
             }
             nb::list list;
             for (auto& [bytes, next] : out) list.append(nb::make_tuple(to_bytes(bytes), next));
             return nb::borrow<nb::typed<nb::list, nb::typed<nb::tuple, nb::bytes, TermId>>>(list);
           },
           nb::arg("state"))
      .def("stats", [](Core& c) -> nb::typed<nb::dict, nb::str, uint64_t> {
        nb::dict d;
        d["terms"] = c.account().terms.load();
        d["store_terms"] = c.store().size();
        d["store_bytes"] = c.store().memory();
        return nb::borrow<nb::typed<nb::dict, nb::str, uint64_t>>(d);
      });
}
