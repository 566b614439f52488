// Before `npm pack` and `npm publish`: installs and builds what is missing, so that the package has its dist.
import { buildWhereStale, installWhereMissing } from './setup.mjs';

await installWhereMissing();
await buildWhereStale();
