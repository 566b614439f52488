// `npm run build`: compiles TypeScript into dist/.
import { build } from './setup.mjs';

await build();
