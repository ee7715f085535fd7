# cmake "-DCOMMAND=program;argument;..." "-DSENTENCES=regex;..." -P check_complaints.cmake: fails unless the command fails and complains of each.
cmake_minimum_required(VERSION 3.25)
execute_process(COMMAND ${COMMAND} ERROR_VARIABLE output RESULT_VARIABLE status)
foreach(sentence IN LISTS SENTENCES)
  if(status EQUAL 0 OR NOT output MATCHES "${sentence}")
    message(FATAL_ERROR "status ${status}, and this should be among the complaints: ${sentence}\n${output}")
  endif()
endforeach()
