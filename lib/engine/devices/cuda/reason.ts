/** What a sentence of ONNX Runtime's says, without where in its sources and on which machine. */

/** As ONNX Runtime passes on what CUDA, cuBLAS or cuDNN says: "CUDA failure 2: out of memory ; GPU=0 ; hostname=... ; file=...". */
const FAILURE = /CU(?:DA|BLAS|DNN)(?:_BE)? failure \d+: [^;\n]*[^;\s]/;

/** "CUDA failure 2: out of memory"; undefined where it is not CUDA that complains. */
export const cudaFailure = (message: string): string | undefined => FAILURE.exec(message)?.[0];

/** The same, or else the sentence's first line. */
export const reasonIn = (message: string): string => cudaFailure(message) ?? message.split('\n')[0];
