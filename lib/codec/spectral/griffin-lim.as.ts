/**
 * The fast Griffin-Lim algorithm of griffin-lim.ts for a CPU, in AssemblyScript: `npm run assemble` makes WebAssembly of it.
 *
 * Eight frames are transformed together: four in the lanes of a vector as real part, the next four as imaginary part. The transform
 * (Cooley and Tukey, radices 4, 4, 4, 2, 5) works in place: on the way to the spectrum it leaves the bins in reversed order of their
 * digits, on the way back it takes them in that order. The two ways have loops of their own: numbers turned in their place, so that one loop
 * could serve both, take the kernel a fifth longer. All tables and signals are made and placed by griffin-lim-cpu.ts.
 */

/** Samples of a frame; samples from one frame to the next, which are the rows of a signal; frequencies. */
const SIZE: i32 = 640;
const HOP: i32 = 160;
const LAST_BIN: i32 = 320;

/** Bytes of a number, of a vector of four, and of a complex one: its real part, then its imaginary part. */
const NUMBER: usize = 4;
const VECTOR: usize = 16;
const COMPLEX: usize = 32;

const MOMENTUM: f32 = 0.9;
/** Keeps a ratio finite where there is no sound. */
const TINY: f32 = 1e-18;

/** Where tables are, in bytes: SIZE numbers; cosine and -sine of 2 pi j / SIZE in turn; the place in `work` of each frequency. */
let window: usize = 0;
let roots: usize = 0;
let places: usize = 0;
/** SIZE complex vectors. */
let work: usize = 0;
/** [LAST_BIN + 1, frames] */
let magnitudes: usize = 0;
/** [HOP, frames + 4], as signals are. */
let gain: usize = 0;
let frames: i32 = 0;

function add(a: v128, b: v128): v128 {
  return f32x4.add(a, b);
}

function sub(a: v128, b: v128): v128 {
  return f32x4.sub(a, b);
}

function mul(a: v128, b: v128): v128 {
  return f32x4.mul(a, b);
}

function re(place: usize): v128 {
  return v128.load(place);
}

function im(place: usize): v128 {
  return v128.load(place, VECTOR);
}

function put(place: usize, real: v128, imaginary: v128): void {
  v128.store(place, real);
  v128.store(place, imaginary, VECTOR);
}

/** Parts of the product of two complex numbers. */
function productRe(ar: v128, ai: v128, br: v128, bi: v128): v128 {
  return sub(mul(ar, br), mul(ai, bi));
}

function productIm(ar: v128, ai: v128, br: v128, bi: v128): v128 {
  return add(mul(ar, bi), mul(ai, br));
}

/** A root of unity, exp(-2 pi i j / length): its place among the roots. */
function rootOf(j: i32, length: i32): usize {
  return roots + <usize>(j * (SIZE / length)) * 2 * NUMBER;
}

/** Cuts every transform of `length` into four of a quarter of it. */
function splitBy4(length: i32): void {
  const quarter = <usize>(length / 4) * COMPLEX;
  const end = work + <usize>SIZE * COMPLEX;
  for (let j = 0; j < length / 4; j++) {
    const w1 = rootOf(j, length);
    const w2 = rootOf(2 * j, length);
    const w3 = rootOf(3 * j, length);
    const c1 = v128.load32_splat(w1);
    const s1 = v128.load32_splat(w1, NUMBER);
    const c2 = v128.load32_splat(w2);
    const s2 = v128.load32_splat(w2, NUMBER);
    const c3 = v128.load32_splat(w3);
    const s3 = v128.load32_splat(w3, NUMBER);
    for (let p0 = work + <usize>j * COMPLEX; p0 < end; p0 += 4 * quarter) {
      const p1 = p0 + quarter;
      const p2 = p1 + quarter;
      const p3 = p2 + quarter;
      const sum02r = add(re(p0), re(p2));
      const sum02i = add(im(p0), im(p2));
      const difference02r = sub(re(p0), re(p2));
      const difference02i = sub(im(p0), im(p2));
      const sum13r = add(re(p1), re(p3));
      const sum13i = add(im(p1), im(p3));
      // Times -i.
      const turned13r = sub(im(p1), im(p3));
      const turned13i = sub(re(p3), re(p1));
      put(p0, add(sum02r, sum13r), add(sum02i, sum13i));
      const y1r = add(difference02r, turned13r);
      const y1i = add(difference02i, turned13i);
      put(p1, productRe(y1r, y1i, c1, s1), productIm(y1r, y1i, c1, s1));
      const y2r = sub(sum02r, sum13r);
      const y2i = sub(sum02i, sum13i);
      put(p2, productRe(y2r, y2i, c2, s2), productIm(y2r, y2i, c2, s2));
      const y3r = sub(difference02r, turned13r);
      const y3i = sub(difference02i, turned13i);
      put(p3, productRe(y3r, y3i, c3, s3), productIm(y3r, y3i, c3, s3));
    }
  }
}

