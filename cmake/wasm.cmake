# Toolchain file: WebAssembly by emscripten, programs run by node. -DNORMA_ARCH=-msimd128 lets the compiler use vectors. Threads are there for
# the norms over ranks, which are threads in the tests; the main one is a thread, too, and so may wait for others.
set(CMAKE_SYSTEM_NAME Generic)
set(CMAKE_SYSTEM_PROCESSOR wasm32)
set(CMAKE_CXX_COMPILER em++)
set(CMAKE_AR emar CACHE FILEPATH "")
set(CMAKE_RANLIB emranlib CACHE FILEPATH "")
set(CMAKE_CXX_COMPILER_WORKS ON) # CMake's own probe wants an executable that the host runs
set(CMAKE_EXECUTABLE_SUFFIX .js)
set(CMAKE_CXX_FLAGS_INIT "-fexceptions -pthread")
set(CMAKE_EXE_LINKER_FLAGS_INIT "-sPROXY_TO_PTHREAD -sPTHREAD_POOL_SIZE=8 -sEXIT_RUNTIME -sINITIAL_MEMORY=1GB -sTOTAL_STACK=8MB")
set(CMAKE_CROSSCOMPILING_EMULATOR "node;--experimental-wasm-threads;--experimental-wasm-bulk-memory")
set(Eigen3_DIR /usr/share/eigen3/cmake CACHE PATH "Eigen's CMake package")
