# What Doxygen reads of a header instead of the header (sed -f).

# What derived classes and the engine use is not the user's.
s/^ protected:/ private:/

# Bases without their template arguments: their members are listed once, not once for each layer.
/public [A-Z]\|^struct [A-Za-z]* : [A-Z]/{
  :arguments
  s/<[^<>]*>//
  t arguments
}

# Of each element type the same two lines; and a specialisation for std, which Doxygen does not follow.
/^template <>$/{
  N
  /struct \(ElementOf\|std::numeric_limits\)</{
    :lines
    N
    /\n};$/!b lines
    d
  }
}

# The inline namespace that names the instruction set is no part of a name.
s/^namespace norma { inline namespace NORMA_ISA_NAMESPACE {/namespace norma {/
s/^}}  \/\/ namespace norma::NORMA_ISA_NAMESPACE/}/
