# cmake -DLEFT=program [-DEMULATOR=command] -DRIGHT=program or -DREFERENCE=file -DSCRATCH=dir -P compare_hashes.cmake: fails unless the program
# prints the same lines as the other, or as the file has, and many of them. What each printed stays in dir/LEFT.txt and dir/RIGHT.txt.
file(MAKE_DIRECTORY "${SCRATCH}")
foreach(side IN ITEMS LEFT RIGHT)
  if(NOT "${${side}}" STREQUAL "")
    execute_process(COMMAND ${EMULATOR} "${${side}}" OUTPUT_FILE "${SCRATCH}/${side}.txt" RESULT_VARIABLE result)
    if(NOT result EQUAL 0)
      message(FATAL_ERROR "${${side}} ended with ${result}")
    endif()
  endif()
endforeach()
if("${RIGHT}" STREQUAL "")
  if(NOT EXISTS "${REFERENCE}")
    message(FATAL_ERROR "there is no file \"${REFERENCE}\" to compare with: the tests of the preset \"test\" write it")
  endif()
  file(COPY_FILE "${REFERENCE}" "${SCRATCH}/RIGHT.txt")
endif()

file(STRINGS "${SCRATCH}/LEFT.txt" hashed REGEX " [0-9a-f]+$")
list(LENGTH hashed count)
if(count LESS 10000)
  message(FATAL_ERROR "only ${count} lines with a hash: that compares nothing")
endif()

# A text file's lines end as the platform ends them.
execute_process(COMMAND ${CMAKE_COMMAND} -E compare_files --ignore-eol "${SCRATCH}/LEFT.txt" "${SCRATCH}/RIGHT.txt" RESULT_VARIABLE differ
                ERROR_QUIET)
if(differ)
  execute_process(COMMAND diff --strip-trailing-cr "${SCRATCH}/LEFT.txt" "${SCRATCH}/RIGHT.txt" OUTPUT_VARIABLE difference)
  string(SUBSTRING "${difference}" 0 4000 difference)
  message(FATAL_ERROR "the two programs' outputs have different bits:\n${difference}")
endif()
message(STATUS "${count} hashes are equal")
