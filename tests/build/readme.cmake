# Every C++ block of a README becomes a program that is built and run. A block with a main is one already; in any other the includes
# stand in front of a main and the rest inside it.
file(GLOB pages CONFIGURE_DEPENDS RELATIVE "${PROJECT_SOURCE_DIR}" "${PROJECT_SOURCE_DIR}/README.md" "${PROJECT_SOURCE_DIR}/*/README.md"
     "${PROJECT_SOURCE_DIR}/examples/*/README.md" "${PROJECT_SOURCE_DIR}/include/norma/README.md")

# norma_readme_program(block program): turns the text of a block into that of a program. C++ is full of what CMake's lists trip over, so
# only the include lines, where nothing but a comment can suffer, ever become a list.
function(norma_readme_program block program)
  if(block MATCHES "int main\\(")
    set(${program} "${block}" PARENT_SCOPE)
    return()
  endif()
  string(REGEX MATCHALL "(^|\n)#include [^\n]*" includes "${block}")
  list(JOIN includes "" includes)
  string(REGEX REPLACE "(^|\n)#include [^\n]*" "" statements "${block}")
  set(${program} "${includes}\n\nint main() {${statements}\n}\n" PARENT_SCOPE)
endfunction()

# norma_readme_blocks(page): its blocks are build.readme/block_<n> if it is the project's README, build.readme/<folder>_block_<n> else.
function(norma_readme_blocks page)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/${page}")
  cmake_path(GET page PARENT_PATH folder)
  string(REPLACE "/" "_" prefix "${folder}_block")
  string(REGEX REPLACE "^_" "" prefix "${prefix}")

  file(READ "${PROJECT_SOURCE_DIR}/${page}" rest)
  set(count 0)
  while(TRUE)
    string(FIND "${rest}" "\n```cpp\n" begin)
    if(begin EQUAL -1)
      break()
    endif()
    math(EXPR begin "${begin} + 8")
    string(SUBSTRING "${rest}" ${begin} -1 rest)
    string(FIND "${rest}" "\n```" end)
    string(SUBSTRING "${rest}" 0 ${end} block)
    string(SUBSTRING "${rest}" ${end} -1 rest)
    math(EXPR count "${count} + 1")

    norma_readme_program("${block}" program)
    set(name ${prefix}_${count})
    set(source "${CMAKE_CURRENT_BINARY_DIR}/readme/${name}.cpp")
    file(WRITE "${source}.new" "// Block ${count} of ${page}.\n${program}\n")
    file(COPY_FILE "${source}.new" "${source}" ONLY_IF_DIFFERENT)
    norma_add_user_program(norma_readme_${name} "${source}")
    # What is shown may define a variable for a reader's sake, or shadow a name in a lambda.
    target_compile_options(norma_readme_${name} PRIVATE -Wno-unused-variable -Wno-unused-parameter -Wno-shadow)
    add_test(NAME build.readme/${name} COMMAND norma_readme_${name})
    set_tests_properties(build.readme/${name} PROPERTIES LABELS build TIMEOUT 60)

    # The first block of the project's README is the quickstart, to the letter.
    if(name STREQUAL "block_1")
      set(quickstart "${CMAKE_CURRENT_BINARY_DIR}/readme/quickstart.txt")
      file(WRITE "${quickstart}" "${block}\n")
      add_test(NAME build.readme/first_block_is_quickstart COMMAND ${CMAKE_COMMAND} -E compare_files "${quickstart}"
                                                                   "${PROJECT_SOURCE_DIR}/examples/quickstart.cpp")
      set_tests_properties(build.readme/first_block_is_quickstart PROPERTIES LABELS build TIMEOUT 60)
    endif()
  endwhile()
  message(STATUS "norma: ${count} C++ blocks of ${page} are compiled and run")
  set(norma_readme_count ${count} PARENT_SCOPE)
endfunction()

foreach(page IN LISTS pages)
  norma_readme_blocks("${page}")
  if(page MATCHES "^(examples/)?README.md$" AND norma_readme_count LESS 2)
    message(FATAL_ERROR "norma: only ${norma_readme_count} C++ blocks were found in ${page}")
  endif()
endforeach()

# Their links lead somewhere, and those to lines of code to the right ones.
norma_add_program(norma_readme_links readme_links.cpp)
add_test(NAME build.readme/links COMMAND norma_readme_links "${PROJECT_SOURCE_DIR}" ${pages})
add_test(NAME build.readme/links_finds_wrong_ones COMMAND norma_readme_links "${PROJECT_SOURCE_DIR}" --self-test)
set_tests_properties(build.readme/links build.readme/links_finds_wrong_ones PROPERTIES LABELS build TIMEOUT 60)
