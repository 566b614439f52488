;; What top-k asks of a row of logits, four at a time. Pointers are byte offsets; lists are multiples of 16 bytes long, filled up with NaN,
;; which is never counted. `npm run assemble` makes top-k-kernel.ts of this text.
(module
  (memory (export "memory") 1)

  ;; A number in the order of float32 (as unsigned integers) as that float32.
  (func $float_of (param $key i32) (result f32)
    (f32.reinterpret_i32 (select
      (i32.xor (local.get $key) (i32.const 0x80000000))
      (i32.xor (local.get $key) (i32.const -1))
      (i32.lt_s (local.get $key) (i32.const 0)))))

  ;; A border that the k largest numbers of a list reach, with those that equal the last of them, and no others. It is found in the order of
  ;; float32 bit by bit from the highest, each kept if at least k numbers reach it; where exactly k do, that is the border. Down to the bit
  ;; `last`: 1 is exact, at a higher bit somewhat more numbers may reach the border.
  (func (export "border_of") (param $list i32) (param $end i32) (param $k i32) (param $last i32) (result f32)
    (local $key i32) (local $bit i32) (local $count i32) (local $p i32) (local $border v128) (local $found v128)
    (local.set $bit (i32.const 0x80000000))
    (loop $bits
      (local.set $border (f32x4.splat (call $float_of (i32.or (local.get $key) (local.get $bit)))))
      (local.set $found (v128.const i32x4 0 0 0 0))
      (local.set $p (local.get $list))
      (loop $next
        ;; True is -1.
        (local.set $found (i32x4.sub (local.get $found) (f32x4.ge (v128.load (local.get $p)) (local.get $border))))
        (local.set $p (i32.add (local.get $p) (i32.const 16)))
        (br_if $next (i32.lt_u (local.get $p) (local.get $end))))
      (local.set $count (i32.add
        (i32.add (i32x4.extract_lane 0 (local.get $found)) (i32x4.extract_lane 1 (local.get $found)))
        (i32.add (i32x4.extract_lane 2 (local.get $found)) (i32x4.extract_lane 3 (local.get $found)))))
      (if (i32.eq (local.get $count) (local.get $k))
        (then (return (f32x4.extract_lane 0 (local.get $border)))))
      (if (i32.gt_s (local.get $count) (local.get $k))
        (then (local.set $key (i32.or (local.get $key) (local.get $bit)))))
      (local.set $bit (i32.shr_u (local.get $bit) (i32.const 1)))
      (br_if $bits (i32.ge_u (local.get $bit) (local.get $last))))
    ;; Below minus infinity there are only NaNs.
    (call $float_of (select (local.get $key) (i32.const 0x007fffff) (i32.gt_u (local.get $key) (i32.const 0x007fffff)))))

  ;; Copies the numbers of a list that are at least the border, and their indices, in order. Returns how many.
  (func (export "at_least") (param $list i32) (param $end i32) (param $border f32) (param $values i32) (param $indices i32) (result i32)
    (local $p i32) (local $q i32) (local $start i32) (local $lanes i32) (local $borders v128)
    (local.set $p (local.get $list))
    (local.set $start (local.get $values))
    (local.set $borders (f32x4.splat (local.get $border)))
    (loop $next
      (local.set $lanes (i32x4.bitmask (f32x4.ge (v128.load (local.get $p)) (local.get $borders))))
      (if (local.get $lanes) (then
        (loop $lane
          (local.set $q (i32.add (local.get $p) (i32.shl (i32.ctz (local.get $lanes)) (i32.const 2))))
          (f32.store (local.get $values) (f32.load (local.get $q)))
          (i32.store (local.get $indices) (i32.shr_u (i32.sub (local.get $q) (local.get $list)) (i32.const 2)))
          (local.set $values (i32.add (local.get $values) (i32.const 4)))
          (local.set $indices (i32.add (local.get $indices) (i32.const 4)))
          (local.set $lanes (i32.and (local.get $lanes) (i32.sub (local.get $lanes) (i32.const 1))))
          (br_if $lane (local.get $lanes)))))
      (local.set $p (i32.add (local.get $p) (i32.const 16)))
      (br_if $next (i32.lt_u (local.get $p) (local.get $end))))
    (i32.shr_u (i32.sub (local.get $values) (local.get $start)) (i32.const 2))))
