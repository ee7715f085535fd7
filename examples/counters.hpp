// How often this program asks for memory and locks a mutex (POSIX): a program's one .cpp includes it and so replaces both for all of it.
#pragma once

#include <dlfcn.h>
#include <pthread.h>

#include <atomic>
#include <cstddef>
#include <cstdlib>
#include <new>

inline std::atomic<long> allocations{0}, locks{0};  // of all threads, so far

void* operator new(std::size_t size, std::align_val_t alignment) {
  ++allocations;
  const auto a = static_cast<std::size_t>(alignment);
  void* const p = std::aligned_alloc(a, (size + a) / a * a);
  return p != nullptr ? p : throw std::bad_alloc();
}
void* operator new(std::size_t size) { return operator new (size, std::align_val_t{alignof(std::max_align_t)}); }
void operator delete(void* p) noexcept { std::free(p); }
void operator delete(void* p, std::size_t) noexcept { std::free(p); }
void operator delete(void* p, std::align_val_t) noexcept { std::free(p); }
void operator delete(void* p, std::size_t, std::align_val_t) noexcept { std::free(p); }

/// The linker finds this one before the C library's. std::mutex ends here, and so does an OpenMP or TBB that would wait for one.
extern "C" int pthread_mutex_lock(pthread_mutex_t* mutex) noexcept {
  static const auto lock = reinterpret_cast<int (*)(pthread_mutex_t*)>(dlsym(RTLD_NEXT, "pthread_mutex_lock"));
  ++locks;
  return lock(mutex);
}
