#!/bin/sh
# shared_symbols.sh NM OBJECT OBJECT: fails if both objects define code of norma's, which may hold vector instructions: the linker keeps
# one of the two. They may share variables, and ShapeError, which must be one type in the whole program.
nm=$1
code_of() {
  "$nm" -C --defined-only "$1" | grep '^[0-9a-f]* [TW] .*norma::' | cut -d ' ' -f 3- | grep -v norma::ShapeError | sort -u
}
left=$(code_of "$2")
right=$(code_of "$3")
if [ -z "$left" ] || [ -z "$right" ]; then
  echo "there is no code of norma's in one of them"
  exit 2
fi
shared=$(printf '%s\n' "$left" "$right" | sort | uniq -d)
echo "$(echo "$left" | wc -l) and $(echo "$right" | wc -l) functions of norma's; in both: ${shared:-none}"
[ -z "$shared" ]
