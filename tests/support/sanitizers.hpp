// What programs under a sanitizer cannot be asked for.
#pragma once

namespace norma_test {

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define NORMA_TEST_ADDRESS_SANITIZER
#endif
#if __has_feature(thread_sanitizer)
#define NORMA_TEST_THREAD_SANITIZER
#endif
#endif
#if defined(NORMA_TEST_ADDRESS_SANITIZER) || defined(__SANITIZE_ADDRESS__)
/// Its operator new ends the program where others throw, and its frames are several times as large.
inline constexpr bool under_address_sanitizer = true;
#else
inline constexpr bool under_address_sanitizer = false;
#endif

}  // namespace norma_test