/** What `splitBy4` cut, put together again: of four transforms of a quarter each one of `length`. */
function joinBy4(length: i32): void {
  const quarter = <usize>(length / 4) * COMPLEX;
  const end = work + <usize>SIZE * COMPLEX;
  for (let j = 0; j < length / 4; j++) {
    const w1 = rootOf(j, length);
    const w2 = rootOf(2 * j, length);
    const w3 = rootOf(3 * j, length);
    const c1 = v128.load32_splat(w1);
    const s1 = v128.load32_splat(w1, NUMBER);
    const c2 = v128.load32_splat(w2);
    const s2 = v128.load32_splat(w2, NUMBER);
    const c3 = v128.load32_splat(w3);
    const s3 = v128.load32_splat(w3, NUMBER);
    for (let p0 = work + <usize>j * COMPLEX; p0 < end; p0 += 4 * quarter) {
      const p1 = p0 + quarter;
      const p2 = p1 + quarter;
      const p3 = p2 + quarter;
      const x1r = productRe(re(p1), im(p1), c1, s1);
      const x1i = productIm(re(p1), im(p1), c1, s1);
      const x2r = productRe(re(p2), im(p2), c2, s2);
      const x2i = productIm(re(p2), im(p2), c2, s2);
      const x3r = productRe(re(p3), im(p3), c3, s3);
      const x3i = productIm(re(p3), im(p3), c3, s3);
      const sum02r = add(re(p0), x2r);
      const sum02i = add(im(p0), x2i);
      const difference02r = sub(re(p0), x2r);
      const difference02i = sub(im(p0), x2i);
      const sum13r = add(x1r, x3r);
      const sum13i = add(x1i, x3i);
      // Times -i.
      const turned13r = sub(x1i, x3i);
      const turned13i = sub(x3r, x1r);
      put(p0, add(sum02r, sum13r), add(sum02i, sum13i));
      put(p1, add(difference02r, turned13r), add(difference02i, turned13i));
      put(p2, sub(sum02r, sum13r), sub(sum02i, sum13i));
      put(p3, sub(difference02r, turned13r), sub(difference02i, turned13i));
    }
  }
}

/** As `splitBy4`, into two halves. */
function splitBy2(length: i32): void {
  const half = <usize>(length / 2) * COMPLEX;
  const end = work + <usize>SIZE * COMPLEX;
  for (let j = 0; j < length / 2; j++) {
    const root = rootOf(j, length);
    const c = v128.load32_splat(root);
    const s = v128.load32_splat(root, NUMBER);
    for (let p0 = work + <usize>j * COMPLEX; p0 < end; p0 += 2 * half) {
      const p1 = p0 + half;
      const yr = sub(re(p0), re(p1));
      const yi = sub(im(p0), im(p1));
      put(p0, add(re(p0), re(p1)), add(im(p0), im(p1)));
      put(p1, productRe(yr, yi, c, s), productIm(yr, yi, c, s));
    }
  }
}

