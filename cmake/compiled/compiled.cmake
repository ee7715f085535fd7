# norma::compiled: the engine as a library, compiled once for each instruction set; the first call chooses. Who links it compiles doors and
# layers alone.

# What the kernels know of this processor; the first is what every one of its kind has.
if(NORMA_PORTABLE OR CMAKE_CXX_COMPILER_ID STREQUAL "MSVC")
  set(norma_sets generic)
elseif(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64|amd64)$" AND CMAKE_SIZEOF_VOID_P EQUAL 8)
  set(norma_sets sse2 avx2 avx512)
elseif(CMAKE_SYSTEM_PROCESSOR MATCHES "^(aarch64|arm64|ARM64)$")
  set(norma_sets neon)
else()
  set(norma_sets generic)
endif()
set(norma_flags_sse2 -march=x86-64)
set(norma_flags_avx2 -march=x86-64 -mavx2 -mfma -mf16c)
set(norma_flags_avx512 -march=x86-64 -mavx512f -mavx512bw -mavx512dq -mavx512vl -mfma -mf16c)
set(norma_flags_neon "")
set(norma_flags_generic -DNORMA_PORTABLE)

# Functions that C++ puts into every object that uses them, std::vector's among them, are in these objects compiled for processors that the
# program may not run on, and a linker keeps one of all that have a name. So each set's object is made to show its table and nothing else,
# which the GNU tools can.
set(norma_hides OFF)
list(LENGTH norma_sets norma_several)
if(norma_several GREATER 1 AND CMAKE_OBJCOPY AND NOT APPLE AND NOT WIN32)
  find_program(NORMA_GNU_LD ld.bfd) # where CMAKE_LINKER is another, as with clang
  mark_as_advanced(NORMA_GNU_LD)
  foreach(linker IN ITEMS "${CMAKE_LINKER}" "${NORMA_GNU_LD}")
    if(linker AND NOT norma_hides)
      execute_process(COMMAND "${linker}" --help OUTPUT_VARIABLE linker_help ERROR_QUIET)
      if(linker_help MATCHES "--force-group-allocation")
        set(norma_hides "${linker}")
      endif()
    endif()
  endforeach()
endif()
if(norma_several GREATER 1 AND NOT norma_hides)
  list(GET norma_sets 0 norma_sets)
  message(STATUS "norma: norma::compiled will have ${norma_sets} alone: for more, ld and objcopy of the GNU binutils are needed")
endif()
set(NORMA_COMPILED_SETS ${norma_sets} CACHE STRING "Instruction sets of norma::compiled: some of ${norma_sets}")

set(norma_objects "")
foreach(set IN LISTS NORMA_COMPILED_SETS)
  if(NOT set IN_LIST norma_sets)
    message(FATAL_ERROR "norma: NORMA_COMPILED_SETS names ${set}; here it can be some of ${norma_sets}")
  endif()
  add_library(norma_engine_${set} OBJECT "${CMAKE_CURRENT_LIST_DIR}/engine.cpp")
  target_link_libraries(norma_engine_${set} PRIVATE norma)
  target_compile_definitions(norma_engine_${set} PRIVATE NORMA_COMPILED NORMA_COMPILED_ENGINE NORMA_TABLE=${set})
  # What is unique in a program cannot be hidden.
  target_compile_options(norma_engine_${set} PRIVATE ${norma_flags_${set}} $<$<CXX_COMPILER_ID:GNU>:-fno-gnu-unique> $<$<NOT:$<CXX_COMPILER_ID:MSVC>>:-fno-lto>)
  set_target_properties(
    norma_engine_${set}
    PROPERTIES POSITION_INDEPENDENT_CODE ON
               CXX_VISIBILITY_PRESET hidden
               VISIBILITY_INLINES_HIDDEN ON
               INTERPROCEDURAL_OPTIMIZATION OFF)
  if(NOT norma_hides)
    target_compile_definitions(norma_engine_${set} PRIVATE NORMA_ONE_SET=1)
    list(APPEND norma_objects $<TARGET_OBJECTS:norma_engine_${set}>)
    continue()
  endif()
  set(object "${CMAKE_CURRENT_BINARY_DIR}/norma_engine_${set}.o")
  add_custom_command(
    OUTPUT "${object}"
    COMMAND "${norma_hides}" -r --force-group-allocation -o "${object}" $<TARGET_OBJECTS:norma_engine_${set}>
    COMMAND "${CMAKE_OBJCOPY}" --keep-global-symbol=norma_table_${set} "${object}"
    DEPENDS $<TARGET_OBJECTS:norma_engine_${set}>
    COMMENT "Hiding all of the engine for ${set} but its table" COMMAND_EXPAND_LISTS VERBATIM)
  set_source_files_properties("${object}" PROPERTIES EXTERNAL_OBJECT ON GENERATED ON)
  list(APPEND norma_objects "${object}")
endforeach()

add_library(norma_compiled STATIC "${CMAKE_CURRENT_LIST_DIR}/dispatch.cpp" ${norma_objects})
add_library(norma::compiled ALIAS norma_compiled)
target_link_libraries(norma_compiled PUBLIC norma)
list(TRANSFORM NORMA_COMPILED_SETS TOUPPER OUTPUT_VARIABLE norma_has)
list(TRANSFORM norma_has REPLACE "(.+)" "NORMA_HAS_\\1=1")
if(NOT norma_hides)
  list(APPEND norma_has NORMA_ONE_SET=1)
endif()
target_compile_definitions(norma_compiled PUBLIC NORMA_COMPILED PRIVATE ${norma_has})
set_target_properties(norma_compiled PROPERTIES EXPORT_NAME compiled POSITION_INDEPENDENT_CODE ON)
