#!/bin/sh
# no_avx.sh NM OBJDUMP PROGRAM OBJECT...: fails if there are AVX registers in one of the objects, or in a function of the program that any object
# may have been given by another: those of the library's objects for AVX are their own.
nm=$1 objdump=$2 program=$3
shift 3
for object; do
  if "$objdump" -d --no-show-raw-insn "$object" | grep -m1 '%[yz]mm'; then
    echo "in $object"
    exit 1
  fi
done
shared=$(mktemp)
trap 'rm "$shared"' EXIT
"$nm" --defined-only "$program" | awk '$2 ~ /[TWVui]/ { print $3 }' > "$shared"
"$objdump" -d --no-show-raw-insn "$program" | awk -v shared="$shared" '
  BEGIN { while ((getline name < shared) > 0) known[name] = 1 }
  /^[0-9a-f]+ <.*>:$/ { name = $2; sub(/^</, "", name); sub(/>:$/, "", name) }
  /%[yz]mm/ { if (name in known) { if (!(name in told)) print "AVX in " name; told[name] = 1; ++bad } else ++hidden }
  END { print hidden + 0 " lines with AVX registers in functions of one object, " bad + 0 " in others"; exit bad > 0 || hidden == 0 }'
