#!/bin/sh
# no_avx.sh NM OBJDUMP PROGRAM OBJECT...: fails if there is AVX code in one of the objects, or in a function of the program that any object may have
# been given by another: those of the library's objects for AVX are their own.
nm=$1 objdump=$2 program=$3
avx='[[:space:]]v[a-z0-9]+[[:space:]].*%[xyz]mm' # GNU's objdump puts a space behind the instruction, LLVM's a tab
shift 3
for object; do
  if "$objdump" -d --no-show-raw-insn "$object" | grep -m1 -E "$avx"; then
    echo "in $object"
    exit 1
  fi
done
shared=$(mktemp)
trap 'rm "$shared"' EXIT
"$nm" --defined-only "$program" | awk '$2 ~ /[TWVui]/ { print $1 }' > "$shared"
"$objdump" -d --no-show-raw-insn "$program" | awk -v avx="$avx" -v shared="$shared" '
  BEGIN { while ((getline address < shared) > 0) known[address] = 1 }
  /^[0-9a-f]+ <.*>:$/ { address = $1; name = $2 }
  $0 ~ avx { if (!(address in known)) ++hidden; else if (!told[address]++) { print "AVX in " name; ++bad } }
  END { print hidden + 0 " AVX instructions in functions of one object alone; functions of others with such: " bad + 0; exit bad > 0 || hidden == 0 }'
