// `npm run gpu`: makes this machine ready for `--device cuda`. Looks for the driver, then fetches what is missing of ONNX Runtime's CUDA
// provider and CUDA's libraries. A second run finds it done; after an interrupt it goes on.
//   npm run gpu -- --without-driver   also where there is no driver: for a container image, whose host brings it
//   npm run gpu -- --cuda12           onnxruntime-node's own CUDA 12 build, for drivers before 580; CUDA 12 and cuDNN 9 must be installed
//   npm run gpu -- --remove           deletes what it fetched
import { prepareGpu } from './gpu/prepare.mjs';
import { root } from './setup.mjs';

try {
  for (const sentence of prepareGpu(process.argv.slice(2), { root })) console.log(sentence);
} catch (error) {
  console.error(`error: ${error.message}`);
  process.exitCode = 2;
}
