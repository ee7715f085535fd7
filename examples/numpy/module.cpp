// norma as a Python module for numpy arrays of any strides (pybind11): arrays are seen where they lie, none is copied or converted.
#include <cstdint>
#include <optional>
#include <string>
#include <type_traits>
#include <vector>

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <norma/norma.hpp>

namespace {

namespace py = pybind11;
using norma::TensorView;

// py::array is the array as it is. py::array_t<float> would convert others: a copy, in which an output would be lost.
using Optional = std::optional<py::array>;

/// numpy counts strides in bytes, norma in elements: whoever lies between them (a field of a record) is refused, and so is another dtype.
template <class T, class Data>
TensorView<T> view(const std::string& name, const py::array& array, Data* data) {
  if (!py::isinstance<py::array_t<std::remove_const_t<T>>>(array)) {
    throw py::type_error(name + " is an array of " + py::str(array.dtype()).cast<std::string>() + "; wanted is float32 or float64, in all");
  }
  norma::Extents extents, strides;
  bool whole = reinterpret_cast<std::uintptr_t>(data) % alignof(T) == 0;
  for (py::ssize_t a = 0; a < array.ndim(); ++a) {
    whole = whole && (array.shape(a) < 2 || array.strides(a) % array.itemsize() == 0);
    extents.push_back(array.shape(a));
    strides.push_back(array.strides(a) / array.itemsize());
  }
  if (!whole) throw py::value_error(name + ": elements do not lie at multiples of their size");
  return {static_cast<T*>(data), extents, strides};
}

/// None is the view of nothing, which norma takes for an absent parameter.
template <class T>
TensorView<const T> parameter(const char* name, const Optional& array) {
  return array ? view<const T>(name, *array, array->data()) : TensorView<const T>();
}

/// call(x, y) on views of x's element type, where y is out, or a new array whose axes lie as x's do. ShapeErrors arrive as ValueError.
template <class Call>
py::array normalize(const py::array& x, const Optional& out, const Call& call) {
  py::array y = out ? *out : py::array(py::module_::import("numpy").attr("empty_like")(x));
  const auto run = [&]<class T>(T) {
    const auto from = view<const T>("x", x, x.data());
    call(from, view<T>("out", y, y.mutable_data()));  // an error where it is read-only
  };
  py::isinstance<py::array_t<double>>(x) ? run(double()) : run(float());
  return y;
}

py::array layer_norm(const py::array& x, const std::vector<int>& axes, const Optional& weight, const Optional& bias, double eps,
                     const Optional& out) {
  return normalize(x, out, [&]<class T>(const TensorView<const T>& from, const TensorView<T>& to) {
    const auto w = parameter<T>("weight", weight), b = parameter<T>("bias", bias);
    const py::gil_scoped_release others_run;
    norma::layer_norm(from, to, {.axes = axes, .weight = w, .bias = b, .eps = eps});
  });
}

py::array rms_norm(const py::array& x, const std::vector<int>& axes, const Optional& weight, double eps, const Optional& out) {
  return normalize(x, out, [&]<class T>(const TensorView<const T>& from, const TensorView<T>& to) {
    const auto w = parameter<T>("weight", weight);
    const py::gil_scoped_release others_run;
    norma::rms_norm(from, to, {.axes = axes, .weight = w, .eps = eps});
  });
}

py::array batch_norm(const py::array& x, const py::array& mean, const py::array& variance, const Optional& weight, const Optional& bias,
                     double eps, const Optional& out) {
  return normalize(x, out, [&]<class T>(const TensorView<const T>& from, const TensorView<T>& to) {
    const auto m = parameter<T>("mean", mean), v = parameter<T>("variance", variance);
    const auto w = parameter<T>("weight", weight), b = parameter<T>("bias", bias);
    const py::gil_scoped_release others_run;
    norma::batch_norm(from, to, {.mean = m, .variance = v, .weight = w, .bias = b, .eps = eps});
  });
}

py::array group_norm(const py::array& x, int groups, const Optional& weight, const Optional& bias, double eps, const Optional& out) {
  return normalize(x, out, [&]<class T>(const TensorView<const T>& from, const TensorView<T>& to) {
    const auto w = parameter<T>("weight", weight), b = parameter<T>("bias", bias);
    const py::gil_scoped_release others_run;
    norma::group_norm(from, to, {.groups = groups, .weight = w, .bias = b, .eps = eps});
  });
}

}  // namespace

PYBIND11_MODULE(norma_numpy, m) {
  using py::arg;
  const std::vector<int> last = {-1};
  const py::none none;
  m.def("layer_norm", layer_norm, arg("x"), arg("axes") = last, arg("weight") = none, arg("bias") = none, arg("eps") = 1e-5,
        arg("out") = none);
  m.def("rms_norm", rms_norm, arg("x"), arg("axes") = last, arg("weight") = none, arg("eps") = 1e-6, arg("out") = none);
  m.def("batch_norm", batch_norm, arg("x"), arg("mean"), arg("variance"), arg("weight") = none, arg("bias") = none, arg("eps") = 1e-5,
        arg("out") = none);
  m.def("group_norm", group_norm, arg("x"), arg("groups"), arg("weight") = none, arg("bias") = none, arg("eps") = 1e-5, arg("out") = none);
  m.def("instruction_set", [] { return std::string(norma::instruction_set()); });
}
