# Sourced by scripts that train: an OpenBLAS that does not know this processor is told the nearest one
# that it does. The references need it, and so does a build without oneDNN (see compert_sitrep()).
if [ -z "${OPENBLAS_CORETYPE:-}" ]; then
  OPENBLAS_CORETYPE=$(Rscript --vanilla -e 'cat(compert:::better_core(compert:::core_openblas()))' 2>/dev/null) ||
    OPENBLAS_CORETYPE=""
  if [ -n "$OPENBLAS_CORETYPE" ]; then
    export OPENBLAS_CORETYPE
    echo "OpenBLAS takes this processor for an old one: OPENBLAS_CORETYPE=$OPENBLAS_CORETYPE"
  else
    unset OPENBLAS_CORETYPE
  fi
fi
