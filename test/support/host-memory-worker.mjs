// The CUDA device's worker on the process's own memory.
import { serveHostMemory } from './serve-host-memory.mjs';

serveHostMemory();
