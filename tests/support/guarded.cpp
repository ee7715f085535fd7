// Pages from Windows or from POSIX. A translation unit of its own: nothing else is to see the macros of <windows.h>.
#include "support/guarded.hpp"

#ifdef _WIN32
#include <windows.h>
#else
#include <sys/mman.h>
#include <unistd.h>
#endif

namespace norma_test::pages {

#ifdef _WIN32
std::size_t size() {
  SYSTEM_INFO info;
  GetSystemInfo(&info);
  return info.dwPageSize;
}
void* get(std::size_t bytes) { return VirtualAlloc(nullptr, bytes, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE); }
bool close(void* p, std::size_t bytes) {
  DWORD before = 0;
  return VirtualProtect(p, bytes, PAGE_NOACCESS, &before) != 0;
}
void give_back(void* p, std::size_t) { VirtualFree(p, 0, MEM_RELEASE); }
#else
std::size_t size() { return static_cast<std::size_t>(sysconf(_SC_PAGESIZE)); }
void* get(std::size_t bytes) {
  void* const map = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return map == MAP_FAILED ? nullptr : map;
}
bool close(void* p, std::size_t bytes) { return mprotect(p, bytes, PROT_NONE) == 0; }
void give_back(void* p, std::size_t bytes) { munmap(p, bytes); }
#endif

}  // namespace norma_test::pages
