/* Stands in for the CUDA runtime that Triton's server links to: cards without memory of their own, so that a machine
   without one shows what the server does where there are some. LIPSYNC_TEST_CARDS says how many. Preloaded. */
#include <stdlib.h>
#include <string.h>

enum { NO_DEVICE = 100, PROPERTIES = 1032, TOTAL_MEMORY = 288, MAJOR = 360, GIBIBYTE = 1 << 30 };
static __thread int current;

int cudaGetDeviceCount(int *count) {
    const char *visible = getenv("CUDA_VISIBLE_DEVICES");
    *count = visible && !*visible ? 0 : atoi(getenv("LIPSYNC_TEST_CARDS"));
    return *count ? 0 : NO_DEVICE;
}
int cudaGetDeviceProperties_v2(void *properties, int device) {
    memset(properties, 0, PROPERTIES);
    strcpy(properties, "stand-in");
    *(size_t *)((char *)properties + TOTAL_MEMORY) = GIBIBYTE;
    *(int *)((char *)properties + MAJOR) = 9;
    return 0;
}
int cudaSetDevice(int device) { current = device; return 0; }
int cudaGetDevice(int *device) { *device = current; return 0; }
int cudaDeviceCanAccessPeer(int *can, int one, int other) { *can = 0; return 0; }
int cudaDeviceGetPCIBusId(char *id, int size, int device) { strncpy(id, "0000:00:00.0", size); return 0; }
int cudaDeviceGetStreamPriorityRange(int *least, int *greatest) { *least = *greatest = 0; return 0; }
int cudaMemGetInfo(size_t *free_bytes, size_t *total) { *free_bytes = *total = GIBIBYTE; return 0; }
int cudaMalloc(void **address, size_t size) { *address = malloc(size); return 0; }
int cudaFree(void *address) { free(address); return 0; }
int cudaHostAlloc(void **address, size_t size, unsigned flags) { *address = malloc(size); return 0; }
int cudaFreeHost(void *address) { free(address); return 0; }
int cudaStreamCreate(void **stream) { *stream = (void *)1; return 0; }
int cudaStreamCreateWithPriority(void **stream, unsigned flags, int priority) { *stream = (void *)1; return 0; }
int cudaStreamDestroy(void *stream) { return 0; }
int cudaStreamSynchronize(void *stream) { return 0; }
int cudaMemcpy(void *to, const void *from, size_t size, int kind) { memcpy(to, from, size); return 0; }
int cudaMemcpyAsync(void *to, const void *from, size_t size, int kind, void *stream) {
    memcpy(to, from, size);
    return 0;
}
int cudaGetLastError(void) { return 0; }
