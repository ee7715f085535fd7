# Toolchain file: Windows on x86-64 by Debian's MinGW-w64, programs run by wine. The assembler makes aligned vector moves unaligned ones: GCC
# aligns no stack frame to 32 bytes on Windows (its bug 54412).
set(CMAKE_SYSTEM_NAME Windows)
set(CMAKE_SYSTEM_PROCESSOR x86_64)
set(CMAKE_CXX_COMPILER x86_64-w64-mingw32-g++-posix)
set(CMAKE_CXX_FLAGS_INIT -Wa,-muse-unaligned-vector-move)
set(CMAKE_EXE_LINKER_FLAGS_INIT -static)
set(CMAKE_CROSSCOMPILING_EMULATOR wine)
set(Eigen3_DIR /usr/share/eigen3/cmake CACHE PATH "Eigen's CMake package")

include("${CMAKE_CURRENT_LIST_DIR}/xsimd-alone.cmake")
