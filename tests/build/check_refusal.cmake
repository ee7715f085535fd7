# cmake "-DCOMMAND=compiler;flag;...;file" -DSENTENCE=regex -P check_refusal.cmake: fails unless the command's first error says the sentence
# and nothing else comes of it: 40 lines at most.
cmake_minimum_required(VERSION 3.25)
execute_process(COMMAND ${COMMAND} ERROR_VARIABLE output RESULT_VARIABLE status)
string(REGEX MATCH "error: [^\n]*" first "${output}")
string(REGEX MATCHALL "\n" lines "${output}")
list(LENGTH lines length)
if(status EQUAL 0 OR NOT first MATCHES "${SENTENCE}" OR length GREATER 40)
  message(FATAL_ERROR "status ${status}, ${length} lines, and this should be the first error: ${SENTENCE}\n${output}")
endif()
