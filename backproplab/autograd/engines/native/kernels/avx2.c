#include "instructions.h"

#ifdef VECTORS
#define LEVEL 3
#include "types.h"
#endif
