/* Stands in for the NVIDIA driver's library, as far as embedded/backends/onnxruntime/devices.py asks it. */
#include <stdlib.h>
#include <string.h>

int cuInit(unsigned flags) { return 0; }
int cuDeviceGetCount(int *count) { *count = atoi(getenv("LIPSYNC_TEST_CARDS")); return 0; }
int cuDeviceGetName(char *name, int size, int device) { strncpy(name, "Stand-in H200", size); return 0; }
int cuDriverGetVersion(int *version) { *version = 13000; return 0; }
