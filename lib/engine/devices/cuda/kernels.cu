// AdamW (Loshchilov & Hutter 2019) and what it needs, as passes over whole regions of memory on the GPU: the same formulas as
// ../cpu/adamw.wat, operation by operation (__fmul_rn and its kin are never fused), so that both give the same float32 numbers.
// `npm run ptx` makes ptx.ts of this file.

typedef unsigned long long count_t;

#define EACH_OF(i, n)                                                                                       \
  for (count_t i = (count_t)blockIdx.x * blockDim.x + threadIdx.x, stride = (count_t)gridDim.x * blockDim.x; \
       i < n; i += stride)

// total += g, for gradient accumulation
extern "C" __global__ void accumulate(float* total, const float* g, count_t n) {
  EACH_OF(i, n) total[i] = __fadd_rn(total[i], g[i]);
}

// One sum of squares for each block of 256 threads, added in float64: each thread adds every gridDim.x * 256th number, then threads are
// added in pairs. The order depends on the size of the grid alone.
extern "C" __global__ void sum_of_squares(const float* g, count_t n, double* sums) {
  __shared__ double of_thread[256];
  double sum = 0;
  EACH_OF(i, n) sum += (double)g[i] * (double)g[i];
  of_thread[threadIdx.x] = sum;
  __syncthreads();
  for (int half = 128; half > 0; half >>= 1) {
    if (threadIdx.x < half) of_thread[threadIdx.x] += of_thread[threadIdx.x + half];
    __syncthreads();
  }
  if (threadIdx.x == 0) sums[blockIdx.x] = of_thread[0];
}

// g *= scale; p *= decay; m += (g - m) * (1 - beta1); v = v * beta2 + g * g * (1 - beta2)
// p -= step * m / (sqrt(v) / root + epsilon), root = sqrt(1 - beta2^t), step = rate / (1 - beta1^t)
extern "C" __global__ void adamw(float* p, const float* g, float* m, float* v, count_t n, float scale, float decay,
                                 float one_minus_beta1, float beta2, float one_minus_beta2, float root,
                                 float epsilon, float step) {
  EACH_OF(i, n) {
    float gradient = __fmul_rn(g[i], scale);
    float mean = __fadd_rn(m[i], __fmul_rn(__fsub_rn(gradient, m[i]), one_minus_beta1));
    float square = __fadd_rn(__fmul_rn(v[i], beta2), __fmul_rn(__fmul_rn(gradient, gradient), one_minus_beta2));
    m[i] = mean;
    v[i] = square;
    float deviation = __fadd_rn(__fdiv_rn(__fsqrt_rn(square), root), epsilon);
    p[i] = __fsub_rn(__fmul_rn(p[i], decay), __fmul_rn(step, __fdiv_rn(mean, deviation)));
  }
}
