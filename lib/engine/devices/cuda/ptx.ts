/**
 * kernels.cu as PTX, NVIDIA's assembly text, which the driver compiles for the GPU that is there; `npm run ptx` writes this file.
 * SHA-256 of kernels.cu: 8482d7673f295398019316ab74c7fbef4a88aef5e3a92f4a5b7c2143408b07f2
 */
export const PTX = `.version 8.0
.target sm_75
.address_size 64

.visible .entry accumulate(
	.param .u64 accumulate_param_0,
	.param .u64 accumulate_param_1,
	.param .u64 accumulate_param_2
)
{
	.reg .pred 	%p<3>;
	.reg .f32 	%f<4>;
	.reg .b32 	%r<5>;
	.reg .b64 	%rd<18>;


	ld.param.u64 	%rd8, [accumulate_param_0];
	ld.param.u64 	%rd9, [accumulate_param_1];
	ld.param.u64 	%rd10, [accumulate_param_2];
	mov.u32 	%r1, %ctaid.x;
	mov.u32 	%r2, %ntid.x;
	cvt.u64.u32 	%rd1, %r2;
	mul.wide.u32 	%rd11, %r1, %r2;
	mov.u32 	%r3, %tid.x;
	cvt.u64.u32 	%rd12, %r3;
	add.s64 	%rd17, %rd11, %rd12;
	setp.ge.u64 	%p1, %rd17, %rd10;
	@%p1 bra 	$L__BB0_3;

	mov.u32 	%r4, %nctaid.x;
	cvt.u64.u32 	%rd13, %r4;
	mul.lo.s64 	%rd3, %rd13, %rd1;
	cvta.to.global.u64 	%rd4, %rd8;
	cvta.to.global.u64 	%rd5, %rd9;

$L__BB0_2:
	shl.b64 	%rd14, %rd17, 2;
	add.s64 	%rd15, %rd5, %rd14;
	ld.global.f32 	%f1, [%rd15];
	add.s64 	%rd16, %rd4, %rd14;
	ld.global.f32 	%f2, [%rd16];
	add.rn.f32 	%f3, %f2, %f1;
	st.global.f32 	[%rd16], %f3;
	add.s64 	%rd17, %rd17, %rd3;
	setp.lt.u64 	%p2, %rd17, %rd10;
	@%p2 bra 	$L__BB0_2;

$L__BB0_3:
	ret;

}
.visible .entry sum_of_squares(
	.param .u64 sum_of_squares_param_0,
	.param .u64 sum_of_squares_param_1,
	.param .u64 sum_of_squares_param_2
)
{
	.reg .pred 	%p<12>;
	.reg .f32 	%f<2>;
	.reg .b32 	%r<28>;
	.reg .f64 	%fd<34>;
	.reg .b64 	%rd<44>;
	.shared .align 8 .b8 _ZZ14sum_of_squaresE9of_thread[2048];

	ld.param.u64 	%rd10, [sum_of_squares_param_0];
	ld.param.u64 	%rd11, [sum_of_squares_param_1];
	ld.param.u64 	%rd12, [sum_of_squares_param_2];
	mov.u32 	%r1, %ctaid.x;
	cvt.u64.u32 	%rd1, %r1;
	mov.u32 	%r2, %ntid.x;
	cvt.u64.u32 	%rd2, %r2;
	mul.wide.u32 	%rd13, %r1, %r2;
	mov.u32 	%r3, %tid.x;
	cvt.u64.u32 	%rd3, %r3;
	add.s64 	%rd43, %rd13, %rd3;
	setp.ge.u64 	%p1, %rd43, %rd11;
	mov.f64 	%fd33, 0d0000000000000000;
	@%p1 bra 	$L__BB1_3;

	mov.u32 	%r4, %nctaid.x;
	cvt.u64.u32 	%rd14, %r4;
	mul.lo.s64 	%rd5, %rd14, %rd2;
	cvta.to.global.u64 	%rd6, %rd10;

$L__BB1_2:
	shl.b64 	%rd15, %rd43, 2;
	add.s64 	%rd16, %rd6, %rd15;
	ld.global.f32 	%f1, [%rd16];
	cvt.f64.f32 	%fd6, %f1;
	fma.rn.f64 	%fd33, %fd6, %fd6, %fd33;
	add.s64 	%rd43, %rd43, %rd5;
	setp.lt.u64 	%p2, %rd43, %rd11;
	@%p2 bra 	$L__BB1_2;

$L__BB1_3:
	shl.b64 	%rd17, %rd3, 3;
	mov.u64 	%rd18, _ZZ14sum_of_squaresE9of_thread;
	add.s64 	%rd9, %rd18, %rd17;
	st.shared.f64 	[%rd9], %fd33;
	bar.sync 	0;
	cvt.u32.u64 	%r5, %rd3;
	setp.gt.u32 	%p3, %r5, 127;
	@%p3 bra 	$L__BB1_5;

	add.s32 	%r7, %r5, 128;
	mul.wide.u32 	%rd19, %r7, 8;
	add.s64 	%rd21, %rd18, %rd19;
	ld.shared.f64 	%fd7, [%rd9];
	ld.shared.f64 	%fd8, [%rd21];
	add.f64 	%fd9, %fd8, %fd7;
	st.shared.f64 	[%rd9], %fd9;

$L__BB1_5:
	bar.sync 	0;
	setp.gt.u32 	%p4, %r5, 63;
	@%p4 bra 	$L__BB1_7;

	add.s32 	%r10, %r5, 64;
	mul.wide.u32 	%rd22, %r10, 8;
	add.s64 	%rd24, %rd18, %rd22;
	ld.shared.f64 	%fd10, [%rd9];
	ld.shared.f64 	%fd11, [%rd24];
	add.f64 	%fd12, %fd11, %fd10;
	st.shared.f64 	[%rd9], %fd12;

$L__BB1_7:
	bar.sync 	0;
	setp.gt.u32 	%p5, %r5, 31;
	@%p5 bra 	$L__BB1_9;

	add.s32 	%r13, %r5, 32;
	mul.wide.u32 	%rd25, %r13, 8;
	add.s64 	%rd27, %rd18, %rd25;
	ld.shared.f64 	%fd13, [%rd9];
	ld.shared.f64 	%fd14, [%rd27];
	add.f64 	%fd15, %fd14, %fd13;
	st.shared.f64 	[%rd9], %fd15;

$L__BB1_9:
	bar.sync 	0;
	setp.gt.u32 	%p6, %r5, 15;
	@%p6 bra 	$L__BB1_11;

	add.s32 	%r16, %r5, 16;
	mul.wide.u32 	%rd28, %r16, 8;
	add.s64 	%rd30, %rd18, %rd28;
	ld.shared.f64 	%fd16, [%rd9];
	ld.shared.f64 	%fd17, [%rd30];
	add.f64 	%fd18, %fd17, %fd16;
	st.shared.f64 	[%rd9], %fd18;

$L__BB1_11:
	bar.sync 	0;
	setp.gt.u32 	%p7, %r5, 7;
	@%p7 bra 	$L__BB1_13;

	add.s32 	%r19, %r5, 8;
	mul.wide.u32 	%rd31, %r19, 8;
	add.s64 	%rd33, %rd18, %rd31;
	ld.shared.f64 	%fd19, [%rd9];
	ld.shared.f64 	%fd20, [%rd33];
	add.f64 	%fd21, %fd20, %fd19;
	st.shared.f64 	[%rd9], %fd21;

$L__BB1_13:
	bar.sync 	0;
	setp.gt.u32 	%p8, %r5, 3;
	@%p8 bra 	$L__BB1_15;

	add.s32 	%r22, %r5, 4;
	mul.wide.u32 	%rd34, %r22, 8;
	add.s64 	%rd36, %rd18, %rd34;
	ld.shared.f64 	%fd22, [%rd9];
	ld.shared.f64 	%fd23, [%rd36];
	add.f64 	%fd24, %fd23, %fd22;
	st.shared.f64 	[%rd9], %fd24;

$L__BB1_15:
	bar.sync 	0;
	setp.gt.u32 	%p9, %r5, 1;
	@%p9 bra 	$L__BB1_17;

	add.s32 	%r25, %r5, 2;
	mul.wide.u32 	%rd37, %r25, 8;
	add.s64 	%rd39, %rd18, %rd37;
	ld.shared.f64 	%fd25, [%rd9];
	ld.shared.f64 	%fd26, [%rd39];
	add.f64 	%fd27, %fd26, %fd25;
	st.shared.f64 	[%rd9], %fd27;

$L__BB1_17:
	bar.sync 	0;
	setp.ne.s32 	%p10, %r5, 0;
	@%p10 bra 	$L__BB1_19;

	ld.shared.f64 	%fd28, [_ZZ14sum_of_squaresE9of_thread+8];
	ld.shared.f64 	%fd29, [%rd9];
	add.f64 	%fd30, %fd28, %fd29;
	st.shared.f64 	[%rd9], %fd30;

$L__BB1_19:
	bar.sync 	0;
	@%p10 bra 	$L__BB1_21;

	ld.shared.f64 	%fd31, [_ZZ14sum_of_squaresE9of_thread];
	cvta.to.global.u64 	%rd40, %rd12;
	shl.b64 	%rd41, %rd1, 3;
	add.s64 	%rd42, %rd40, %rd41;
	st.global.f64 	[%rd42], %fd31;

$L__BB1_21:
	ret;

}
.visible .entry adamw(
	.param .u64 adamw_param_0,
	.param .u64 adamw_param_1,
	.param .u64 adamw_param_2,
	.param .u64 adamw_param_3,
	.param .u64 adamw_param_4,
	.param .f32 adamw_param_5,
	.param .f32 adamw_param_6,
	.param .f32 adamw_param_7,
	.param .f32 adamw_param_8,
	.param .f32 adamw_param_9,
	.param .f32 adamw_param_10,
	.param .f32 adamw_param_11,
	.param .f32 adamw_param_12
)
{
	.reg .pred 	%p<3>;
	.reg .f32 	%f<28>;
	.reg .b32 	%r<5>;
	.reg .b64 	%rd<24>;


	ld.param.u64 	%rd10, [adamw_param_0];
	ld.param.u64 	%rd11, [adamw_param_1];
	ld.param.u64 	%rd12, [adamw_param_2];
	ld.param.u64 	%rd13, [adamw_param_3];
	ld.param.u64 	%rd14, [adamw_param_4];
	ld.param.f32 	%f1, [adamw_param_5];
	ld.param.f32 	%f2, [adamw_param_6];
	ld.param.f32 	%f3, [adamw_param_7];
	ld.param.f32 	%f4, [adamw_param_8];
	ld.param.f32 	%f5, [adamw_param_9];
	ld.param.f32 	%f6, [adamw_param_10];
	ld.param.f32 	%f7, [adamw_param_11];
	ld.param.f32 	%f8, [adamw_param_12];
	mov.u32 	%r1, %ctaid.x;
	mov.u32 	%r2, %ntid.x;
	cvt.u64.u32 	%rd1, %r2;
	mul.wide.u32 	%rd15, %r1, %r2;
	mov.u32 	%r3, %tid.x;
	cvt.u64.u32 	%rd16, %r3;
	add.s64 	%rd23, %rd15, %rd16;
	setp.ge.u64 	%p1, %rd23, %rd14;
	@%p1 bra 	$L__BB2_3;

	mov.u32 	%r4, %nctaid.x;
	cvt.u64.u32 	%rd17, %r4;
	mul.lo.s64 	%rd3, %rd17, %rd1;
	cvta.to.global.u64 	%rd4, %rd11;
	cvta.to.global.u64 	%rd5, %rd12;
	cvta.to.global.u64 	%rd6, %rd13;
	cvta.to.global.u64 	%rd7, %rd10;

$L__BB2_2:
	shl.b64 	%rd18, %rd23, 2;
	add.s64 	%rd19, %rd4, %rd18;
	ld.global.f32 	%f9, [%rd19];
	mul.rn.f32 	%f10, %f9, %f1;
	add.s64 	%rd20, %rd5, %rd18;
	ld.global.f32 	%f11, [%rd20];
	sub.rn.f32 	%f12, %f10, %f11;
	mul.rn.f32 	%f13, %f12, %f3;
	add.rn.f32 	%f14, %f11, %f13;
	add.s64 	%rd21, %rd6, %rd18;
	ld.global.f32 	%f15, [%rd21];
	mul.rn.f32 	%f16, %f15, %f4;
	mul.rn.f32 	%f17, %f10, %f10;
	mul.rn.f32 	%f18, %f17, %f5;
	add.rn.f32 	%f19, %f16, %f18;
	st.global.f32 	[%rd20], %f14;
	st.global.f32 	[%rd21], %f19;
	sqrt.rn.f32 	%f20, %f19;
	div.rn.f32 	%f21, %f20, %f6;
	add.rn.f32 	%f22, %f21, %f7;
	add.s64 	%rd22, %rd7, %rd18;
	ld.global.f32 	%f23, [%rd22];
	mul.rn.f32 	%f24, %f23, %f2;
	div.rn.f32 	%f25, %f14, %f22;
	mul.rn.f32 	%f26, %f8, %f25;
	sub.rn.f32 	%f27, %f24, %f26;
	st.global.f32 	[%rd22], %f27;
	add.s64 	%rd23, %rd23, %rd3;
	setp.lt.u64 	%p2, %rd23, %rd14;
	@%p2 bra 	$L__BB2_2;

$L__BB2_3:
	ret;

}
`;
