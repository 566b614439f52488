/** The table of TensorFlow.js kernels and the ONNX nodes that compute them; importing it registers them all. */
import './elementwise.js';
import './matmul.js';
import './reduce.js';
import './shape.js';
