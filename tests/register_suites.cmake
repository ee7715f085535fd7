# cmake -DPROGRAM=gtest -DPREFIX=folder. -DEACH=bool -DTESTS=file -P register_suites.cmake: writes a CTest case for each suite that the program
# lists, or for each case.
execute_process(COMMAND "${PROGRAM}" --gtest_list_tests OUTPUT_VARIABLE listed RESULT_VARIABLE result)
if(NOT result EQUAL 0)
  message(FATAL_ERROR "${PROGRAM} cannot list its tests (${result}):\n${listed}")
endif()

set(script "")
# Where ranks exchange, waiting for ever would be the failure: a suite takes seconds. Threads of OpenMP that wait for work sleep: awake they
# would take a third of the time of what they are tested with.
function(register name filter)
  string(APPEND script "add_test([=[${PREFIX}${name}]=] \"${PROGRAM}\" [=[--gtest_filter=${filter}]=])\n"
         "set_tests_properties([=[${PREFIX}${name}]=] PROPERTIES LABELS numeric TIMEOUT 600 ENVIRONMENT OMP_WAIT_POLICY=passive\n"
         "                     SKIP_REGULAR_EXPRESSION \"\\\\[  SKIPPED \\\\]\")\n")
  set(script "${script}" PARENT_SCOPE)
endfunction()

string(REPLACE ";" "," listed "${listed}")
string(REPLACE "\n" ";" lines "${listed}")
set(suite "")
foreach(line IN LISTS lines)
  if(line MATCHES "^([^ ]+)\\.( .*)?$")
    set(suite "${CMAKE_MATCH_1}")
    if(NOT EACH)
      register("${suite}" "${suite}.*")
    endif()
  elseif(EACH AND line MATCHES "^  ([^ ]+)")
    register("${suite}.${CMAKE_MATCH_1}" "${suite}.${CMAKE_MATCH_1}")
  endif()
endforeach()
if(script STREQUAL "")
  message(FATAL_ERROR "${PROGRAM} lists no tests")
endif()
file(WRITE "${TESTS}" "${script}")
