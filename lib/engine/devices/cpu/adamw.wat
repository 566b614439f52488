;; AdamW (Loshchilov & Hutter 2019) in one pass over memory: SIMD loops on parameters, gradients and moments where they live, beside the
;; sessions that read and write them. Pointers are byte offsets; every region is a multiple of 16 bytes long. `sum_of_squares` adds in
;; float64, so that the gradient norm does not depend on the model's size. `npm run assemble` makes adamw-kernel.ts of this text.
(module
  (import "env" "memory" (memory 1))

  (func (export "sum_of_squares") (param $g i32) (param $end i32) (result f64)
    (local $sum v128) (local $x v128)
    (loop $next
      (local.set $x (v128.load (local.get $g)))
      (local.set $sum (f64x2.add (local.get $sum)
        (f64x2.mul (f64x2.promote_low_f32x4 (local.get $x)) (f64x2.promote_low_f32x4 (local.get $x)))))
      (local.set $x (i8x16.shuffle 8 9 10 11 12 13 14 15 0 1 2 3 4 5 6 7 (local.get $x) (local.get $x)))
      (local.set $sum (f64x2.add (local.get $sum)
        (f64x2.mul (f64x2.promote_low_f32x4 (local.get $x)) (f64x2.promote_low_f32x4 (local.get $x)))))
      (local.set $g (i32.add (local.get $g) (i32.const 16)))
      (br_if $next (i32.lt_u (local.get $g) (local.get $end))))
    (f64.add (f64x2.extract_lane 0 (local.get $sum)) (f64x2.extract_lane 1 (local.get $sum))))

  ;; total += g, for gradient accumulation
  (func (export "accumulate") (param $total i32) (param $g i32) (param $end i32)
    (loop $next
      (v128.store (local.get $total) (f32x4.add (v128.load (local.get $total)) (v128.load (local.get $g))))
      (local.set $total (i32.add (local.get $total) (i32.const 16)))
      (local.set $g (i32.add (local.get $g) (i32.const 16)))
      (br_if $next (i32.lt_u (local.get $total) (local.get $end)))))

  ;; g *= scale; p *= decay; m += (g - m) * (1 - beta1); v = v * beta2 + g * g * (1 - beta2)
  ;; p -= step * m / (sqrt(v) / root + epsilon), root = sqrt(1 - beta2^t), step = rate / (1 - beta1^t)
  (func (export "step") (param $p i32) (param $end i32) (param $g i32) (param $m i32) (param $v i32)
    (param $scale f32) (param $decay f32) (param $one_minus_beta1 f32) (param $beta2 f32) (param $one_minus_beta2 f32)
    (param $root f32) (param $epsilon f32) (param $step f32)
    (local $gradient v128) (local $mean v128) (local $square v128)
    (loop $next
      (local.set $gradient (f32x4.mul (v128.load (local.get $g)) (f32x4.splat (local.get $scale))))
      (local.set $mean (v128.load (local.get $m)))
      (local.set $mean (f32x4.add (local.get $mean)
        (f32x4.mul (f32x4.sub (local.get $gradient) (local.get $mean)) (f32x4.splat (local.get $one_minus_beta1)))))
      (v128.store (local.get $m) (local.get $mean))
      (local.set $square (f32x4.add
        (f32x4.mul (v128.load (local.get $v)) (f32x4.splat (local.get $beta2)))
        (f32x4.mul (f32x4.mul (local.get $gradient) (local.get $gradient)) (f32x4.splat (local.get $one_minus_beta2)))))
      (v128.store (local.get $v) (local.get $square))
      (v128.store (local.get $p) (f32x4.sub
        (f32x4.mul (v128.load (local.get $p)) (f32x4.splat (local.get $decay)))
        (f32x4.mul (f32x4.splat (local.get $step)) (f32x4.div (local.get $mean)
          (f32x4.add (f32x4.div (f32x4.sqrt (local.get $square)) (f32x4.splat (local.get $root)))
            (f32x4.splat (local.get $epsilon)))))))
      (local.set $p (i32.add (local.get $p) (i32.const 16)))
      (local.set $g (i32.add (local.get $g) (i32.const 16)))
      (local.set $m (i32.add (local.get $m) (i32.const 16)))
      (local.set $v (i32.add (local.get $v) (i32.const 16)))
      (br_if $next (i32.lt_u (local.get $p) (local.get $end))))))
