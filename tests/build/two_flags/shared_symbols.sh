#!/bin/sh
# shared_symbols.sh NM OBJECT... -- OBJECT...: fails if both sides define code of norma's, which may hold vector instructions: the linker keeps
# one of the two. They may share variables, and ShapeError, which must be one type in the whole program.
nm=$1
shift
code=$(mktemp -d)
trap 'rm -r "$code"' EXIT
side=left
for object; do
  if [ "$object" = -- ]; then
    side=right
  else
    "$nm" -C --defined-only "$object" | grep '^[0-9a-f]* [TW] .*norma::' | cut -d ' ' -f 3- | grep -v norma::ShapeError >> "$code/$side"
  fi
done
for side in left right; do
  sort -u -o "$code/$side" "$code/$side" || exit 2
  [ -s "$code/$side" ] || { echo "there is no code of norma's in one of them"; exit 2; }
done
shared=$(comm -12 "$code/left" "$code/right")
echo "$(wc -l < "$code/left") and $(wc -l < "$code/right") functions of norma's; in both: ${shared:-none}"
[ -z "$shared" ]
