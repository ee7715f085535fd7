# Every C++ block of README.md becomes a program that is built and run. A block with a main is one already; in any other the includes
# stand in front of a main and the rest inside it.
set(readme "${PROJECT_SOURCE_DIR}/README.md")
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${readme}")

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

file(READ "${readme}" rest)
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
  set(source "${CMAKE_CURRENT_BINARY_DIR}/readme/block_${count}.cpp")
  file(WRITE "${source}.new" "// Block ${count} of README.md.\n${program}\n")
  file(COPY_FILE "${source}.new" "${source}" ONLY_IF_DIFFERENT)
  norma_add_user_program(norma_readme_block_${count} "${source}")
  # What is shown may define a variable for a reader's sake, or shadow a name in a lambda.
  target_compile_options(norma_readme_block_${count} PRIVATE -Wno-unused-variable -Wno-unused-parameter -Wno-shadow)
  add_test(NAME build.readme/block_${count} COMMAND norma_readme_block_${count})
  set_tests_properties(build.readme/block_${count} PROPERTIES LABELS build TIMEOUT 60)

  # The first block is the quickstart, to the letter.
  if(count EQUAL 1)
    set(quickstart "${CMAKE_CURRENT_BINARY_DIR}/readme/quickstart.txt")
    file(WRITE "${quickstart}" "${block}\n")
    add_test(NAME build.readme/first_block_is_quickstart COMMAND ${CMAKE_COMMAND} -E compare_files "${quickstart}"
                                                                 "${PROJECT_SOURCE_DIR}/examples/quickstart.cpp")
    set_tests_properties(build.readme/first_block_is_quickstart PROPERTIES LABELS build TIMEOUT 60)
  endif()
endwhile()

if(count LESS 2)
  message(FATAL_ERROR "norma: only ${count} C++ blocks were found in README.md")
endif()
message(STATUS "norma: ${count} C++ blocks of README.md are compiled and run")

# Its links lead somewhere, and those to lines of code to the right ones.
norma_add_program(norma_readme_links readme_links.cpp)
add_test(NAME build.readme/links COMMAND norma_readme_links "${PROJECT_SOURCE_DIR}")
add_test(NAME build.readme/links_finds_wrong_ones COMMAND norma_readme_links "${PROJECT_SOURCE_DIR}" --self-test)
set_tests_properties(build.readme/links build.readme/links_finds_wrong_ones PROPERTIES LABELS build TIMEOUT 60)
