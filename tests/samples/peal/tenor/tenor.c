#include "peal.h"

const int peal_abi = PEAL_ABI;

const char *peal_says(void) { return "tenor"; }
