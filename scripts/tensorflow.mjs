// `npm run tensorflow`: makes `--device tensorflow` work in this clone, with @tensorflow/tfjs-node in .cache/tensorflow. Its native part comes
// by the package's own installer, or, where that cannot download, is compiled against the library in TensorFlow's wheel from PyPI. A second
// run finds it done; after an interrupt it goes on.
//   npm run tensorflow -- --gpu      @tensorflow/tfjs-node-gpu, with the libraries of CUDA 12
//   npm run tensorflow -- --remove   deletes what it made
import { buildWhereStale, installWhereMissing, root } from './setup.mjs';
import { prepareTensorFlow } from './tensorflow/prepare.mjs';

try {
  if (!process.argv.includes('--remove')) {
    await installWhereMissing();
    await buildWhereStale();
  }
  console.log(prepareTensorFlow(process.argv.slice(2), { root }));
} catch (error) {
  console.error(`error: ${error.message}`);
  process.exitCode = 2;
}
