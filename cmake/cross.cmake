# Toolchain file: Debian's cross compiler for -DNORMA_TARGET=<triple> (aarch64-linux-gnu, riscv64-linux-gnu, s390x-linux-gnu), programs run by
# qemu-user. Programs are linked statically, so that the emulator needs no foreign libraries.
set(CMAKE_TRY_COMPILE_PLATFORM_VARIABLES NORMA_TARGET)
string(REGEX MATCH "^[^-]+" CMAKE_SYSTEM_PROCESSOR "${NORMA_TARGET}")
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_CXX_COMPILER "${NORMA_TARGET}-g++")
set(CMAKE_EXE_LINKER_FLAGS_INIT -static)
if(CMAKE_SYSTEM_PROCESSOR STREQUAL "riscv64")
  set(CMAKE_CXX_STANDARD_LIBRARIES_INIT -latomic) # where g++ before 13 has atomic operations on a byte
endif()
set(CMAKE_CROSSCOMPILING_EMULATOR "qemu-${CMAKE_SYSTEM_PROCESSOR}")

include("${CMAKE_CURRENT_LIST_DIR}/xsimd-alone.cmake")
