// All loops of one instruction set (LEVEL), for float and double.
#define BYTES 4
#include "products.h"
#include "narrow.h"
#include "sums.h"
#include "finite.h"
#if LEVEL == 4
#include "adam.h"
#else
#include "dots.h"
#endif
#undef BYTES
#define BYTES 8
#include "products.h"
#include "narrow.h"
#include "sums.h"
#include "finite.h"
#if LEVEL == 3
#include "dots.h"
#endif
