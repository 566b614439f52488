// The kernels of kernels.cu, run by a CPU thread by thread, beside plain loops of what they are to compute. A block's threads take turns at
// __syncthreads. Prints a line for each size, and ends with 1 where a number differs.
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <ucontext.h>
#include <vector>

struct Index { unsigned x; };
static Index threadIdx, blockIdx, blockDim, gridDim;
static const unsigned THREADS = 256, BLOCKS = 1024;
static ucontext_t scheduler, threads[THREADS];
static std::function<void()> kernel;
static bool ended[THREADS];

static void __syncthreads() { unsigned own = threadIdx.x; swapcontext(&threads[own], &scheduler); }
static float __fmul_rn(float a, float b) { return a * b; }
static float __fadd_rn(float a, float b) { return a + b; }
static float __fsub_rn(float a, float b) { return a - b; }
static float __fdiv_rn(float a, float b) { return a / b; }
static float __fsqrt_rn(float a) { return sqrtf(a); }
#define __global__
#define __shared__ static
#include "../../lib/engine/devices/cuda/kernels.cu"

static void thread() { kernel(); ended[threadIdx.x] = true; }

static void launch(std::function<void()> body) {
  static std::vector<char> stacks(THREADS * 32768);
  kernel = body;
  blockDim.x = THREADS;
  gridDim.x = BLOCKS;
  for (blockIdx.x = 0; blockIdx.x < BLOCKS; blockIdx.x++) {
    for (unsigned t = 0; t < THREADS; t++) {
      getcontext(&threads[t]);
      threads[t].uc_stack.ss_sp = &stacks[t * 32768];
      threads[t].uc_stack.ss_size = 32768;
      threads[t].uc_link = &scheduler;
      ended[t] = false;
      makecontext(&threads[t], thread, 0);
    }
    for (bool runs = true; runs;) {
      runs = false;
      for (unsigned t = 0; t < THREADS; t++)
        if (!ended[t]) {
          runs = true;
          threadIdx.x = t;
          swapcontext(&scheduler, &threads[t]);
        }
    }
  }
}

static uint64_t state = 1;
static float draw() { state = state * 6364136223846793005u + 1442695040888963407u; return (float)((state >> 40) / 16777216.0 - 0.5); }

int main() {
  bool isRight = true;
  // Less than a block, more than one, and more than the whole grid; one number more lies behind, and must stay.
  for (size_t n : {1, 257, 262145}) {
    std::vector<float> p(n + 1), g(n + 1), m(n + 1), v(n + 1), total(n + 1);
    for (size_t i = 0; i <= n; i++) { p[i] = draw(); g[i] = draw(); m[i] = draw(); v[i] = fabsf(draw()); total[i] = draw(); }
    auto wanted_p = p, wanted_m = m, wanted_v = v, wanted_total = total;
    float scale = 0.7f, decay = 0.999f, one_minus_beta1 = 0.1f, beta2 = 0.99f, one_minus_beta2 = 0.01f, root = 0.3f, epsilon = 1e-8f, step = 1e-3f;
    long double sum = 0;
    for (size_t i = 0; i < n; i++) {
      float gradient = g[i] * scale;
      wanted_m[i] = m[i] + (gradient - m[i]) * one_minus_beta1;
      wanted_v[i] = v[i] * beta2 + gradient * gradient * one_minus_beta2;
      wanted_p[i] = p[i] * decay - step * (wanted_m[i] / (sqrtf(wanted_v[i]) / root + epsilon));
      wanted_total[i] = total[i] + g[i];
      sum += (long double)g[i] * g[i];
    }
    std::vector<double> sums(BLOCKS, -1);
    launch([&] { accumulate(total.data(), g.data(), n); });
    launch([&] { sum_of_squares(g.data(), n, sums.data()); });
    launch([&] { adamw(p.data(), g.data(), m.data(), v.data(), n, scale, decay, one_minus_beta1, beta2, one_minus_beta2, root, epsilon, step); });
    double added = 0;
    for (double each : sums) added += each;
    bool same = p == wanted_p && m == wanted_m && v == wanted_v && total == wanted_total;
    double off = (double)fabsl(added / sum - 1);
    printf("%zu numbers: %s, sum off by %.1e\n", n, same ? "the same bits" : "OTHER BITS", off);
    isRight = isRight && same && off < 1e-13;
  }
  return isRight ? 0 : 1;
}