/** As `joinBy4`, of two halves. */
function joinBy2(length: i32): void {
  const half = <usize>(length / 2) * COMPLEX;
  const end = work + <usize>SIZE * COMPLEX;
  for (let j = 0; j < length / 2; j++) {
    const root = rootOf(j, length);
    const c = v128.load32_splat(root);
    const s = v128.load32_splat(root, NUMBER);
    for (let p0 = work + <usize>j * COMPLEX; p0 < end; p0 += 2 * half) {
      const p1 = p0 + half;
      const xr = productRe(re(p1), im(p1), c, s);
      const xi = productIm(re(p1), im(p1), c, s);
      const r0 = re(p0);
      const i0 = im(p0);
      put(p0, add(r0, xr), add(i0, xi));
      put(p1, sub(r0, xr), sub(i0, xi));
    }
  }
}

/** All transforms of five, which neither direction turns. */
function transform5(): void {
  const end = work + <usize>SIZE * COMPLEX;
  const cos1 = f32x4.splat(0.30901699437494745);
  const cos2 = f32x4.splat(-0.8090169943749475);
  const sin1 = f32x4.splat(0.9510565162951535);
  const sin2 = f32x4.splat(0.5877852522924731);
  for (let p0 = work; p0 < end; p0 += 5 * COMPLEX) {
    const p1 = p0 + COMPLEX;
    const p2 = p1 + COMPLEX;
    const p3 = p2 + COMPLEX;
    const p4 = p3 + COMPLEX;
    const r0 = re(p0);
    const i0 = im(p0);
    const sum14r = add(re(p1), re(p4));
    const sum14i = add(im(p1), im(p4));
    const sum23r = add(re(p2), re(p3));
    const sum23i = add(im(p2), im(p3));
    const difference14r = sub(re(p1), re(p4));
    const difference14i = sub(im(p1), im(p4));
    const difference23r = sub(re(p2), re(p3));
    const difference23i = sub(im(p2), im(p3));
    const even1r = add(r0, add(mul(cos1, sum14r), mul(cos2, sum23r)));
    const even1i = add(i0, add(mul(cos1, sum14i), mul(cos2, sum23i)));
    const even2r = add(r0, add(mul(cos2, sum14r), mul(cos1, sum23r)));
    const even2i = add(i0, add(mul(cos2, sum14i), mul(cos1, sum23i)));
    const odd1r = add(mul(sin1, difference14r), mul(sin2, difference23r));
    const odd1i = add(mul(sin1, difference14i), mul(sin2, difference23i));
    const odd2r = sub(mul(sin2, difference14r), mul(sin1, difference23r));
    const odd2i = sub(mul(sin2, difference14i), mul(sin1, difference23i));
    put(p0, add(r0, add(sum14r, sum23r)), add(i0, add(sum14i, sum23i)));
    put(p1, add(even1r, odd1i), sub(even1i, odd1r));
    put(p2, add(even2r, odd2i), sub(even2i, odd2r));
    put(p3, sub(even2r, odd2i), add(even2i, odd2r));
    put(p4, sub(even1r, odd1i), add(even1i, odd1r));
  }
}

/** What a complex number is multiplied by to have this size. */
function ratio(size: v128, real: v128, imaginary: v128): v128 {
  const squared = add(mul(real, real), mul(imaginary, imaginary));
  return f32x4.div(size, f32x4.sqrt(add(squared, f32x4.splat(TINY))));
}

function placeOf(bin: i32): usize {
  return work + <usize>load<i32>(places + <usize>bin * NUMBER);
}

/**
 * Gives the spectra of eight frames the magnitudes from `frame` on, and keeps their phases. Of a bin and its mirror image the spectra of
 * the real and of the imaginary part are found. What is put back has real and imaginary part exchanged: the inverse of the transform is
 * the transform between two exchanges.
 */
