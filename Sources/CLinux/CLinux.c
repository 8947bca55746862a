#include "linux.h"
#include "simd.h"
