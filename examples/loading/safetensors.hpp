// A safetensors file mapped into memory: a lookup for norma::load whose tensors are views of the file.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <stdexcept>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include <norma/norma.hpp>

static_assert(std::endian::native == std::endian::little, "the format's numbers are little-endian");

/// Read-only; pages are read as they are touched.
class MappedFile {
 public:
  explicit MappedFile(const std::string& path) {
    const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    struct stat about = {};
    if (file >= 0 && ::fstat(file, &about) == 0) size_ = static_cast<std::size_t>(about.st_size);
    void* const memory = size_ > 0 ? ::mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, file, 0) : MAP_FAILED;
    if (file >= 0) ::close(file);
    if (memory == MAP_FAILED) throw std::runtime_error(path + ": cannot be mapped");
    data_ = static_cast<const char*>(memory);
  }
  ~MappedFile() { ::munmap(const_cast<char*>(data_), size_); }
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  std::string_view bytes() const { return {data_, size_}; }

 private:
  const char* data_ = nullptr;
  std::size_t size_ = 0;
};

/// The file: 8 bytes with the length of a JSON header, the header, and behind it the elements that it describes by offsets.
class SafeTensors {
 public:
  /// Of a type that norma reads; std::monostate for others, as the integers of num_batches_tracked, and for names that are not there.
  using Tensor = std::variant<std::monostate, norma::TensorView<const float>, norma::TensorView<const double>,
                              norma::TensorView<const norma::float16>, norma::TensorView<const norma::bfloat16>>;

  explicit SafeTensors(const std::string& path) : file_(path) {
    std::uint64_t length = 0;
    const std::string_view bytes = file_.bytes();
    if (bytes.size() >= sizeof length) std::memcpy(&length, bytes.data(), sizeof length);
    if (bytes.size() < sizeof length || length > bytes.size() - sizeof length) throw std::runtime_error(path + ": no safetensors header");
    header_ = nlohmann::json::parse(bytes.substr(sizeof length, length));
    elements_ = bytes.substr(sizeof length + length);
  }

  Tensor operator()(std::string_view name) const {
    const auto entry = header_.find(name);
    if (entry == header_.end()) return {};
    const std::string type = entry->at("dtype");
    if (type == "F32") return view<float>(*entry);
    if (type == "F64") return view<double>(*entry);
    if (type == "F16") return view<norma::float16>(*entry);
    if (type == "BF16") return view<norma::bfloat16>(*entry);
    return {};
  }
  std::vector<std::string> names() const {
    std::vector<std::string> names;
    for (const auto& [name, entry] : header_.items()) {
      if (name != "__metadata__") names.push_back(name);
    }
    return names;
  }

 private:
  template <class T>
  Tensor view(const nlohmann::json& entry) const {
    const auto [begin, end] = entry.at("data_offsets").get<std::pair<std::uint64_t, std::uint64_t>>();
    if (begin > end || end > elements_.size()) throw std::runtime_error("a tensor reaches beyond the end of the file");
    const char* const first = elements_.data() + begin;
    if (reinterpret_cast<std::uintptr_t>(first) % alignof(T) != 0) throw std::runtime_error("a tensor is not aligned");
    const norma::TensorView<const T> tensor(reinterpret_cast<const T*>(first), entry.at("shape").get<std::vector<std::int64_t>>());
    if (static_cast<std::uint64_t>(tensor.size()) * sizeof(T) != end - begin) throw std::runtime_error("shape and offsets disagree");
    return tensor;
  }

  MappedFile file_;
  nlohmann::json header_;
  std::string_view elements_;
};