function rescale(frame: i32): void {
  const half = f32x4.splat(0.5);
  const none = f32x4.splat(0);
  const row = <usize>frames * NUMBER;
  const first = magnitudes + <usize>frame * NUMBER;
  for (let bin = 0; bin <= LAST_BIN; bin += LAST_BIN) {
    const place = placeOf(bin);
    const size = first + <usize>bin * row;
    const a = re(place);
    const b = im(place);
    put(place, mul(b, ratio(v128.load(size, VECTOR), b, none)), mul(a, ratio(v128.load(size), a, none)));
  }
  for (let bin = 1; bin < LAST_BIN; bin++) {
    const place = placeOf(bin);
    const mirror = placeOf(SIZE - bin);
    const size = first + <usize>bin * row;
    const ar = mul(half, add(re(place), re(mirror)));
    const ai = mul(half, sub(im(place), im(mirror)));
    const br = mul(half, add(im(place), im(mirror)));
    const bi = mul(half, sub(re(mirror), re(place)));
    const a = ratio(v128.load(size), ar, ai);
    const b = ratio(v128.load(size, VECTOR), br, bi);
    put(place, add(mul(ai, a), mul(br, b)), sub(mul(ar, a), mul(bi, b)));
    put(mirror, sub(mul(br, b), mul(ai, a)), add(mul(ar, a), mul(bi, b)));
  }
}

/** Samples n of eight frames from `frame` on: row n mod HOP, from column `frame` + n / HOP on. */
function samplesOf(signal: usize, frame: i32, n: i32): usize {
  return signal + <usize>((n % HOP) * (frames + 4) + frame + n / HOP) * NUMBER;
}

/** Writes the signal that is nearest to the spectrum of `from` with the magnitudes in place of its own. */
function project(from: usize, to: usize): void {
  const bytes = <usize>(HOP * (frames + 4)) * NUMBER;
  memory.fill(to, 0, bytes);
  for (let frame = 0; frame < frames; frame += 8) {
    for (let n = 0; n < SIZE; n++) {
      const weight = v128.load32_splat(window + <usize>n * NUMBER);
      const samples = samplesOf(from, frame, n);
      const place = work + <usize>n * COMPLEX;
      put(place, mul(weight, v128.load(samples)), mul(weight, v128.load(samples, VECTOR)));
    }
    splitBy4(640);
    splitBy4(160);
    splitBy4(40);
    splitBy2(10);
    transform5();
    rescale(frame);
    transform5();
    joinBy2(10);
    joinBy4(40);
    joinBy4(160);
    joinBy4(640);
    for (let n = 0; n < SIZE; n++) {
      const weight = v128.load32_splat(window + <usize>n * NUMBER);
      const samples = samplesOf(to, frame, n);
      const place = work + <usize>n * COMPLEX;
      v128.store(samples, add(v128.load(samples), mul(weight, im(place))));
      v128.store(samples, add(v128.load(samples, VECTOR), mul(weight, re(place))), VECTOR);
    }
  }
  for (let at: usize = 0; at < bytes; at += VECTOR)
    v128.store(to + at, mul(v128.load(to + at), v128.load(gain + at)));
}

/**
 * @param tables window, roots and places, one after the other
 * @param sizes what `magnitudes` says
 * @param start the signal whose phases come first; it is overwritten
 * @param signal room for the result
 * @param other room for another
 * @param count frames, a multiple of 8
 */
export function griffinLim(
  tables: usize,
  room: usize,
  sizes: usize,
  gains: usize,
  start: usize,
  signal: usize,
  other: usize,
  count: i32,
  iterations: i32,
): void {
  window = tables;
  roots = window + <usize>SIZE * NUMBER;
  places = roots + <usize>SIZE * 2 * NUMBER;
  work = room;
  magnitudes = sizes;
  gain = gains;
  frames = count;
  const bytes = <usize>(HOP * (frames + 4)) * NUMBER;
  const momentum = f32x4.splat(MOMENTUM);
  project(start, signal);
  memory.copy(start, signal, bytes);
  for (let i = 0; i < iterations; i++) {
    project(start, other);
    for (let at: usize = 0; at < bytes; at += VECTOR) {
      const next = v128.load(other + at);
      v128.store(start + at, add(next, mul(sub(next, v128.load(signal + at)), momentum)));
    }
    const last = signal;
    signal = other;
    other = last;
  }
  if (iterations % 2 == 1) memory.copy(other, signal, bytes);
}
