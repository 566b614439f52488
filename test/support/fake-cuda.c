// NVIDIA's driver without a GPU, for tests of lib/engine/devices/cuda/driver.ts: the functions that it calls, on the process's memory, with
// the kernels of kernels.cu as loops. FAKE_CUDA names what is wrong with it.
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int is_wrong(const char *what) {
  const char *named = getenv("FAKE_CUDA");
  return named && strcmp(named, what) == 0;
}

static size_t used = 0;
static const size_t TOTAL = 1 << 20;

int cuInit(unsigned flags) { return flags != 0 ? 1 : is_wrong("no-device") ? 100 : 0; }
int cuDriverGetVersion(int *version) { *version = 13020; return 0; }
int cuDeviceGetCount(int *count) { *count = is_wrong("hidden") ? 0 : 1; return 0; }
int cuDeviceGet(int *device, int ordinal) { *device = 7; return ordinal; }
int cuDeviceGetName(char *name, int length, int device) { snprintf(name, length, "a GPU of number %d", device); return 0; }
static int retained = 0;
int cuDevicePrimaryCtxRetain(void **context, int device) {
  *context = (void *)(intptr_t)(device * 11);
  if (is_wrong("taken")) return 46;
  retained++;
  return 0;
}
int cuDevicePrimaryCtxRelease_v2(int device) { retained--; return device != 7 || used != 0; }
/* Of the fake alone. */
int timesRetained(void) { return retained; }
int cuCtxSetCurrent(void *context) { return (intptr_t)context != 77; }
int cuCtxSynchronize(void) { return 0; }
int cuMemGetInfo_v2(size_t *available, size_t *total) { *available = TOTAL - used; *total = TOTAL; return 0; }

int cuMemAlloc_v2(uint64_t *address, size_t size) {
  if (is_wrong("full") || used + size > TOTAL) return 2;
  size_t *block = aligned_alloc(256, 256 + (size + 255) / 256 * 256);
  *block = size;
  used += size;
  *address = (uint64_t)block + 256;
  return 0;
}
int cuMemFree_v2(uint64_t address) {
  size_t *block = (size_t *)(address - 256);
  used -= *block;
  free(block);
  return 0;
}
int cuMemcpyHtoD_v2(uint64_t to, const void *from, size_t size) { memcpy((void *)to, from, size); return 0; }
int cuMemcpyDtoH_v2(void *to, uint64_t from, size_t size) { memcpy(to, (void *)from, size); return 0; }
int cuMemcpyDtoD_v2(uint64_t to, uint64_t from, size_t size) { memcpy((void *)to, (void *)from, size); return 0; }
int cuMemsetD32_v2(uint64_t to, unsigned value, size_t count) {
  for (size_t i = 0; i < count; i++) ((unsigned *)to)[i] = value;
  return 0;
}

static const char *NAMES[] = {"accumulate", "sum_of_squares", "adamw"};
int cuModuleLoadData(void **module, const char *image) {
  *module = (void *)5;
  if (is_wrong("old")) return 222;
  return strncmp(image, ".version 8.0\n.target sm_75\n", 26) != 0;
}
int cuModuleUnload(void *module) { return (intptr_t)module != 5; }
int cuModuleGetFunction(void **function, void *module, const char *name) {
  for (int i = 0; i < 3; i++)
    if (strcmp(name, NAMES[i]) == 0) {
      *function = (void *)(intptr_t)(i + 1);
      return (intptr_t)module != 5;
    }
  return 500;
}

#define AT(type, i) (*(type *)parameters[i])
int cuLaunchKernel(void *function, unsigned x, unsigned y, unsigned z, unsigned bx, unsigned by, unsigned bz,
                   unsigned shared, void *stream, void **parameters, void **extra) {
  if (y != 1 || z != 1 || by != 1 || bz != 1 || bx != 256 || shared || stream || extra) return 1;
  if ((intptr_t)function == 1) {
    float *total = AT(float *, 0), *g = AT(float *, 1);
    for (uint64_t i = 0; i < AT(uint64_t, 2); i++) total[i] += g[i];
    return 0;
  }
  if ((intptr_t)function == 2) {
    float *g = AT(float *, 0);
    double *sums = AT(double *, 2);
    for (unsigned block = 0; block < x; block++) {
      double of_thread[256] = {0};
      for (unsigned t = 0; t < 256; t++)
        for (uint64_t i = (uint64_t)block * 256 + t; i < AT(uint64_t, 1); i += (uint64_t)x * 256)
          of_thread[t] += (double)g[i] * (double)g[i];
      for (int half = 128; half > 0; half >>= 1)
        for (int t = 0; t < half; t++) of_thread[t] += of_thread[t + half];
      sums[block] = of_thread[0];
    }
    return 0;
  }
  float *p = AT(float *, 0), *g = AT(float *, 1), *m = AT(float *, 2), *v = AT(float *, 3);
  float scale = AT(float, 5), decay = AT(float, 6), one_minus_beta1 = AT(float, 7), beta2 = AT(float, 8),
        one_minus_beta2 = AT(float, 9), root = AT(float, 10), epsilon = AT(float, 11), step = AT(float, 12);
  for (uint64_t i = 0; i < AT(uint64_t, 4); i++) {
    float gradient = g[i] * scale;
    m[i] = m[i] + (gradient - m[i]) * one_minus_beta1;
    v[i] = v[i] * beta2 + gradient * gradient * one_minus_beta2;
    p[i] = p[i] * decay - step * (m[i] / (sqrtf(v[i]) / root + epsilon));
  }
  return 0;
}

int cuGetErrorName(int code, const char **name) {
  *name = code == 2 ? "CUDA_ERROR_OUT_OF_MEMORY" : code == 46 ? "CUDA_ERROR_DEVICE_UNAVAILABLE" : code == 100 ? "CUDA_ERROR_NO_DEVICE" : code == 222 ? "CUDA_ERROR_UNSUPPORTED_PTX_VERSION" : NULL;
  return *name == NULL;
}
