#include "instructions.h"

#ifdef VECTORS
#define LEVEL 4
#include "types.h"
#endif
