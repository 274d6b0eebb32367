/* The functions of libcuda.so.1 that we call, with their real signatures, on this machine's own memory.

   A graph is one node: a function that stand_in_add_node was given while a stream was captured. */
#include <stdlib.h>
#include <string.h>

typedef int CUresult;
typedef unsigned long long CUdeviceptr;
typedef void (*Node)(void);

enum { SUCCESS = 0, INVALID_VALUE = 1, OUT_OF_MEMORY = 2, NOT_CAPTURING = 901 };

static void *const CONTEXT = (void *)0x11, *const STREAM = (void *)0x22;
static int capturing;
static Node node;

CUresult cuInit(unsigned flags) { return flags == 0 ? SUCCESS : INVALID_VALUE; }
CUresult cuDeviceGetCount(int *count) { *count = 1; return SUCCESS; }
CUresult cuDeviceGet(int *device, int index) { *device = index; return SUCCESS; }
CUresult cuDevicePrimaryCtxRetain(void **context, int device) { *context = CONTEXT; return device == 0 ? SUCCESS : INVALID_VALUE; }
CUresult cuCtxSetCurrent(void *context) { return context == CONTEXT ? SUCCESS : INVALID_VALUE; }
CUresult cuStreamCreate(void **stream, unsigned flags) { *stream = STREAM; return flags == 1 ? SUCCESS : INVALID_VALUE; }
CUresult cuStreamSynchronize(void *stream) { return stream == STREAM ? SUCCESS : INVALID_VALUE; }

CUresult cuMemAlloc_v2(CUdeviceptr *address, size_t size) {
    *address = (CUdeviceptr)calloc(1, size);
    return *address ? SUCCESS : OUT_OF_MEMORY;
}

CUresult cuMemHostAlloc(void **address, size_t size, unsigned flags) {
    *address = flags == 0 ? calloc(1, size) : NULL;
    return *address ? SUCCESS : OUT_OF_MEMORY;
}

CUresult cuMemcpyHtoDAsync_v2(CUdeviceptr to, const void *from, size_t size, void *stream) {
    memcpy((void *)to, from, size);
    return stream == STREAM ? SUCCESS : INVALID_VALUE;
}

CUresult cuMemcpyDtoHAsync_v2(void *to, CUdeviceptr from, size_t size, void *stream) {
    memcpy(to, (void *)from, size);
    return stream == STREAM ? SUCCESS : INVALID_VALUE;
}

CUresult cuStreamBeginCapture_v2(void *stream, int mode) {
    capturing = stream == STREAM && mode >= 0 && mode <= 2;
    return capturing ? SUCCESS : INVALID_VALUE;
}

CUresult cuStreamEndCapture(void *stream, void **graph) {
    if (!capturing || stream != STREAM) return NOT_CAPTURING;
    capturing = 0;
    *graph = (void *)node;
    return SUCCESS;
}

CUresult cuGraphInstantiateWithFlags(void **executable, void *graph, unsigned long long flags) {
    *executable = graph;
    return graph && flags == 0 ? SUCCESS : INVALID_VALUE;
}

CUresult cuGraphLaunch(void *executable, void *stream) {
    if (!executable || stream != STREAM) return INVALID_VALUE;
    ((Node)executable)();
    return SUCCESS;
}

CUresult cuGetErrorString(CUresult code, const char **text) {
    *text = code == NOT_CAPTURING ? "the stream is not captured" : "the stand-in refuses";
    return SUCCESS;
}

int stand_in_is_capturing(void) { return capturing; }
void stand_in_add_node(Node added) { node = added; }
