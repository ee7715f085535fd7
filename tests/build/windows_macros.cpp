// All of norma behind the macros of <windows.h>, which are words like any other elsewhere.
#include <bits/stdc++.h>  // standard headers stand before: libstdc++'s would not survive the macros themselves

#define min(a, b) (((a) < (b)) ? (a) : (b))
#define max(a, b) (((a) > (b)) ? (a) : (b))
#define near
#define far
#define small char

#include <norma/interop/openmp.hpp>
#include <norma/norma.hpp>

// They are there still, for those who count on them.
static_assert(min(2, 1) == 1 && max(2, 1) == 2 && sizeof(small far) == 1);
